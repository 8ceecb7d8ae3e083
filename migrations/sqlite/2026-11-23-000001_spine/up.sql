-- The first schema. Times are microseconds since the epoch (UTC), JSON is text, on both databases.
-- The companies. `id` is WorkOS's; settings are one JSON object, read whole.
CREATE TABLE organizations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT,
    armed_at INTEGER,
    settings TEXT NOT NULL DEFAULT '{}',
    first_seen_at INTEGER NOT NULL
) STRICT;

-- `timeline` is the JSON list of what was said of the directory's life, by order key (R36, R66).
CREATE TABLE directories (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_type TEXT,
    name TEXT,
    state TEXT NOT NULL,
    timeline TEXT NOT NULL DEFAULT '[]',
    first_seen_at INTEGER NOT NULL,
    last_event_at INTEGER NOT NULL
) STRICT;
CREATE INDEX directories_organization ON directories (organization_id);

-- The person in an organization, as shown. `remembered` is what the pure roll keeps for itself.
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
    first_seen_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    removed_at INTEGER,
    removed_reason TEXT
) STRICT;
CREATE INDEX profiles_people ON profiles (organization_id, status, first_seen_at, id);
CREATE INDEX profiles_status ON profiles (status, first_seen_at, id);
CREATE INDEX profiles_email ON profiles (organization_id, email_key);

-- One WorkOS directory user; `profile_id` is null while a person has to decide (R25).
CREATE TABLE links (
    directory_user_id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    idp_id TEXT,
    profile_id TEXT,
    state TEXT NOT NULL,
    remembered TEXT NOT NULL,
    last_at INTEGER NOT NULL,
    last_removal INTEGER NOT NULL,
    last_event_id TEXT NOT NULL
) STRICT;
CREATE INDEX links_profile ON links (profile_id);
CREATE INDEX links_directory ON links (directory_id, last_at);

-- What makes two links meet: same idp id, employee number or e-mail, ever said, in one organization.
CREATE TABLE link_keys (
    organization_id TEXT NOT NULL,
    key TEXT NOT NULL,
    directory_user_id TEXT NOT NULL,
    PRIMARY KEY (organization_id, key, directory_user_id)
) STRICT;
CREATE INDEX link_keys_link ON link_keys (directory_user_id);

-- What one event said of one directory user. Folding a person's statements by order key gives the
-- person, whatever the road they came by (R14); they are only read when an older one arrives.
CREATE TABLE statements (
    event_id TEXT NOT NULL PRIMARY KEY,
    directory_user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    removal INTEGER NOT NULL,
    said TEXT NOT NULL
) STRICT;
CREATE INDEX statements_link ON statements (directory_user_id);

CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    idp_id TEXT,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    remembered TEXT NOT NULL
) STRICT;
CREATE INDEX groups_organization ON groups (organization_id);
CREATE INDEX groups_directory ON groups (directory_id);

-- Who is in which group, with the order key of the event that last spoke of the pair (R15).
CREATE TABLE group_edges (
    group_id TEXT NOT NULL,
    directory_user_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    present INTEGER NOT NULL,
    at INTEGER NOT NULL,
    removal INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    recorded_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, directory_user_id)
) STRICT;
CREATE INDEX group_edges_link ON group_edges (directory_user_id);

CREATE TABLE communities (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    rules TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    orphaned_at INTEGER,
    UNIQUE (organization_id, name)
) STRICT;

-- A row of a community's roll. Ended rows stay: they are the snapshot a return restores (R29, R31).
CREATE TABLE memberships (
    community_id TEXT NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL,
    source TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    role TEXT NOT NULL,
    former_role TEXT,
    granted_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_reason TEXT,
    PRIMARY KEY (community_id, profile_id, source)
) STRICT;
CREATE INDEX memberships_profile ON memberships (profile_id);

-- The audit: one field or membership change, append-only (R49).
CREATE TABLE changes (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    organization_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    what TEXT NOT NULL,
    name TEXT NOT NULL,
    old TEXT,
    new TEXT,
    event_id TEXT,
    directory_id TEXT,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    removal INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX changes_profile ON changes (profile_id, id);
CREATE INDEX changes_event ON changes (event_id);
CREATE INDEX changes_removed ON changes (organization_id, recorded_at) WHERE what = 'status' AND new = 'removed';

-- A batch of removals that waits for an operator: approve or reject (R36, R40).
CREATE TABLE holds (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    directory_id TEXT,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    decided_at INTEGER,
    decided_by TEXT
) STRICT;
CREATE INDEX holds_organization ON holds (organization_id, state, opened_at);

-- Whom a hold is about; `applied` ones were removed before it tripped (R40).
CREATE TABLE hold_items (
    hold_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    applied INTEGER NOT NULL,
    held_at INTEGER NOT NULL,
    PRIMARY KEY (hold_id, event_id, profile_id)
) STRICT;
CREATE INDEX hold_items_profile ON hold_items (profile_id);

-- The queue row of an event: narrow, because settling rewrites it.
CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
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
    available_at INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;
-- The claim reads only this index: flat, however many settled rows lie behind it (removals are lane 0, R67).
CREATE INDEX outbox_ready ON outbox (lane, id) WHERE state = 'ready';
CREATE INDEX outbox_unsettled ON outbox (state, id) WHERE state IN ('parked', 'held');
CREATE INDEX outbox_subject ON outbox (subject, id);
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;

-- The body as it came, never updated; gone after the retention while the queue row stays (R72).
CREATE TABLE event_bodies (
    event_id TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    received_at INTEGER NOT NULL
) STRICT;
CREATE INDEX event_bodies_received ON event_bodies (received_at);

-- Attempts worth telling: failures, replays, discards. A first success leaves no row.
CREATE TABLE event_attempts (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    detail TEXT,
    actor TEXT
) STRICT;
CREATE INDEX event_attempts_event ON event_attempts (event_id, id);

CREATE TABLE triggers (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    status TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (organization_id, name)
) STRICT;

-- `key` makes a message unique: (profile, trigger, step, employment period) (R63).
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
    due_at INTEGER NOT NULL,
    lease_owner TEXT,
    lease_token INTEGER NOT NULL DEFAULT 0,
    lease_until INTEGER,
    created_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;
CREATE INDEX deliveries_due ON deliveries (due_at, id) WHERE state = 'due';
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state IN ('claimed', 'attempting');
CREATE INDEX deliveries_profile ON deliveries (profile_id);
CREATE INDEX deliveries_event ON deliveries (event_id);
CREATE INDEX deliveries_state ON deliveries (state, created_at, id);

CREATE TABLE delivery_attempts (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    delivery_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT
) STRICT;
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (delivery_id, id);

-- API tokens: only the SHA-256 of the token is kept.
CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    organization_id TEXT,
    digest TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

-- Keys that the installation made up for itself, such as the one that signs outgoing webhooks.
CREATE TABLE kept_secrets (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What operators did, under the name of their token or "cli".
CREATE TABLE operator_acts (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    target TEXT NOT NULL,
    organization_id TEXT,
    detail TEXT
) STRICT;
CREATE INDEX operator_acts_target ON operator_acts (target, id);

-- Who is working on this database; a row without `stopped_at` and an old heartbeat is an unclean stop.
CREATE TABLE processes (
    id TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    version TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    stopped_at INTEGER
) STRICT;
