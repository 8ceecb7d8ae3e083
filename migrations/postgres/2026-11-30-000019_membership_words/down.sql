DROP TABLE user_refetches;
DROP INDEX groups_renamed;
ALTER TABLE groups DROP COLUMN renamed;
DROP INDEX links_provider;
ALTER TABLE group_edges DROP COLUMN idp_id;
