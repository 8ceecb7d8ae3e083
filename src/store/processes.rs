//! Who is working on this database: a heartbeat a process, and whether one stopped without saying so.

use std::time::Duration;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::processes;
use crate::db::{Conn, on_backend};

/// A heartbeat older than this is no life.
pub const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Announces a process. `role` is `serve`, `serve --no-worker` or `work`; `id` begins with `host:pid:`.
pub fn begin(conn: &mut Conn, id: &str, role: &str, now: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(processes::table)
        .values((
            processes::id.eq(id),
            processes::role.eq(role),
            processes::version.eq(env!("CARGO_PKG_VERSION")),
            processes::started_at.eq(now),
            processes::heartbeat_at.eq(now),
        ))
        .execute(c))?;
    Ok(())
}

/// Shows that a process lives. One that slept (a stopped process, a closed laptop, a paused machine) may have
/// been taken for dead and swept away meanwhile: it announces itself again.
pub fn beat(conn: &mut Conn, id: &str, role: &str, now: Timestamp) -> QueryResult<()> {
    let known = on_backend!(conn, c => diesel::update(processes::table.find(id)).set(processes::heartbeat_at.eq(now)).execute(c))?;
    if known == 0 {
        begin(conn, id, role, now)?;
        tracing::warn!("this process had been taken for dead; it has announced itself again");
    }
    Ok(())
}

/// A clean stop: the row goes.
pub fn end(conn: &mut Conn, id: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(processes::table.find(id)).execute(c))?;
    Ok(())
}

/// Removes the rows of processes that are gone without a clean stop; answers how many there were.
/// `is_gone` says of an id whether this machine knows that the process does not live any more.
pub fn sweep(
    conn: &mut Conn,
    now: Timestamp,
    is_gone: &dyn Fn(&str) -> bool,
) -> QueryResult<usize> {
    let all: Vec<(String, Timestamp)> = on_backend!(conn, c => processes::table.select((processes::id, processes::heartbeat_at)).load(c))?;
    let silent = now.minus(SILENT_AFTER);
    let gone: Vec<String> = all
        .into_iter()
        .filter(|(id, beat)| *beat < silent || is_gone(id))
        .map(|(id, _)| id)
        .collect();
    on_backend!(conn, c => diesel::delete(processes::table.filter(processes::id.eq_any(&gone))).execute(c))
}

/// Whether a worker of any process lives.
pub fn somebody_works(conn: &mut Conn, now: Timestamp) -> QueryResult<bool> {
    let beat = last_worker_heartbeat(conn)?;
    Ok(beat.is_some_and(|beat| now.since(beat) < SILENT_AFTER))
}

/// When a worker of any process last showed that it lives.
pub fn last_worker_heartbeat(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    on_backend!(conn, c => processes::table
        .filter(processes::role.eq_any(["serve", "work"]))
        .order(processes::heartbeat_at.desc())
        .select(processes::heartbeat_at)
        .first(c)
        .optional())
}
