ALTER TABLE organizations RENAME COLUMN armed_at TO messaging_enabled_at;
DROP INDEX outbox_unsettled;
UPDATE outbox SET state = 'failed' WHERE state = 'parked';
CREATE INDEX outbox_unsettled ON outbox (state, id) WHERE state IN ('failed', 'held');
