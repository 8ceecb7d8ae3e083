-- What the worker asks for in every batch, or walks through some hundreds at a time, is found by an index.

-- A directory's people are walked by their ids. When each was last heard of is asked of nobody, and moved
-- their entry with every event.
DROP INDEX links_directory;
CREATE INDEX links_of_directory ON links (directory_id, directory_user_id);

-- How many memberships rules ended within the hour (R53), and which leaves of somebody wait.
CREATE INDEX memberships_left ON memberships (organization_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX staged_leaves_profile ON staged_leaves (profile_id);
