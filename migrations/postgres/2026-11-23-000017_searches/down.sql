DROP INDEX outbox_organization_error;
DROP INDEX outbox_organization_type;
DROP INDEX links_states;
DROP INDEX deliveries_of_trigger;
DROP INDEX profiles_status;
CREATE INDEX profiles_status ON profiles (status, first_seen_at, id);
