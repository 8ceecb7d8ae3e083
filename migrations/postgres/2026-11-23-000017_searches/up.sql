-- A text is looked for in an index and not in people's wide rows: it keeps the first 600 characters of what is
-- searched, since PostgreSQL takes no more than 2,704 bytes into an entry.
UPDATE profiles SET search = substr(search, 1, 600) WHERE length(search) > 600;
DROP INDEX profiles_status;
CREATE INDEX profiles_status ON profiles (status, first_seen_at, id, organization_id, search);

-- The messages of one trigger, newest first.
CREATE INDEX deliveries_of_trigger ON deliveries (trigger_id, created_at, id);

-- How many directory users of each state a directory has.
CREATE INDEX links_states ON links (directory_id, state);

-- One organization's events by type, and those with an error: neither is rare in the other.
CREATE INDEX outbox_organization_type ON outbox (organization_id, event_type, id);
CREATE INDEX outbox_organization_error ON outbox (organization_id, id) WHERE error IS NOT NULL;
