DROP TABLE identity_swaps;
DROP TABLE identity_decisions;
DROP INDEX links_question;
ALTER TABLE links DROP COLUMN question;
