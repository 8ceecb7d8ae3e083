-- Events that catching up found and no webhook had brought. `webhook_at` is when one came after all.
CREATE TABLE event_gaps (
    event_id TEXT NOT NULL PRIMARY KEY,
    event_type TEXT NOT NULL,
    organization_id TEXT,
    directory_id TEXT,
    occurred_at INTEGER NOT NULL,
    found_at INTEGER NOT NULL,
    webhook_at INTEGER
) STRICT;
CREATE INDEX event_gaps_time ON event_gaps (occurred_at, event_id);

-- Where catching up from the Events API stands, one row an environment; webhooks never move it.
-- One puller at a time: the lease's token grows with each claim and every later word names it.
CREATE TABLE catch_ups (
    environment TEXT NOT NULL PRIMARY KEY,
    cursor TEXT,
    cursor_at INTEGER,
    drained INTEGER NOT NULL,
    polled_at INTEGER,
    caught_up_at INTEGER,
    last_error TEXT,
    lease_owner TEXT,
    lease_token INTEGER NOT NULL,
    lease_until INTEGER
) STRICT;

-- A comparison of one directory with WorkOS's own listing. `progress` is its checkpoint, JSON.
CREATE TABLE reconciles (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    directory_id TEXT NOT NULL,
    apply INTEGER NOT NULL,
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    progress TEXT NOT NULL,
    reason TEXT,
    actor TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    lease_owner TEXT,
    lease_token INTEGER NOT NULL,
    lease_until INTEGER
) STRICT;
CREATE INDEX reconciles_directory ON reconciles (directory_id, started_at);

-- What the listing named: users, groups, edges, page tokens. Gone when the comparison is over.
CREATE TABLE reconcile_seen (
    reconcile_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (reconcile_id, kind, id)
) STRICT;

-- What differs, and the event that would mend it.
CREATE TABLE drift_items (
    reconcile_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    fields TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    event_id TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (reconcile_id, kind, subject)
) STRICT;

-- How far the returns of people were read whose memberships are asked for at WorkOS (R77).
CREATE TABLE membership_refetches (
    name TEXT NOT NULL PRIMARY KEY,
    change_id INTEGER NOT NULL
) STRICT;

-- Set-up links that were opened, never the links themselves: they live five minutes and let anybody in.
CREATE TABLE setup_links (
    organization_id TEXT NOT NULL PRIMARY KEY,
    opened_at INTEGER NOT NULL,
    opened_by TEXT NOT NULL
) STRICT;
