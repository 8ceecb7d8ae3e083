DROP INDEX outbox_unsettled;
UPDATE outbox SET state = 'parked' WHERE state = 'failed';
CREATE INDEX outbox_unsettled ON outbox (state, id) WHERE state IN ('parked', 'held');
ALTER TABLE organizations RENAME COLUMN messaging_enabled_at TO armed_at;
