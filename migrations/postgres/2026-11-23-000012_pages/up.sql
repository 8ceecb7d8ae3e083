-- What the console lists and counts on every look is found by an index, never by walking a table.

CREATE INDEX operator_acts_actor ON operator_acts (actor, id);
CREATE INDEX operator_acts_act ON operator_acts (act, id);
CREATE INDEX operator_acts_organization ON operator_acts (organization_id, id);

-- The last hour's outcomes, and how long removals took, are read off the index alone.
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (settled_at, received_at, lane, outcome) WHERE settled_at IS NOT NULL;

CREATE INDEX memberships_seats ON memberships (organization_id) WHERE former_role IS NOT NULL AND ended_at IS NULL;
CREATE INDEX memberships_open ON memberships (community_id, role, granted_at, profile_id) WHERE ended_at IS NULL;
CREATE INDEX memberships_ended ON memberships (community_id, ended_at, profile_id) WHERE ended_at IS NOT NULL;
CREATE INDEX communities_orphaned ON communities (orphaned_at) WHERE orphaned_at IS NOT NULL;
