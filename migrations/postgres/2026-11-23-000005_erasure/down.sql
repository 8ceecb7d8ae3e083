DROP INDEX hold_items_event;
DROP INDEX deliveries_texts;
DROP TABLE chores;
DROP TABLE legal_holds;
DROP TABLE erasures;
