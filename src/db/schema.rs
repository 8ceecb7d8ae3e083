//! The tables as Diesel sees them, one description for both databases: instants are microseconds
//! (`BigInt`), JSON is text. A test compares it with what the migrations really make on each.
#![allow(missing_docs, reason = "the columns are described in the migrations")]

diesel::table! {
    organizations (id) {
        id -> Text,
        name -> Nullable<Text>,
        messaging_enabled_at -> Nullable<BigInt>,
        settings -> Text,
        first_seen_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
        deletion_decision -> Nullable<Text>,
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
        start_unreadable -> Nullable<Text>,
        role -> Nullable<Text>,
        roles -> Text,
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
        question -> Nullable<Text>,
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
    observations (event_id) {
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
        renamed -> Bool,
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
        idp_id -> Nullable<Text>,
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
        given_for -> Nullable<Text>,
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
    staged_removals (community_id, profile_id) {
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
    suspensions (profile_id) {
        profile_id -> Text,
        organization_id -> Text,
        event_id -> Nullable<Text>,
        suspended_at -> BigInt,
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
    trigger_versions (trigger_id, version) {
        trigger_id -> Text,
        version -> Integer,
        definition -> Text,
        created_at -> BigInt,
        created_by -> Nullable<Text>,
    }
}

diesel::table! {
    opt_outs (id) {
        id -> Text,
        organization_id -> Text,
        address -> Text,
        profile_id -> Nullable<Text>,
        reason -> Nullable<Text>,
        created_at -> BigInt,
        created_by -> Text,
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
        trigger_version -> Integer,
        welcome -> Bool,
        community_id -> Nullable<Text>,
        hold_id -> Nullable<Text>,
        digest_id -> Nullable<Text>,
        destination -> Text,
        planned_at -> BigInt,
        detail -> Nullable<Text>,
        lane -> Integer,
    }
}

diesel::table! {
    destinations (id) {
        id -> Text,
        channel -> Text,
        shown -> Text,
        not_before -> BigInt,
        stopped_at -> Nullable<BigInt>,
        reason -> Nullable<Text>,
        resumed_at -> Nullable<BigInt>,
        created_at -> BigInt,
        failures -> BigInt,
        failing_since -> Nullable<BigInt>,
        failed_at -> Nullable<BigInt>,
        failure -> Nullable<Text>,
        next_try_at -> BigInt,
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
        sensitive -> Bool,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        kind -> Text,
        organization_id -> Nullable<Text>,
        state -> Text,
        payload -> Text,
        cursor -> Text,
        result -> Text,
        total -> BigInt,
        done -> BigInt,
        attempts -> Integer,
        reason -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
        available_at -> BigInt,
        started_at -> Nullable<BigInt>,
        updated_at -> BigInt,
        ended_at -> Nullable<BigInt>,
        ended_by -> Nullable<Text>,
        lease_owner -> Nullable<Text>,
        lease_token -> BigInt,
        lease_until -> Nullable<BigInt>,
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

diesel::table! {
    erasures (key, profile_id) {
        key -> Text,
        profile_id -> Text,
        organization_id -> Text,
        of_user -> Bool,
        erased_at -> BigInt,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    legal_holds (profile_id) {
        profile_id -> Text,
        organization_id -> Text,
        reason -> Text,
        placed_by -> Text,
        placed_at -> BigInt,
    }
}

diesel::table! {
    chores (name) {
        name -> Text,
        ran_at -> BigInt,
        told -> Text,
    }
}

diesel::table! {
    identity_decisions (directory_user_id, other_id) {
        directory_user_id -> Text,
        other_id -> Text,
        organization_id -> Text,
        same -> Bool,
        decided_by -> Text,
        decided_at -> BigInt,
    }
}

diesel::table! {
    identity_changes (event_id, profile_id) {
        event_id -> Text,
        profile_id -> Text,
        organization_id -> Text,
        received_at -> BigInt,
    }
}

diesel::table! {
    event_gaps (event_id) {
        event_id -> Text,
        event_type -> Text,
        organization_id -> Nullable<Text>,
        directory_id -> Nullable<Text>,
        occurred_at -> BigInt,
        found_at -> BigInt,
        webhook_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    catch_ups (environment) {
        environment -> Text,
        cursor -> Nullable<Text>,
        cursor_at -> Nullable<BigInt>,
        drained -> Bool,
        polled_at -> Nullable<BigInt>,
        caught_up_at -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        lease_owner -> Nullable<Text>,
        lease_token -> BigInt,
        lease_until -> Nullable<BigInt>,
        failures -> BigInt,
        failing_since -> Nullable<BigInt>,
    }
}

diesel::table! {
    reconciles (id) {
        id -> Text,
        organization_id -> Text,
        directory_id -> Text,
        apply -> Bool,
        state -> Text,
        phase -> Text,
        progress -> Text,
        reason -> Nullable<Text>,
        actor -> Text,
        started_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        lease_owner -> Nullable<Text>,
        lease_token -> BigInt,
        lease_until -> Nullable<BigInt>,
    }
}

diesel::table! {
    reconcile_seen (reconcile_id, kind, id) {
        reconcile_id -> Text,
        kind -> Text,
        id -> Text,
    }
}

diesel::table! {
    drift_items (reconcile_id, kind, subject) {
        reconcile_id -> Text,
        kind -> Text,
        subject -> Text,
        fields -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        event_id -> Text,
        occurred_at -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    membership_refetches (name) {
        name -> Text,
        change_id -> BigInt,
    }
}

diesel::table! {
    user_refetches (directory_user_id) {
        directory_user_id -> Text,
        directory_id -> Text,
        organization_id -> Text,
        due_at -> BigInt,
        tries -> Integer,
    }
}

diesel::table! {
    setup_links (organization_id) {
        organization_id -> Text,
        opened_at -> BigInt,
        opened_by -> Text,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhook_secret_uses (label) {
        label -> Text,
        matched -> BigInt,
        last_matched_at -> BigInt,
    }
}

diesel::table! {
    webhook_refusals (reason, hour) {
        reason -> Text,
        hour -> BigInt,
        count -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    console_sessions (id) {
        id -> Text,
        token_digest -> Text,
        created_at -> BigInt,
        ends_at -> BigInt,
    }
}

diesel::table! {
    event_repeats (event_id) {
        event_id -> Text,
        first_digest -> Text,
        other_digest -> Text,
        times -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    webhook_wrong_paths (path) {
        path -> Text,
        count -> BigInt,
        first_at -> BigInt,
        last_at -> BigInt,
    }
}

diesel::table! {
    installation (one) {
        one -> Integer,
        id -> Text,
        mark -> BigInt,
        marked_at -> BigInt,
        server -> Nullable<Text>,
        timeline -> Nullable<Text>,
    }
}

diesel::table! {
    restores (id) {
        id -> Text,
        until -> BigInt,
        since -> Nullable<BigInt>,
        reason -> Text,
        noted_by -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    organizations,
    directories,
    profiles,
    links,
    link_keys,
    observations,
    groups,
    group_edges,
    communities,
    memberships,
    changes,
    holds,
    hold_items,
    staged_removals,
    suspensions,
    outbox,
    event_bodies,
    event_attempts,
    triggers,
    trigger_versions,
    opt_outs,
    deliveries,
    destinations,
    delivery_attempts,
    tokens,
    kept_secrets,
    operator_acts,
    processes,
    erasures,
    legal_holds,
    chores,
    identity_decisions,
    identity_changes,
    jobs,
    event_gaps,
    catch_ups,
    reconciles,
    reconcile_seen,
    drift_items,
    membership_refetches,
    user_refetches,
    setup_links,
    webhook_secret_uses,
    webhook_refusals,
    console_sessions,
    event_repeats,
    webhook_wrong_paths,
    installation,
    restores,
);
