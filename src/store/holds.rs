//! Holds: batches of removals, or of changed identities, that wait for an operator, and whom they
//! are about.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::clock::Timestamp;
use crate::db::schema::{changes, hold_items, holds, links, outbox, profiles};
use crate::db::{Conn, ROWS_PER_STATEMENT, in_parts, on_backend};

pub use super::opened_holds::{of_directory, open, open_or_known, speaks_for_somebody};

/// A hold's row.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = holds, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Hold {
    pub id: String,
    pub organization_id: String,
    pub kind: String,
    pub directory_id: Option<String>,
    pub state: String,
    pub reason: String,
    pub opened_at: Timestamp,
    pub last_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
    pub group_id: Option<String>,
    pub due_at: Option<Timestamp>,
}

/// Somebody a hold is about.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = hold_items, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct HoldItem {
    pub hold_id: String,
    pub event_id: String,
    pub profile_id: String,
    pub applied: bool,
    pub held_at: Timestamp,
}

/// Too many removals within an hour.
pub const REMOVALS: &str = "removals";
/// A directory was deleted.
pub const DIRECTORY_DELETED: &str = "directory_deleted";
/// Too many welcomes due within an hour.
pub const WELCOMES: &str = "welcomes";
/// Too many messages of one trigger due within an hour (R80).
pub const MESSAGES: &str = "messages";
/// Newcomers whose start date cannot be read (R79).
pub const START_DATES: &str = "start_dates";
/// A back-up was restored: what was due before that may have been sent by the database that is lost.
pub const RESTORED: &str = "restored";
/// The kinds in which messages wait; what happened to the people was applied.
pub const OF_MESSAGES: [&str; 4] = [WELCOMES, MESSAGES, START_DATES, RESTORED];
/// Too many people under another provider's id or e-mail domain within an hour (R42).
pub const IDENTITY_SWAP: &str = "identity_swap";
/// Rules would end more memberships within an hour than the guard lets pass.
pub const LEAVES: &str = "leaves";
/// A group was deleted that may only have been renamed.
pub const GROUP_DELETED: &str = "group_deleted";
/// An organization was deleted (R84).
pub const ORGANIZATION_DELETED: &str = "organization_deleted";
/// Waiting for an operator.
pub const OPEN: &str = "open";
/// An operator let it be applied.
pub const APPROVED: &str = "approved";
/// An operator took it back.
pub const REJECTED: &str = "rejected";
/// An operator let it be applied, and took it back later.
pub const UNDONE: &str = "undone";

/// A removal that was applied: who, by which event, and when that was received.
#[derive(Debug, Clone)]
pub struct Removal {
    /// Whose.
    pub profile_id: String,
    /// By which event.
    pub event_id: String,
    /// When it came.
    pub received_at: Timestamp,
}

/// The removals of an organization that were received after `since` and applied. Those that an
/// operator took back do not count, nor those of a batch that an operator approved: it is decided.
pub fn recent_removals(
    conn: &mut Conn,
    organization: &str,
    since: Timestamp,
) -> QueryResult<Vec<Removal>> {
    let applied: Vec<(String, String, Timestamp)> = on_backend!(conn, c => changes::table
        .inner_join(outbox::table.on(outbox::event_id.nullable().eq(changes::event_id)))
        .filter(changes::organization_id.eq(organization))
        // In the index's own words: SQLite takes a partial index for nothing else.
        .filter(sql::<Bool>("changes.what = 'status' AND changes.new = 'removed'"))
        .filter(changes::old.eq_any(["active", "on_leave"]))
        .filter(changes::recorded_at.gt(since))
        .filter(outbox::received_at.gt(since))
        .filter(outbox::outcome.eq("applied"))
        .select((changes::profile_id, outbox::event_id, outbox::received_at))
        .load(c))?;
    let events: Vec<String> = applied.iter().map(|(_, event, _)| event.clone()).collect();
    let decided = approved(conn, &events)?;
    Ok(applied
        .into_iter()
        .filter(|(_, event, _)| !decided.contains(event))
        .map(|(profile_id, event_id, received_at)| Removal {
            profile_id,
            event_id,
            received_at,
        })
        .collect())
}

/// When the held removals of an organization were received, after `since`.
pub fn recent_held(
    conn: &mut Conn,
    organization: &str,
    since: Timestamp,
) -> QueryResult<Vec<Timestamp>> {
    on_backend!(conn, c => hold_items::table
        .inner_join(holds::table.on(holds::id.eq(hold_items::hold_id)))
        .inner_join(outbox::table.on(outbox::event_id.eq(hold_items::event_id)))
        .filter(holds::organization_id.eq(organization))
        .filter(holds::kind.eq(REMOVALS))
        .filter(holds::state.eq(OPEN))
        .filter(hold_items::applied.eq(false))
        .filter(outbox::received_at.gt(since))
        .select(outbox::received_at)
        .load(c))
}

/// How many people of an organization have access.
pub fn headcount(conn: &mut Conn, organization: &str) -> QueryResult<usize> {
    let count: i64 = on_backend!(conn, c => profiles::table
        .filter(profiles::organization_id.eq(organization))
        .filter(profiles::status.eq_any(["active", "on_leave"]))
        .count()
        .get_result(c))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// The open hold of that kind, if there is one.
pub fn open_of(
    conn: &mut Conn,
    organization: &str,
    kind: &str,
    directory: Option<&str>,
) -> QueryResult<Option<Hold>> {
    on_backend!(conn, c => {
        let mut query = holds::table
            .filter(holds::organization_id.eq(organization))
            .filter(holds::kind.eq(kind))
            .filter(holds::state.eq(OPEN))
            .into_boxed();
        if let Some(directory) = directory {
            query = query.filter(holds::directory_id.eq(directory));
        }
        query.first(c).optional()
    })
}

/// The open hold of a deleted group, if there is one.
pub fn open_of_group(conn: &mut Conn, group: &str) -> QueryResult<Option<Hold>> {
    on_backend!(conn, c => holds::table
        .filter(holds::group_id.eq(group))
        .filter(holds::state.eq(OPEN))
        .first(c)
        .optional())
}

/// Open holds whose time to settle by themselves has come.
pub fn due(conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<Hold>> {
    on_backend!(conn, c => holds::table
        .filter(holds::state.eq(OPEN))
        .filter(holds::due_at.le(now))
        .order(holds::id)
        .load(c))
}

/// A hold settles no more by itself: somebody has to look at it.
pub fn wait_for_operator(conn: &mut Conn, id: &str, reason: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(holds::table.find(id))
        .set((holds::due_at.eq(None::<Timestamp>), holds::reason.eq(reason)))
        .execute(c))?;
    Ok(())
}

/// Adds people to a hold; those that are in it stay as they are.
pub fn add_items(conn: &mut Conn, items: &[HoldItem]) -> QueryResult<()> {
    for chunk in items.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(hold_items::table).values(chunk).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Takes somebody out of a hold.
pub fn take_out(conn: &mut Conn, hold: &str, profile: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(hold_items::table
        .filter(hold_items::hold_id.eq(hold))
        .filter(hold_items::profile_id.eq(profile)))
        .execute(c))?;
    Ok(())
}

/// Adds everybody with an active link in a directory to a hold, in one statement: it may be all of
/// a large company. Those that are in it stay as they are.
pub fn add_directory(
    conn: &mut Conn,
    hold: &str,
    event: &str,
    directory: &str,
    now: Timestamp,
) -> QueryResult<usize> {
    let sql = "INSERT INTO hold_items (hold_id, event_id, profile_id, applied, held_at) \
         SELECT DISTINCT $1, $2, l.profile_id, false, CAST($3 AS BIGINT) \
         FROM links l JOIN profiles p ON p.id = l.profile_id \
         WHERE l.directory_id = $4 AND l.state = 'active' AND p.status IN ('active', 'on_leave') \
         AND NOT EXISTS (SELECT 1 FROM hold_items h WHERE h.hold_id = $1 AND h.profile_id = l.profile_id)";
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(hold)
        .bind::<Text, _>(event)
        .bind::<BigInt, _>(now.micros())
        .bind::<Text, _>(directory)
        .execute(c))
}

/// Adds everybody of an organization who has a status with access to a hold, in one statement.
pub fn add_organization(
    conn: &mut Conn,
    hold: &str,
    event: &str,
    organization: &str,
    now: Timestamp,
) -> QueryResult<usize> {
    let sql = "INSERT INTO hold_items (hold_id, event_id, profile_id, applied, held_at) \
         SELECT $1, $2, p.id, false, CAST($3 AS BIGINT) FROM profiles p \
         WHERE p.organization_id = $4 AND p.status IN ('active', 'on_leave') \
         ON CONFLICT DO NOTHING";
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(hold)
        .bind::<Text, _>(event)
        .bind::<BigInt, _>(now.micros())
        .bind::<Text, _>(organization)
        .execute(c))
}

/// One hold.
pub fn find(conn: &mut Conn, id: &str) -> QueryResult<Option<Hold>> {
    on_backend!(conn, c => holds::table.find(id).first(c).optional())
}

/// Holds, newest first, from a cursor on.
pub fn list(
    conn: &mut Conn,
    organization: Option<&str>,
    state: Option<&str>,
    before: Option<(Timestamp, String)>,
    limit: i64,
) -> QueryResult<Vec<Hold>> {
    on_backend!(conn, c => {
        let mut query = holds::table.order((holds::opened_at.desc(), holds::id.desc())).limit(limit).into_boxed();
        if let Some(organization) = organization {
            query = query.filter(holds::organization_id.eq(organization));
        }
        if let Some(state) = state {
            query = query.filter(holds::state.eq(state));
        }
        if let Some((at, id)) = before {
            query = query.filter(holds::opened_at.lt(at).or(holds::opened_at.eq(at).and(holds::id.lt(id))));
        }
        query.load(c)
    })
}

/// Whom a hold is about, in the order they came.
pub fn items(conn: &mut Conn, hold: &str) -> QueryResult<Vec<HoldItem>> {
    on_backend!(conn, c => hold_items::table
        .filter(hold_items::hold_id.eq(hold))
        .order((hold_items::held_at, hold_items::event_id, hold_items::profile_id))
        .load(c))
}

/// Closes a hold; false when somebody else did already.
pub fn decide(
    conn: &mut Conn,
    id: &str,
    state: &str,
    by: &str,
    now: Timestamp,
) -> QueryResult<bool> {
    let decided = on_backend!(conn, c => diesel::update(holds::table.filter(holds::id.eq(id)).filter(holds::state.eq(OPEN)))
        .set((holds::state.eq(state), holds::decided_at.eq(now), holds::decided_by.eq(by)))
        .execute(c))?;
    Ok(decided > 0)
}

/// Events that an operator has approved: the guard lets them pass.
pub fn approved(conn: &mut Conn, events: &[String]) -> QueryResult<BTreeSet<String>> {
    let all: Vec<String> = in_parts(events, |some| {
        on_backend!(conn, c => hold_items::table
            .inner_join(holds::table.on(holds::id.eq(hold_items::hold_id)))
            .filter(hold_items::event_id.eq_any(some))
            .filter(holds::kind.ne_all(OF_MESSAGES))
            .filter(holds::state.eq(APPROVED))
            .select(hold_items::event_id)
            .load(c))
    })?;
    Ok(all.into_iter().collect())
}

/// Events that an operator took back, by rejecting a batch or undoing one: whatever replays them,
/// they are not applied again (R18, R41).
pub fn taken_back(conn: &mut Conn, events: &[String]) -> QueryResult<BTreeSet<String>> {
    let all: Vec<String> = in_parts(events, |some| {
        on_backend!(conn, c => hold_items::table
            .inner_join(holds::table.on(holds::id.eq(hold_items::hold_id)))
            .filter(hold_items::event_id.eq_any(some))
            .filter(holds::kind.eq_any([REMOVALS, IDENTITY_SWAP]))
            .filter(holds::state.eq_any([REJECTED, UNDONE]))
            .select(hold_items::event_id)
            .load(c))
    })?;
    Ok(all.into_iter().collect())
}

/// Takes back an approval; false when there is none to take back (any more).
pub fn undo(conn: &mut Conn, id: &str, by: &str, now: Timestamp) -> QueryResult<bool> {
    let undone = on_backend!(conn, c => diesel::update(holds::table.filter(holds::id.eq(id)).filter(holds::state.eq(APPROVED)))
        .set((holds::state.eq(UNDONE), holds::decided_at.eq(now), holds::decided_by.eq(by)))
        .execute(c))?;
    Ok(undone > 0)
}

/// How many batches wait for a decision.
pub fn open_count(conn: &mut Conn) -> QueryResult<i64> {
    on_backend!(conn, c => holds::table.filter(holds::state.eq(OPEN)).count().get_result(c))
}

/// The holds that somebody is or was in, with the event and whether it had been applied.
pub fn of_profile(conn: &mut Conn, profile: &str) -> QueryResult<Vec<(Hold, HoldItem)>> {
    on_backend!(conn, c => holds::table
        .inner_join(hold_items::table.on(hold_items::hold_id.eq(holds::id)))
        .filter(hold_items::profile_id.eq(profile))
        .order((holds::opened_at, holds::id))
        .select((Hold::as_select(), HoldItem::as_select()))
        .load(c))
}

/// Removals of an organization that are in the outbox and were received after `since`, of people whom
/// the directory still calls active: whose, and when the first was received. With a settle delay
/// they are a burst that can be seen before any of it is applied (R41).
pub fn coming(
    conn: &mut Conn,
    organization: &str,
    since: Timestamp,
) -> QueryResult<Vec<(String, Timestamp)>> {
    let rows: Vec<(Option<String>, Timestamp)> = on_backend!(conn, c => outbox::table
        .inner_join(links::table.on(outbox::subject.eq(links::directory_user_id.nullable())))
        // In the index's own words, as above.
        .filter(sql::<Bool>("outbox.state = 'ready'"))
        .filter(outbox::lane.eq(0))
        .filter(outbox::event_type.like("dsync.user.%"))
        .filter(outbox::received_at.gt(since))
        .filter(links::organization_id.eq(organization))
        .filter(links::state.eq("active"))
        .order(outbox::received_at.desc())
        .select((outbox::subject, outbox::received_at))
        .load(c))?;
    Ok(rows
        .into_iter()
        .filter_map(|(user, at)| Some((user?, at)))
        .collect())
}
