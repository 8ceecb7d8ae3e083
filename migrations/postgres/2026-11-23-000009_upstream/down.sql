DROP TABLE setup_links;
DROP TABLE membership_refetches;
DROP TABLE drift_items;
DROP TABLE reconcile_seen;
DROP TABLE reconciles;
DROP TABLE catch_ups;
DROP TABLE event_gaps;
