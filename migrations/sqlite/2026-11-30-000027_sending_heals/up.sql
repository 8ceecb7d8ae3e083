-- Who left is told before everything else to the same destination (lane 0, R63), and each organization that
-- waits at a destination is found by one step in an index, however much the others have (R94).
ALTER TABLE deliveries ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
UPDATE deliveries SET lane = 0 WHERE state <> 'sent'
    AND on_event IN ('profile.removed', 'profile.suspended', 'membership.ended');
DROP INDEX deliveries_waiting;
CREATE INDEX deliveries_waiting ON deliveries (destination, lane, due_at, id) WHERE state = 'due';
CREATE INDEX deliveries_shares ON deliveries (destination, lane, organization_id, due_at, id) WHERE state = 'due';

-- What failed at a destination since something was last taken there (R93): attempts in a row, since when,
-- the last one and its reason. A slow one is tried again at next_try_at; who left does not wait for that.
ALTER TABLE destinations ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE destinations ADD COLUMN failing_since INTEGER;
ALTER TABLE destinations ADD COLUMN failed_at INTEGER;
ALTER TABLE destinations ADD COLUMN failure TEXT;
ALTER TABLE destinations ADD COLUMN next_try_at INTEGER NOT NULL DEFAULT 0;
