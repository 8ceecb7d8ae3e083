-- Where messages go: one row for each mail server, Slack channel or web address. A destination that
-- refuses is stopped (stopped_at, reason) until an operator resumes it; not_before paces it.
CREATE TABLE destinations (
    id TEXT NOT NULL PRIMARY KEY,
    channel TEXT NOT NULL,
    shown TEXT NOT NULL,
    not_before INTEGER NOT NULL DEFAULT 0,
    stopped_at INTEGER,
    reason TEXT,
    resumed_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

-- destination: where it goes; a changed trigger may move it. planned_at: its first due time, by which
-- webhooks about one person are kept in order. detail: what a webhook tells beside the profile (JSON).
ALTER TABLE deliveries ADD COLUMN destination TEXT NOT NULL DEFAULT 'unplaced';
ALTER TABLE deliveries ADD COLUMN planned_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN detail TEXT;
UPDATE deliveries SET planned_at = due_at;
CREATE INDEX deliveries_waiting ON deliveries (destination, due_at, id) WHERE state = 'due';
CREATE INDEX deliveries_in_flight ON deliveries (destination) WHERE state IN ('claimed', 'attempting');
CREATE INDEX deliveries_destination ON deliveries (destination, planned_at, id);

-- What waits from before is placed when it is looked at.
INSERT INTO destinations (id, channel, shown, created_at) VALUES ('unplaced', 'webhook', 'not placed yet', 0);
