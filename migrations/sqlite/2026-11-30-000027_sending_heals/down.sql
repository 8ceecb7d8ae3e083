DROP INDEX deliveries_shares;
DROP INDEX deliveries_waiting;
ALTER TABLE deliveries DROP COLUMN lane;
CREATE INDEX deliveries_waiting ON deliveries (destination, due_at, id) WHERE state = 'due';
ALTER TABLE destinations DROP COLUMN failures;
ALTER TABLE destinations DROP COLUMN failing_since;
ALTER TABLE destinations DROP COLUMN failed_at;
ALTER TABLE destinations DROP COLUMN failure;
ALTER TABLE destinations DROP COLUMN next_try_at;
