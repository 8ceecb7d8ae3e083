-- The provider's id of a user whom a membership event gives no id of WorkOS's (R95), and the look-up of
-- who has it.
ALTER TABLE group_edges ADD COLUMN idp_id TEXT;
CREATE INDEX links_provider ON links (directory_id, idp_id);

-- Groups that had another name before: whoever takes that name takes the rules for it (R52), so that the
-- groups that had it have to be found.
ALTER TABLE groups ADD COLUMN renamed INTEGER NOT NULL DEFAULT 0 CHECK (renamed IN (0, 1));
UPDATE groups SET renamed = 1 WHERE json_array_length(remembered, '$.names') > 1;
CREATE INDEX groups_renamed ON groups (directory_id) WHERE renamed;

-- Directory users whom WorkOS is asked about, because it said in one instant that they work and that they
-- do not (R96).
CREATE TABLE user_refetches (
    directory_user_id TEXT NOT NULL PRIMARY KEY,
    directory_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX user_refetches_due ON user_refetches (due_at);
