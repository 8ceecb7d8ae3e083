-- The key that encrypts the cursors of lists: random, and the same for every process that serves this database.
INSERT INTO kept_secrets (name, value, created_at)
SELECT 'cursor', lower(hex(randomblob(32))), CAST(strftime('%s', 'now') AS INTEGER) * 1000000;
-- A signed webhook is delivered at least once under one id (R63). Those that an older version left without an answer
-- are due again, behind the removals of today.
UPDATE deliveries
SET state = 'due', settled_at = NULL, lane = 1,
    reason = 'no answer came before an upgrade; a webhook is sent again under the same id'
WHERE channel = 'webhook' AND state = 'unknown';
