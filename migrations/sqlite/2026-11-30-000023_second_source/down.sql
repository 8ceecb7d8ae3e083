DROP INDEX reconciles_incomplete;
DROP TABLE webhook_wrong_paths;
DROP TABLE event_repeats;
ALTER TABLE setup_links DROP COLUMN revoked_at;
ALTER TABLE catch_ups DROP COLUMN failing_since;
ALTER TABLE catch_ups DROP COLUMN failures;
