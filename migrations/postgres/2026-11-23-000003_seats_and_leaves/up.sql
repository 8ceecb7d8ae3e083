-- An admin seat that somebody keeps for an admin who left: of whom, and what they were there before (R39).
ALTER TABLE memberships ADD COLUMN stands_in_for TEXT;
ALTER TABLE memberships ADD COLUMN stood_as TEXT;

-- The deleted group whose members wait in a hold, and when the hold settles by itself (R52).
ALTER TABLE holds ADD COLUMN group_id TEXT;
ALTER TABLE holds ADD COLUMN due_at BIGINT;

-- Rule memberships that a rule no longer gives and that stay until their hold is decided; those of a rejected
-- hold stay until the rule gives them again (R52, R53).
CREATE TABLE staged_leaves (
    community_id TEXT NOT NULL REFERENCES communities (id) ON DELETE CASCADE,
    profile_id TEXT NOT NULL,
    hold_id TEXT NOT NULL,
    held_at BIGINT NOT NULL,
    PRIMARY KEY (community_id, profile_id)
);
CREATE INDEX staged_leaves_hold ON staged_leaves (hold_id);
