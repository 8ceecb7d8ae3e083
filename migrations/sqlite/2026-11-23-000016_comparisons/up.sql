-- Whether a comparison has gone on is looked up with the pulse of the pages: by the ends of indexes, however
-- many comparisons are kept.
CREATE INDEX reconciles_running ON reconciles (lease_until) WHERE state = 'running';
CREATE INDEX reconciles_finished ON reconciles (finished_at);
