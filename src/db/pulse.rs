//! Whether anything was written since somebody looked: the ends of a few indexes, read in one
//! statement that costs the same with ten events as with a million. Two equal pulses say that no
//! event came or was settled, nobody changed, no message was tried, no job or comparison went on and
//! nobody acted in between.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable};

use super::Conn;

/// The ends of what grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, QueryableByName)]
pub struct Pulse {
    #[diesel(sql_type = Nullable<BigInt>)]
    arrived: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    settled: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    attempts: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    changes: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    acts: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    tried: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    due: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    begun: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    stepped: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    compared: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    concluded: Option<i64>,
}

impl Pulse {
    /// As numbers, for a digest.
    pub fn figures(&self) -> [Option<i64>; 11] {
        [
            self.arrived,
            self.settled,
            self.attempts,
            self.changes,
            self.acts,
            self.tried,
            self.due,
            self.begun,
            self.stepped,
            self.compared,
            self.concluded,
        ]
    }
}

/// The pulse now.
pub fn pulse(conn: &mut Conn) -> QueryResult<Pulse> {
    let sql = "SELECT \
         (SELECT max(id) FROM outbox) AS arrived, \
         (SELECT max(settled_at) FROM outbox WHERE settled_at IS NOT NULL) AS settled, \
         (SELECT max(id) FROM event_attempts) AS attempts, \
         (SELECT max(id) FROM changes) AS changes, \
         (SELECT max(id) FROM operator_acts) AS acts, \
         (SELECT max(id) FROM delivery_attempts) AS tried, \
         (SELECT min(due_at) FROM deliveries WHERE state = 'due') AS due, \
         (SELECT max(created_at) FROM jobs) AS begun, \
         (SELECT max(updated_at) FROM jobs WHERE state IN ('ready', 'running')) AS stepped, \
         (SELECT max(lease_until) FROM reconciles WHERE state = 'running') AS compared, \
         (SELECT max(finished_at) FROM reconciles) AS concluded";
    super::on_backend!(conn, c => diesel::sql_query(sql).get_result(c))
}
