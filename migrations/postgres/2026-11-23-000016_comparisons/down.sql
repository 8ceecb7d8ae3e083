DROP INDEX reconciles_finished;
DROP INDEX reconciles_running;
