ALTER TABLE organizations DROP COLUMN deletion_decision;
ALTER TABLE organizations DROP COLUMN deleted_at;
DROP TABLE suspensions;
DROP INDEX outbox_removals;
