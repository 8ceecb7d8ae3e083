DROP INDEX staged_leaves_profile;
DROP INDEX memberships_left;
DROP INDEX links_of_directory;
CREATE INDEX links_directory ON links (directory_id, last_at);
