-- How often in a row catching up has failed, and since when: a failure that repeats is shown (R93).
ALTER TABLE catch_ups ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE catch_ups ADD COLUMN failing_since BIGINT;

-- When the set-up link that was opened last was revoked.
ALTER TABLE setup_links ADD COLUMN revoked_at BIGINT;

-- An event id that came again with other content: the digests of both, never the content.
CREATE TABLE event_repeats (
    event_id TEXT NOT NULL PRIMARY KEY,
    first_digest TEXT NOT NULL,
    other_digest TEXT NOT NULL,
    times BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

-- Requests that look like deliveries to a path that takes none; as many paths as the code says at most.
CREATE TABLE webhook_wrong_paths (
    path TEXT NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);

-- Which directories cannot be compared is read for every look at the overview.
CREATE INDEX reconciles_incomplete ON reconciles (started_at) WHERE state = 'incomplete';
