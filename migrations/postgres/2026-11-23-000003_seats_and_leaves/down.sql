DROP TABLE staged_leaves;
ALTER TABLE holds DROP COLUMN due_at;
ALTER TABLE holds DROP COLUMN group_id;
ALTER TABLE memberships DROP COLUMN stood_as;
ALTER TABLE memberships DROP COLUMN stands_in_for;
