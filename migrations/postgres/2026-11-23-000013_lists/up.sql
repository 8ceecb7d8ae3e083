-- What lists are filtered by is found by an index, whatever lies behind it: every event filter whose
-- matches may be rare, and the orders in which messages are listed.
CREATE INDEX outbox_type ON outbox (event_type, id);
CREATE INDEX outbox_organization ON outbox (organization_id, id);
CREATE INDEX outbox_directory ON outbox (directory_id, id);
-- Most events are applied or changed nothing: those are found by walking.
CREATE INDEX outbox_outcome ON outbox (outcome, id) WHERE outcome IN ('stale', 'ignored', 'held', 'failed');
CREATE INDEX outbox_ignored ON outbox (id) WHERE state = 'ignored';
CREATE INDEX outbox_error ON outbox (id) WHERE error IS NOT NULL;
CREATE INDEX outbox_failures ON outbox (event_type, state, error, received_at) WHERE error IS NOT NULL;

CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_organization ON deliveries (organization_id, created_at, id);
DROP INDEX deliveries_profile;
CREATE INDEX deliveries_of_profile ON deliveries (profile_id, created_at, id);
CREATE INDEX deliveries_channel ON deliveries (channel, created_at, id);

CREATE INDEX profiles_seen ON profiles (first_seen_at, id);
CREATE INDEX profiles_of_organization ON profiles (organization_id, first_seen_at, id);
CREATE INDEX profiles_department ON profiles (department, first_seen_at, id);

-- Deliveries that the webhook endpoint refused, by reason and hour: what WorkOS shows as failed (R1-R8).
CREATE TABLE webhook_refusals (
    reason TEXT NOT NULL,
    hour BIGINT NOT NULL,
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (reason, hour)
);
