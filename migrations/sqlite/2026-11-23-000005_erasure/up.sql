-- Who was erased (R65): keyed hashes of directory users and providers' ids, never the ids themselves,
-- so that a late or replayed event brings nobody back. `ended_at` is null while the directory still
-- lists them; a word of theirs is only heard again when it is newer.
CREATE TABLE erasures (
    key TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    of_user INTEGER NOT NULL,
    erased_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (key, profile_id)
) STRICT;
CREATE INDEX erasures_profile ON erasures (profile_id);

-- People whose data must be kept for a dispute: neither erased nor purged until released.
CREATE TABLE legal_holds (
    profile_id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL
) STRICT;

-- What is done from time to time, when it was last done, and what came of it.
CREATE TABLE chores (
    name TEXT NOT NULL PRIMARY KEY,
    ran_at INTEGER NOT NULL,
    told TEXT NOT NULL
) STRICT;

-- The retention looks for settled messages that still have a text.
CREATE INDEX deliveries_texts ON deliveries (settled_at) WHERE body IS NOT NULL AND settled_at IS NOT NULL;

-- Whether an event waits in a hold, or was taken back, is asked for every event about a person.
CREATE INDEX hold_items_event ON hold_items (event_id);
