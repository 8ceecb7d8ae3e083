-- The directory user that a membership was given for, where it differs from whom the profile was made
-- for: two people can be taken for one for a while, and what was one's is not the other's (R31).
ALTER TABLE memberships ADD COLUMN given_for TEXT;
