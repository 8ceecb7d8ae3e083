-- What waits for a person to decide about a directory user, as JSON: kind, over, candidates (R20, R25, R32).
ALTER TABLE links ADD COLUMN question TEXT;
CREATE INDEX links_question ON links (organization_id, last_at, directory_user_id) WHERE question IS NOT NULL;
UPDATE links SET question = json_object(
    'kind', 'conflict',
    'over', json_extract(remembered, '$.contest.over'),
    'candidates', json_extract(remembered, '$.contest.candidates')
) WHERE state = 'conflict';

-- What operators decided: two directory users are the same person, or they are not. Every fold reads it.
CREATE TABLE identity_decisions (
    directory_user_id TEXT NOT NULL,
    other_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    same INTEGER NOT NULL,
    decided_by TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    PRIMARY KEY (directory_user_id, other_id)
) STRICT;
CREATE INDEX identity_decisions_organization ON identity_decisions (organization_id);

-- Who changed identity by which event: another provider's id, or an address in another domain (R42).
CREATE TABLE identity_swaps (
    event_id TEXT NOT NULL,
    profile_id TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (event_id, profile_id)
) STRICT;
CREATE INDEX identity_swaps_recent ON identity_swaps (organization_id, received_at);
