//! The tables as Diesel sees them, one description for both databases: instants are microseconds
//! (`BigInt`), JSON is text. A test compares it with what the migrations really make on each.
#![allow(missing_docs, reason = "the columns are described in the migrations")]

diesel::table! {
    organizations (id) {
        id -> Text,
        name -> Nullable<Text>,
        armed_at -> Nullable<BigInt>,
        settings -> Text,
        first_seen_at -> BigInt,
    }
}

diesel::table! {
    directories (id) {
        id -> Text,
        organization_id -> Text,
        directory_type -> Nullable<Text>,
        name -> Nullable<Text>,
        state -> Text,
        timeline -> Text,
        first_seen_at -> BigInt,
        last_event_at -> BigInt,
    }
}

diesel::table! {
    profiles (id) {
        id -> Text,
        organization_id -> Text,
        status -> Text,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        display_name -> Text,
        email -> Nullable<Text>,
        email_key -> Nullable<Text>,
        title -> Nullable<Text>,
        department -> Nullable<Text>,
        pronouns -> Nullable<Text>,
        start_date -> Nullable<Text>,
        manager_email -> Nullable<Text>,
        employee_number -> Nullable<Text>,
        attributes -> Text,
        warnings -> Text,
        remembered -> Text,
        period -> Text,
        search -> Text,
        first_seen_at -> BigInt,
        recorded_at -> BigInt,
        updated_at -> BigInt,
        removed_at -> Nullable<BigInt>,
        removed_reason -> Nullable<Text>,
    }
}

diesel::table! {
    links (directory_user_id) {
        directory_user_id -> Text,
        organization_id -> Text,
        directory_id -> Text,
        idp_id -> Nullable<Text>,
        profile_id -> Nullable<Text>,
        state -> Text,
        remembered -> Text,
        last_at -> BigInt,
        last_removal -> Bool,
        last_event_id -> Text,
    }
}

diesel::table! {
    link_keys (organization_id, key, directory_user_id) {
        organization_id -> Text,
        key -> Text,
        directory_user_id -> Text,
    }
}

diesel::table! {
    statements (event_id) {
        event_id -> Text,
        directory_user_id -> Text,
        organization_id -> Text,
        at -> BigInt,
        removal -> Bool,
        said -> Text,
    }
}

diesel::table! {
    groups (id) {
        id -> Text,
        organization_id -> Text,
        directory_id -> Text,
        idp_id -> Nullable<Text>,
        name -> Text,
        state -> Text,
        remembered -> Text,
    }
}

diesel::table! {
    group_edges (group_id, directory_user_id) {
        group_id -> Text,
        directory_user_id -> Text,
        organization_id -> Text,
        present -> Bool,
        at -> BigInt,
        removal -> Bool,
        event_id -> Text,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    communities (id) {
        id -> Text,
        organization_id -> Text,
        name -> Text,
        rules -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        orphaned_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    memberships (community_id, profile_id, source) {
        community_id -> Text,
        profile_id -> Text,
        source -> Text,
        organization_id -> Text,
        role -> Text,
        former_role -> Nullable<Text>,
        granted_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_reason -> Nullable<Text>,
        stands_in_for -> Nullable<Text>,
        stood_as -> Nullable<Text>,
    }
}

diesel::table! {
    changes (id) {
        id -> BigInt,
        organization_id -> Text,
        profile_id -> Text,
        what -> Text,
        name -> Text,
        old -> Nullable<Text>,
        new -> Nullable<Text>,
        event_id -> Nullable<Text>,
        directory_id -> Nullable<Text>,
        actor -> Text,
        at -> BigInt,
        removal -> Bool,
        recorded_at -> BigInt,
    }
}

diesel::table! {
    holds (id) {
        id -> Text,
        organization_id -> Text,
        kind -> Text,
        directory_id -> Nullable<Text>,
        state -> Text,
        reason -> Text,
        opened_at -> BigInt,
        last_at -> BigInt,
        decided_at -> Nullable<BigInt>,
        decided_by -> Nullable<Text>,
        group_id -> Nullable<Text>,
        due_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    staged_leaves (community_id, profile_id) {
        community_id -> Text,
        profile_id -> Text,
        hold_id -> Text,
        held_at -> BigInt,
    }
}

diesel::table! {
    hold_items (hold_id, event_id, profile_id) {
        hold_id -> Text,
        event_id -> Text,
        profile_id -> Text,
        applied -> Bool,
        held_at -> BigInt,
    }
}

diesel::table! {
    outbox (id) {
        id -> BigInt,
        event_id -> Text,
        event_type -> Text,
        organization_id -> Nullable<Text>,
        directory_id -> Nullable<Text>,
        subject -> Nullable<Text>,
        lane -> Integer,
        part -> Integer,
        state -> Text,
        outcome -> Nullable<Text>,
        reason -> Nullable<Text>,
        error -> Nullable<Text>,
        attempts -> Integer,
        available_at -> BigInt,
        occurred_at -> BigInt,
        received_at -> BigInt,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    event_bodies (event_id) {
        event_id -> Text,
        body -> Text,
        received_at -> BigInt,
    }
}

diesel::table! {
    event_attempts (id) {
        id -> BigInt,
        event_id -> Text,
        at -> BigInt,
        what -> Text,
        detail -> Nullable<Text>,
        actor -> Nullable<Text>,
    }
}

diesel::table! {
    triggers (id) {
        id -> Text,
        organization_id -> Text,
        name -> Text,
        definition -> Text,
        status -> Text,
        version -> Integer,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    deliveries (id) {
        id -> Text,
        key -> Text,
        organization_id -> Text,
        profile_id -> Text,
        trigger_id -> Text,
        step -> Integer,
        period -> Text,
        on_event -> Text,
        channel -> Text,
        event_id -> Nullable<Text>,
        state -> Text,
        reason -> Nullable<Text>,
        recipient -> Nullable<Text>,
        subject -> Nullable<Text>,
        body -> Nullable<Text>,
        html -> Nullable<Text>,
        attempts -> Integer,
        due_at -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_token -> BigInt,
        lease_until -> Nullable<BigInt>,
        created_at -> BigInt,
        settled_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    delivery_attempts (id) {
        id -> BigInt,
        delivery_id -> Text,
        at -> BigInt,
        outcome -> Text,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    tokens (id) {
        id -> Text,
        name -> Text,
        role -> Text,
        organization_id -> Nullable<Text>,
        digest -> Text,
        created_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    kept_secrets (name) {
        name -> Text,
        value -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    operator_acts (id) {
        id -> BigInt,
        at -> BigInt,
        actor -> Text,
        act -> Text,
        target -> Text,
        organization_id -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    processes (id) {
        id -> Text,
        role -> Text,
        version -> Text,
        started_at -> BigInt,
        heartbeat_at -> BigInt,
        stopped_at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    organizations,
    directories,
    profiles,
    links,
    link_keys,
    statements,
    groups,
    group_edges,
    communities,
    memberships,
    changes,
    holds,
    hold_items,
    staged_leaves,
    outbox,
    event_bodies,
    event_attempts,
    triggers,
    deliveries,
    delivery_attempts,
    tokens,
    kept_secrets,
    operator_acts,
    processes
);
