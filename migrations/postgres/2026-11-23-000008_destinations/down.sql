DROP INDEX deliveries_destination;
DROP INDEX deliveries_in_flight;
DROP INDEX deliveries_waiting;
ALTER TABLE deliveries DROP COLUMN detail;
ALTER TABLE deliveries DROP COLUMN planned_at;
ALTER TABLE deliveries DROP COLUMN destination;
DROP TABLE destinations;
