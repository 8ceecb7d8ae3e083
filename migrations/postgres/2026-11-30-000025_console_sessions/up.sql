-- Who is signed in to the console: a session is known here by the SHA-256 of what its browser keeps, so that
-- reading this table (a backup, a replica) signs nobody in. Signing out deletes the row.
CREATE TABLE console_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token_digest TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX console_sessions_token ON console_sessions (token_digest, created_at);
CREATE INDEX console_sessions_ends ON console_sessions (ends_at);
