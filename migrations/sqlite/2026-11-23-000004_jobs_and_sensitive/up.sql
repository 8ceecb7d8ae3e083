-- Long work in steps: what, how far, by whom. `cursor` is where the next step begins, `lease_token`
-- grows with each claim; a step of a job that needs no network leaves no lease behind (R73).
CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    organization_id TEXT,
    state TEXT NOT NULL,
    payload TEXT NOT NULL,
    cursor TEXT NOT NULL,
    result TEXT NOT NULL,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    available_at INTEGER NOT NULL,
    started_at INTEGER,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER,
    ended_by TEXT,
    lease_owner TEXT,
    lease_token INTEGER NOT NULL,
    lease_until INTEGER
) STRICT;
CREATE INDEX jobs_open ON jobs (updated_at, id) WHERE state IN ('ready', 'running');
CREATE INDEX jobs_created ON jobs (created_at, id);

-- Whether the holder sees fields that an organization's mapping calls sensitive; admins always do.
ALTER TABLE tokens ADD COLUMN sensitive INTEGER NOT NULL DEFAULT 0;
