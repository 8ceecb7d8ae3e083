DROP INDEX communities_orphaned;
DROP INDEX memberships_ended;
DROP INDEX memberships_open;
DROP INDEX memberships_seats;
DROP INDEX outbox_settled;
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;
DROP INDEX operator_acts_organization;
DROP INDEX operator_acts_act;
DROP INDEX operator_acts_actor;
