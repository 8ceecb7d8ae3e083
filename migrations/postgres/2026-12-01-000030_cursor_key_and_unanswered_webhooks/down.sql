-- What was sent again stays sent.
DELETE FROM kept_secrets WHERE name = 'cursor';
