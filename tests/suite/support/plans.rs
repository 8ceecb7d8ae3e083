//! The statements that Diesel really ran, recorded by its own instrumentation, and the plan that the
//! database makes for each. Nothing here is a copy of a statement of the application.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use diesel::connection::{
    Instrumentation, InstrumentationEvent, SimpleConnection as _, set_default_instrumentation,
};
use diesel::sql_types::Text;
use diesel::{QueryableByName, RunQueryDsl, sql_query};

use super::place::{Place, Stranger};

/// Statements by the address of the database they ran on.
static RAN: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Recorder {
    place: String,
}

impl Instrumentation for Recorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => {
                url.clone_into(&mut self.place)
            }
            InstrumentationEvent::StartQuery { query, .. } => {
                let told = query.to_string();
                let sql = told
                    .rsplit_once(" -- binds: ")
                    .map_or(told.as_str(), |(sql, _)| sql);
                let mut ran = RAN.lock().unwrap_or_else(PoisonError::into_inner);
                ran.entry(self.place.clone())
                    .or_default()
                    .insert(sql.trim().to_owned());
            }
            _ => {}
        }
    }
}

/// From now on every new connection is listened to.
pub fn record() {
    set_default_instrumentation(|| Some(Box::new(Recorder::default()))).unwrap();
}

/// What ran on the database at that address, lists of values cut to one.
pub fn ran_on(url: &str) -> BTreeSet<String> {
    let place = url.strip_prefix("sqlite://").unwrap_or(url);
    let ran = RAN.lock().unwrap_or_else(PoisonError::into_inner);
    // A connection's own URL has parameters behind those that were asked for.
    let all: BTreeSet<String> = ran
        .iter()
        .filter(|(at, _)| at.starts_with(place))
        .flat_map(|(_, statements)| statements.iter().cloned())
        .collect();
    assert!(!all.is_empty(), "nothing ran on {place}");
    all.iter()
        .filter(|sql| {
            ["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"]
                .iter()
                .any(|verb| sql.starts_with(verb))
        })
        .map(|sql| one_value(sql))
        .collect()
}

/// The plan of a statement that ran and has all of these words.
pub fn plan_of(place: &Place, words: &[&str]) -> String {
    let all = ran_on(&place.url());
    let sql = all
        .iter()
        .find(|sql| words.iter().all(|word| sql.contains(word)))
        .unwrap_or_else(|| panic!("nothing ran with {words:?}"));
    place.stranger().plan(sql).join("\n")
}

/// `IN (?, ?, ?)` as `IN (?)`: SQLite's lists are as long as what is looked for.
fn one_value(sql: &str) -> String {
    let mut sql = sql.to_owned();
    while sql.contains("?, ?") && sql.contains(" IN (?, ?") {
        sql = sql.replace(" IN (?, ?", " IN (?");
    }
    sql
}

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

impl Stranger {
    /// Lets PostgreSQL plan as if these tables held a million rows each: of an empty one it walks whatever
    /// index comes first.
    pub fn believes_in_millions(&mut self, tables: &[&str]) {
        if let Self::Postgres(_) = self {
            let names: Vec<String> = tables.iter().map(|name| format!("'{name}'")).collect();
            self.run(&format!(
                "UPDATE pg_class SET reltuples = 1000000, relpages = 1 WHERE relname IN ({})",
                names.join(", ")
            ));
        }
    }

    /// The plan of a statement, whatever its values.
    pub fn plan(&mut self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(conn) => {
                let steps: Vec<Step> = sql_query(format!("EXPLAIN QUERY PLAN {sql}"))
                    .load(conn)
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                steps.into_iter().map(|step| step.detail).collect()
            }
            Self::Postgres(conn) => {
                // A generic plan, and the dearest price on walking a table: where it is walked all the
                // same, there is no other way.
                conn.batch_execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan; DEALLOCATE ALL")
                    .unwrap();
                conn.batch_execute(&format!("PREPARE looked_at AS {sql}"))
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                let count = (1..100)
                    .take_while(|nth| sql.contains(&format!("${nth}")))
                    .count();
                let values = vec!["NULL"; count].join(", ");
                let values = if count > 0 {
                    format!("({values})")
                } else {
                    values
                };
                let lines: Vec<Line> = sql_query(format!("EXPLAIN EXECUTE looked_at{values}"))
                    .load(conn)
                    .unwrap_or_else(|error| panic!("{sql}: {error}"));
                lines.into_iter().map(|line| line.line).collect()
            }
        }
    }
}
