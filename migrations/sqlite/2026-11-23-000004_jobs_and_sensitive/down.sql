ALTER TABLE tokens DROP COLUMN sensitive;
DROP TABLE jobs;
