-- The schema. Times are microseconds since the epoch (UTC) and JSON is text, on both databases. From here on it only grows:
-- a change is a migration of its own, and the text of one that ran is never edited (its checksum is compared).


-- ========== Organizations and directories ==========

-- WorkOS's organizations; `settings` is one JSON object, read whole. `messaging_enabled_at`: since when triggers send
-- messages to people (R56), null while messaging is off. `deleted_at`: when WorkOS said that it was deleted;
-- `deletion_decision`: what an operator decided about its people: `keep`, `remove`, or nothing yet (R84).
CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    messaging_enabled_at BIGINT,
    settings TEXT NOT NULL DEFAULT '{}',
    first_seen_at BIGINT NOT NULL,
    deleted_at BIGINT,
    deletion_decision TEXT
);

-- `timeline` is the JSON list of what was said of the directory's life, by order key (R36, R66).
CREATE TABLE directories (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_type TEXT,
    name TEXT,
    state TEXT NOT NULL,
    timeline TEXT NOT NULL DEFAULT '[]',
    first_seen_at BIGINT NOT NULL,
    last_event_at BIGINT NOT NULL
);
CREATE INDEX directories_organization ON directories (organization_id);

-- Set-up links that were opened, never the links themselves: they live five minutes and let anybody in.
CREATE TABLE setup_links (
    organization_id TEXT NOT NULL PRIMARY KEY,
    opened_at BIGINT NOT NULL,
    opened_by TEXT NOT NULL,
    revoked_at BIGINT
);


-- ========== People ==========

-- The person in an organization, as shown. `remembered` (JSON) is what the core keeps beside it. `start_unreadable`: the
-- shape of a start date that came and cannot be read (R79). `role` and `roles`: what group-to-role mapping gave, the one
-- that counts first and a JSON list in alphabetical order. `search`: the first 600 characters of what a search looks in,
-- because PostgreSQL takes at most 2,704 bytes into an index entry.
CREATE TABLE profiles (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    status TEXT NOT NULL,
    first_name TEXT,
    last_name TEXT,
    display_name TEXT NOT NULL,
    email TEXT,
    email_key TEXT,
    title TEXT,
    department TEXT,
    pronouns TEXT,
    start_date TEXT,
    manager_email TEXT,
    employee_number TEXT,
    attributes TEXT NOT NULL DEFAULT '{}',
    warnings TEXT NOT NULL DEFAULT '[]',
    remembered TEXT NOT NULL DEFAULT '{}',
    period TEXT NOT NULL DEFAULT 'first',
    search TEXT NOT NULL DEFAULT '',
    first_seen_at BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    removed_at BIGINT,
    removed_reason TEXT,
    start_unreadable TEXT,
    role TEXT,
    roles TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX profiles_people ON profiles (organization_id, status, first_seen_at, id);
CREATE INDEX profiles_email ON profiles (organization_id, email_key);
CREATE INDEX profiles_seen ON profiles (first_seen_at, id);
CREATE INDEX profiles_of_organization ON profiles (organization_id, first_seen_at, id);
CREATE INDEX profiles_department ON profiles (department, first_seen_at, id);
-- A text is looked for in this index and not in the wide rows.
CREATE INDEX profiles_status ON profiles (status, first_seen_at, id, organization_id, search);

-- One WorkOS directory user; `profile_id` is null while an operator has to decide (R25). `question` (JSON) is what there
-- is to decide: kind, over, candidates (R20, R25, R32).
CREATE TABLE links (
    directory_user_id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    idp_id TEXT,
    profile_id TEXT,
    state TEXT NOT NULL,
    remembered TEXT NOT NULL,
    last_at BIGINT NOT NULL,
    last_removal BOOLEAN NOT NULL,
    last_event_id TEXT NOT NULL,
    question TEXT
);
CREATE INDEX links_profile ON links (profile_id);
CREATE INDEX links_question ON links (organization_id, last_at, directory_user_id) WHERE question IS NOT NULL;
CREATE INDEX links_of_directory ON links (directory_id, directory_user_id);
CREATE INDEX links_states ON links (directory_id, state);
CREATE INDEX links_provider ON links (directory_id, idp_id);

-- What makes two links one person: the same provider's id, employee number or e-mail address, ever said, in one
-- organization.
CREATE TABLE link_keys (
    organization_id TEXT NOT NULL,
    key TEXT NOT NULL,
    directory_user_id TEXT NOT NULL,
    PRIMARY KEY (organization_id, key, directory_user_id)
);
CREATE INDEX link_keys_link ON link_keys (directory_user_id);

-- What one event said of one directory user. Folding a person's observations by order key gives the person, in whatever
-- order they came (R14); they are read only when an older one arrives.
CREATE TABLE observations (
    event_id TEXT NOT NULL PRIMARY KEY,
    directory_user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    removal BOOLEAN NOT NULL,
    said TEXT NOT NULL
);
CREATE INDEX observations_link ON observations (directory_user_id);

-- What operators decided: two directory users are the same person, or they are not. Every fold reads it (R20).
CREATE TABLE identity_decisions (
    directory_user_id TEXT NOT NULL,
    other_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    same BOOLEAN NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at BIGINT NOT NULL,
    PRIMARY KEY (directory_user_id, other_id)
);
CREATE INDEX identity_decisions_organization ON identity_decisions (organization_id);

-- Whose identity changed by which event: another provider's id, or an address in another domain (R42).
CREATE TABLE identity_changes (
    event_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (event_id, profile_id)
);
CREATE INDEX identity_changes_recent ON identity_changes (organization_id, received_at);

-- Whose access is suspended, as host applications were told: the row goes when they are told that it is back, or that
-- the person was removed. `event_id` is the removal that suspended them, where it is one (R40).
CREATE TABLE suspensions (
    profile_id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    event_id TEXT,
    suspended_at BIGINT NOT NULL
);

-- Who wants no messages (R64, R82): a person, or an address in lower case that nobody has yet.
CREATE TABLE opt_outs (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    address TEXT NOT NULL,
    profile_id TEXT,
    reason TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);
CREATE UNIQUE INDEX opt_outs_waiting ON opt_outs (organization_id, address) WHERE profile_id IS NULL;
CREATE UNIQUE INDEX opt_outs_person ON opt_outs (profile_id) WHERE profile_id IS NOT NULL;
CREATE INDEX opt_outs_listed ON opt_outs (organization_id, created_at, id);

-- Who was erased (R65): keyed hashes of directory users and provider's ids, never the ids themselves, so that a late or
-- replayed event brings nobody back. `ended_at` is null while the directory still lists them.
CREATE TABLE erasures (
    key TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    of_user BOOLEAN NOT NULL,
    erased_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (key, profile_id)
);
CREATE INDEX erasures_profile ON erasures (profile_id);

-- People whose data must be kept: neither erased nor pruned until released (R65).
CREATE TABLE legal_holds (
    profile_id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at BIGINT NOT NULL
);

-- The audit: one field or membership change, append-only (R49).
CREATE TABLE changes (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    organization_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    what TEXT NOT NULL,
    name TEXT NOT NULL,
    old TEXT,
    new TEXT,
    event_id TEXT,
    directory_id TEXT,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    removal BOOLEAN NOT NULL,
    recorded_at BIGINT NOT NULL
);
CREATE INDEX changes_profile ON changes (profile_id, id);
CREATE INDEX changes_event ON changes (event_id);
CREATE INDEX changes_removed ON changes (organization_id, recorded_at) WHERE what = 'status' AND new = 'removed';


-- ========== Groups and communities ==========

-- Groups of a directory. `renamed`: it had another name before; whoever takes that name takes the rules for it (R52).
CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    idp_id TEXT,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    remembered TEXT NOT NULL,
    renamed BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX groups_organization ON groups (organization_id);
CREATE INDEX groups_directory ON groups (directory_id);
CREATE INDEX groups_renamed ON groups (directory_id) WHERE renamed;

-- Who is in which group, with the order key of the event that last spoke of the pair (R15). `idp_id`: the provider's id
-- of a user whom the event gives no id of WorkOS's (R95).
CREATE TABLE group_edges (
    group_id TEXT NOT NULL,
    directory_user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    present BOOLEAN NOT NULL,
    at BIGINT NOT NULL,
    removal BOOLEAN NOT NULL,
    event_id TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    idp_id TEXT,
    PRIMARY KEY (group_id, directory_user_id)
);
CREATE INDEX group_edges_link ON group_edges (directory_user_id);

-- `rules` is a JSON list of conditions and roles. `orphaned_at`: since when it has no admin (R39).
CREATE TABLE communities (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    rules TEXT NOT NULL DEFAULT '[]',
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    orphaned_at BIGINT,
    UNIQUE (organization_id, name)
);
CREATE INDEX communities_orphaned ON communities (orphaned_at) WHERE orphaned_at IS NOT NULL;

-- Ended rows stay: they are the snapshot that a return restores (R29, R31). `former_role`: an admin role that waits to be
-- restored (C5). `stands_in_for`, `stood_as`: whose admin role somebody took over, and what they were there before
-- (R39). `given_for`: the directory user that it was given for, where that is another than the profile was made for
-- (R31).
CREATE TABLE memberships (
    community_id TEXT NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL,
    source TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    role TEXT NOT NULL,
    former_role TEXT,
    granted_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_reason TEXT,
    stands_in_for TEXT,
    stood_as TEXT,
    given_for TEXT,
    PRIMARY KEY (community_id, profile_id, source)
);
CREATE INDEX memberships_profile ON memberships (profile_id);
CREATE INDEX memberships_seats ON memberships (organization_id) WHERE former_role IS NOT NULL AND ended_at IS NULL;
CREATE INDEX memberships_open ON memberships (community_id, role, granted_at, profile_id) WHERE ended_at IS NULL;
CREATE INDEX memberships_ended ON memberships (community_id, ended_at, profile_id) WHERE ended_at IS NOT NULL;
-- How many memberships rules ended within the hour (R53).
CREATE INDEX memberships_left ON memberships (organization_id, ended_at) WHERE ended_at IS NOT NULL;

-- Rule memberships that a rule no longer gives and that stay until their hold is decided; those of a rejected hold stay
-- until the rule gives them again (R52, R53).
CREATE TABLE staged_removals (
    community_id TEXT NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL,
    hold_id TEXT NOT NULL,
    held_at BIGINT NOT NULL,
    PRIMARY KEY (community_id, profile_id)
);
CREATE INDEX staged_removals_hold ON staged_removals (hold_id);
CREATE INDEX staged_removals_profile ON staged_removals (profile_id);


-- ========== Holds ==========

-- What waits for an operator: approve or reject (R36, R40). `group_id` and `due_at`: the deleted group whose members wait,
-- and when the hold is settled by itself (R52).
CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    directory_id TEXT,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT,
    group_id TEXT,
    due_at BIGINT
);
CREATE INDEX holds_organization ON holds (organization_id, state, opened_at);

-- Whom a hold is about; `applied` ones were removed before it tripped (R40).
CREATE TABLE hold_items (
    hold_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    applied BOOLEAN NOT NULL,
    held_at BIGINT NOT NULL,
    PRIMARY KEY (hold_id, event_id, profile_id)
);
CREATE INDEX hold_items_profile ON hold_items (profile_id);
-- Whether an event waits in a hold, or was taken back, is asked for every event about a person.
CREATE INDEX hold_items_event ON hold_items (event_id);


-- ========== Events ==========

-- The queue row of an event: narrow, because settling rewrites it. `lane` 0 is for removals (R67); `part` is the hash of
-- the organization: one batch at a time holds one (R73).
CREATE TABLE outbox (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    event_type TEXT NOT NULL,
    organization_id TEXT,
    directory_id TEXT,
    subject TEXT,
    lane INTEGER NOT NULL,
    part INTEGER NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    reason TEXT,
    error TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    available_at BIGINT NOT NULL,
    occurred_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    settled_at BIGINT
);
-- The claim reads only this index: flat, however many settled rows there are.
CREATE INDEX outbox_ready ON outbox (part, lane, id) WHERE state = 'ready';
CREATE INDEX outbox_subject ON outbox (subject, id);
-- The last hour's outcomes, and how long removals took, are read off this index alone.
CREATE INDEX outbox_settled ON outbox (settled_at, received_at, lane, outcome) WHERE settled_at IS NOT NULL;
-- Every filter of the list of events whose matches may be rare.
CREATE INDEX outbox_type ON outbox (event_type, id);
CREATE INDEX outbox_organization ON outbox (organization_id, id);
CREATE INDEX outbox_directory ON outbox (directory_id, id);
-- Most events are applied or unchanged: those are found by walking.
CREATE INDEX outbox_outcome ON outbox (outcome, id) WHERE outcome IN ('stale', 'ignored', 'held', 'failed');
CREATE INDEX outbox_ignored ON outbox (id) WHERE state = 'ignored';
CREATE INDEX outbox_error ON outbox (id) WHERE error IS NOT NULL;
CREATE INDEX outbox_failures ON outbox (event_type, state, error, received_at) WHERE error IS NOT NULL;
CREATE INDEX outbox_organization_type ON outbox (organization_id, event_type, id);
CREATE INDEX outbox_organization_error ON outbox (organization_id, id) WHERE error IS NOT NULL;
-- Removals that were acknowledged and are not settled: whether access is refused is looked up here (R91).
CREATE INDEX outbox_removals ON outbox (subject) WHERE lane = 0 AND state NOT IN ('done', 'ignored');
CREATE INDEX outbox_unsettled ON outbox (state, id) WHERE state IN ('failed', 'held');

-- The body as it came, never updated; gone after the retention while the queue row stays (R72).
CREATE TABLE event_bodies (
    event_id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    received_at BIGINT NOT NULL
);
CREATE INDEX event_bodies_received ON event_bodies (received_at);

-- Attempts that explain something: failures, replays, discards. A first success leaves no row.
CREATE TABLE event_attempts (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    event_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT,
    actor TEXT
);
CREATE INDEX event_attempts_event ON event_attempts (event_id, id);

-- An event id that came again with other content: the digests of both, never the content.
CREATE TABLE event_repeats (
    event_id TEXT NOT NULL PRIMARY KEY,
    first_digest TEXT NOT NULL,
    other_digest TEXT NOT NULL,
    times BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

-- Events that catching up found and no webhook had brought. `webhook_at` is when one came after all.
CREATE TABLE event_gaps (
    event_id TEXT NOT NULL PRIMARY KEY,
    event_type TEXT NOT NULL,
    organization_id TEXT,
    directory_id TEXT,
    occurred_at BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    webhook_at BIGINT
);
CREATE INDEX event_gaps_time ON event_gaps (occurred_at, event_id);

-- Deliveries that the endpoint refused, by reason and hour: WorkOS shows them as failed (R1-R8).
CREATE TABLE webhook_refusals (
    reason TEXT NOT NULL,
    hour BIGINT NOT NULL,
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (reason, hour)
);

-- Requests that look like deliveries to a path that takes none; the code bounds how many.
CREATE TABLE webhook_wrong_paths (
    path TEXT NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

-- Which webhook secret verifies deliveries (R71), by its label and never by its value. An old secret can be removed when
-- its row stands still.
CREATE TABLE webhook_secret_uses (
    label TEXT NOT NULL PRIMARY KEY,
    matched BIGINT NOT NULL,
    last_matched_at BIGINT NOT NULL
);


-- ========== Messages ==========

CREATE TABLE triggers (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (organization_id, name)
);

-- Every version a trigger had; deliveries name theirs.
CREATE TABLE trigger_versions (
    trigger_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT,
    PRIMARY KEY (trigger_id, version)
);

-- `key` makes a message unique: (profile, trigger, step, employment period) (R63). `welcome`: it greets somebody (R59).
-- `hold_id`: the hold it waits in; `digest_id`: the message in which it is told. `planned_at`: its first due time, by
-- which webhooks about one person are kept in order. `detail`: what a webhook tells beside the profile (JSON). `lane` 0
-- is for messages about people who left (R63).
CREATE TABLE deliveries (
    id TEXT NOT NULL PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    step INTEGER NOT NULL,
    period TEXT NOT NULL,
    on_event TEXT NOT NULL,
    channel TEXT NOT NULL,
    event_id TEXT,
    state TEXT NOT NULL,
    reason TEXT,
    recipient TEXT,
    subject TEXT,
    body TEXT,
    html TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL,
    lease_owner TEXT,
    lease_token BIGINT NOT NULL DEFAULT 0,
    lease_until BIGINT,
    created_at BIGINT NOT NULL,
    settled_at BIGINT,
    trigger_version INTEGER NOT NULL DEFAULT 1,
    welcome BOOLEAN NOT NULL DEFAULT FALSE,
    community_id TEXT,
    hold_id TEXT,
    digest_id TEXT,
    destination TEXT NOT NULL,
    planned_at BIGINT NOT NULL DEFAULT 0,
    detail TEXT,
    lane INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX deliveries_due ON deliveries (due_at, id) WHERE state = 'due';
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state IN ('claimed', 'attempting');
CREATE INDEX deliveries_event ON deliveries (event_id);
CREATE INDEX deliveries_state ON deliveries (state, created_at, id);
-- The retention looks for settled messages that still have a text.
CREATE INDEX deliveries_texts ON deliveries (settled_at) WHERE body IS NOT NULL AND settled_at IS NOT NULL;
CREATE INDEX deliveries_hold ON deliveries (hold_id) WHERE hold_id IS NOT NULL;
CREATE INDEX deliveries_digest ON deliveries (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX deliveries_trigger ON deliveries (trigger_id, step, due_at) WHERE state = 'due';
CREATE INDEX deliveries_welcomes ON deliveries (organization_id, welcome, due_at);
CREATE INDEX deliveries_in_flight ON deliveries (destination) WHERE state IN ('claimed', 'attempting');
CREATE INDEX deliveries_destination ON deliveries (destination, planned_at, id);
CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_organization ON deliveries (organization_id, created_at, id);
CREATE INDEX deliveries_of_profile ON deliveries (profile_id, created_at, id);
CREATE INDEX deliveries_channel ON deliveries (channel, created_at, id);
CREATE INDEX deliveries_of_trigger ON deliveries (trigger_id, created_at, id);
-- The messages of one step within a time, for the guard over bursts (R80).
CREATE INDEX deliveries_of_step ON deliveries (trigger_id, step, due_at);
CREATE INDEX deliveries_waiting ON deliveries (destination, lane, due_at, id) WHERE state = 'due';
-- Each organization that waits at a destination is found by one step, however much the others have (R94).
CREATE INDEX deliveries_shares ON deliveries (destination, lane, organization_id, due_at, id) WHERE state = 'due';

CREATE TABLE delivery_attempts (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    delivery_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT
);
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (delivery_id, id);

-- One row for each mail server, Slack channel or web address. One that refuses is stopped (`stopped_at`, `reason`) until an
-- operator resumes it; `not_before` paces it. `failures` to `next_try_at`: what failed since something was last taken
-- there (R93).
CREATE TABLE destinations (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    shown TEXT NOT NULL,
    not_before BIGINT NOT NULL DEFAULT 0,
    stopped_at BIGINT,
    reason TEXT,
    resumed_at BIGINT,
    created_at BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT,
    failed_at BIGINT,
    failure TEXT,
    next_try_at BIGINT NOT NULL DEFAULT 0
);


-- ========== Conversations with WorkOS ==========

-- Where catching up from the Events API stands, one row for each environment; webhooks never move it. One puller at a time:
-- the lease's token grows with each claim, and every later write names it.
CREATE TABLE catch_ups (
    environment TEXT NOT NULL PRIMARY KEY,
    cursor TEXT,
    cursor_at BIGINT,
    drained BOOLEAN NOT NULL,
    polled_at BIGINT,
    caught_up_at BIGINT,
    last_error TEXT,
    lease_owner TEXT,
    lease_token BIGINT NOT NULL,
    lease_until BIGINT,
    failures BIGINT NOT NULL DEFAULT 0,
    failing_since BIGINT
);

-- A comparison of one directory with WorkOS's own listing. `progress` (JSON) is its checkpoint.
CREATE TABLE reconciles (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    apply BOOLEAN NOT NULL,
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    progress TEXT NOT NULL,
    reason TEXT,
    actor TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    lease_owner TEXT,
    lease_token BIGINT NOT NULL,
    lease_until BIGINT
);
CREATE INDEX reconciles_directory ON reconciles (directory_id, started_at);
-- Whether a comparison has gone on is looked up with the pulse of the pages.
CREATE INDEX reconciles_running ON reconciles (lease_until) WHERE state = 'running';
CREATE INDEX reconciles_finished ON reconciles (finished_at);
-- Which directories cannot be compared is read with the overview.
CREATE INDEX reconciles_incomplete ON reconciles (started_at) WHERE state = 'incomplete';

-- What the listing named: users, groups, edges, page tokens. Deleted when the comparison is over.
CREATE TABLE reconcile_seen (
    reconcile_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (reconcile_id, kind, id)
);

-- What differs, and the event that would mend it.
CREATE TABLE drift_items (
    reconcile_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    event_id TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (reconcile_id, kind, subject)
);

-- How far the returns of people were read whose memberships are asked for at WorkOS (R77).
CREATE TABLE membership_refetches (
    name TEXT NOT NULL PRIMARY KEY,
    change_id BIGINT NOT NULL
);

-- Directory users whom WorkOS is asked about, because it said two different things in one instant (R96).
CREATE TABLE user_refetches (
    directory_user_id TEXT NOT NULL PRIMARY KEY,
    directory_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX user_refetches_due ON user_refetches (due_at);


-- ========== Operations ==========

-- Long work in steps: what, how far, by whom. `cursor` is where the next step begins; `lease_token` grows with each claim
-- (R73).
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT,
    state TEXT NOT NULL,
    payload TEXT NOT NULL,
    cursor TEXT NOT NULL,
    result TEXT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    available_at BIGINT NOT NULL,
    started_at BIGINT,
    updated_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_by TEXT,
    lease_owner TEXT,
    lease_token BIGINT NOT NULL,
    lease_until BIGINT
);
CREATE INDEX jobs_open ON jobs (updated_at, id) WHERE state IN ('ready', 'running');
CREATE INDEX jobs_created ON jobs (created_at, id);

-- API tokens: only the SHA-256 of a token is kept. `sensitive`: the holder sees fields that a mapping calls sensitive;
-- admins always do.
CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    organization_id TEXT,
    digest TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    sensitive BOOLEAN NOT NULL DEFAULT FALSE
);

-- Who is signed in to the console: a session is known by the SHA-256 of what its browser keeps, so that reading this
-- table signs nobody in. Signing out deletes the row.
CREATE TABLE console_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token_digest TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX console_sessions_token ON console_sessions (token_digest, created_at);
CREATE INDEX console_sessions_ends ON console_sessions (ends_at);

-- What operators did, under the name of their token or "cli".
CREATE TABLE operator_acts (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    target TEXT NOT NULL,
    organization_id TEXT,
    detail TEXT
);
CREATE INDEX operator_acts_target ON operator_acts (target, id);
CREATE INDEX operator_acts_actor ON operator_acts (actor, id);
CREATE INDEX operator_acts_act ON operator_acts (act, id);
CREATE INDEX operator_acts_organization ON operator_acts (organization_id, id);

-- Keys that the installation made up for itself.
CREATE TABLE kept_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- The key that encrypts the cursors of lists: random, and the same for every process that serves this database.
INSERT INTO kept_secrets (name, value, created_at)
SELECT 'cursor', gen_random_uuid()::text || gen_random_uuid()::text, (extract(epoch FROM now()) * 1000000)::bigint;

-- Who is working on this database; a row without `stopped_at` and an old heartbeat is an unclean stop.
CREATE TABLE processes (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL,
    stopped_at BIGINT
);

-- What is done from time to time, when it was last done, and what came of it.
CREATE TABLE chores (
    name TEXT NOT NULL PRIMARY KEY,
    ran_at BIGINT NOT NULL,
    told TEXT NOT NULL
);

-- What this database says of itself, in one row: an id, a mark that only grows while anybody works on it, and (PostgreSQL)
-- the server and the timeline it was last seen on. A restored back-up is recognized by it.
CREATE TABLE installation (
    one INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    mark BIGINT NOT NULL,
    marked_at BIGINT NOT NULL,
    server TEXT,
    timeline TEXT
);

-- Restored back-ups. Messages to people that were due by `until` may have been sent by the database that is lost.
CREATE TABLE restores (
    id TEXT NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL,
    since BIGINT,
    reason TEXT NOT NULL,
    noted_by TEXT NOT NULL
);
CREATE INDEX restores_until ON restores (until);
