-- What this database says of itself, in one row: an id of its own, a mark that only grows while anybody works
-- on it, and (PostgreSQL) the server and the timeline it was last seen on. Compared with what is known outside
-- of it, so that a restored back-up is recognized.
CREATE TABLE installation (
    one INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    mark INTEGER NOT NULL,
    marked_at INTEGER NOT NULL,
    server TEXT,
    timeline TEXT
) STRICT;
-- Restored back-ups. Messages to people that were due by `until` may have been sent by the database that is lost.
CREATE TABLE restores (
    id TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL,
    since INTEGER,
    reason TEXT NOT NULL,
    noted_by TEXT NOT NULL
) STRICT;
CREATE INDEX restores_until ON restores (until);
