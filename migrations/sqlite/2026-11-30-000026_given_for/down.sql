ALTER TABLE memberships DROP COLUMN given_for;
