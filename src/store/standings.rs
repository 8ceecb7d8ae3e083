//! Who may come in, loaded: one statement finds the people, their living links and what removals of these
//! were acknowledged and are not settled (R91), so that nothing is missed between two readings. What such
//! removals wait for is read only where there are any. The decision itself is `domain::access`.

use std::collections::{BTreeMap, BTreeSet};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::clock::Timestamp;
use crate::db::schema::{hold_items, holds as hold_rows, links, organizations, outbox, profiles};
use crate::db::{Conn, in_parts, on_backend};
use crate::domain::access::{Access, LivingLink, PendingRemoval, Stage, Standing, access};
use crate::domain::guard::HeldAccess;
use crate::domain::{Link, Settings, Status};
use crate::workos::OrderKey;

use super::holds;
use super::organizations::KEEP;
use super::profiles::email_key;
use super::unreadable;

/// In the index's own words: SQLite takes a partial index for nothing else.
const UNSETTLED: &str = "outbox.lane = 0 AND outbox.state NOT IN ('done', 'ignored')";
/// Of removals, those that end a directory user, and not a place in a group.
const OF_USERS: &str = "outbox.event_type LIKE 'dsync.user.%'";

/// Somebody, and whether they may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whose profile.
    pub profile_id: String,
    /// Their organization.
    pub organization_id: String,
    /// The profile's status.
    pub status: Status,
    /// When something shown of them last changed.
    pub updated_at: Timestamp,
    /// Whether they may come in, and why.
    pub access: Access,
    /// The event that access hangs on, where one is not settled.
    pub event_id: Option<String>,
}

type Row = (
    String,
    String,
    String,
    Timestamp,
    Option<(String, String)>,
    Option<(String, Timestamp, String)>,
    Option<(Option<Timestamp>, Option<String>)>,
);

/// Reads the rows of the people that a filter names.
macro_rules! rows_of {
    ($conn:expr, $filter:expr) => {
        on_backend!($conn, c => profiles::table
            .left_join(links::table.on(links::profile_id
                .eq(profiles::id.nullable())
                .and(links::state.eq("active"))))
            .left_join(outbox::table.on(outbox::subject
                .eq(links::directory_user_id.nullable())
                .and(sql::<Bool>(UNSETTLED))
                .and(sql::<Bool>(OF_USERS))))
            .left_join(organizations::table.on(organizations::id.eq(profiles::organization_id)))
            .filter($filter)
            .select((
                profiles::id,
                profiles::organization_id,
                profiles::status,
                profiles::updated_at,
                (links::directory_user_id, links::remembered).nullable(),
                (outbox::event_id, outbox::occurred_at, outbox::state).nullable(),
                (organizations::deleted_at, organizations::deletion_decision).nullable(),
            ))
            .load::<Row>(c))
    };
}

/// Those of the given people that exist, by profile id.
pub fn of_profiles(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Judged>> {
    let rows: Vec<Row> = in_parts(ids, |some| rows_of!(conn, profiles::id.eq_any(some)))?;
    judged(conn, rows)
}

/// Everybody of an organization under an address, whatever their status, by profile id.
pub fn of_address(
    conn: &mut Conn,
    organization: &str,
    email: &str,
) -> QueryResult<BTreeMap<String, Judged>> {
    let rows: Vec<Row> = rows_of!(
        conn,
        profiles::organization_id
            .eq(organization)
            .and(profiles::email_key.eq(email_key(email)))
    )?;
    judged(conn, rows)
}

/// What is known of one person while the rows are gathered.
struct Gathered {
    organization_id: String,
    status: Status,
    updated_at: Timestamp,
    living: BTreeMap<String, LivingLink>,
    organization_deleted: bool,
}

fn judged(conn: &mut Conn, rows: Vec<Row>) -> QueryResult<BTreeMap<String, Judged>> {
    let mut people: BTreeMap<String, Gathered> = BTreeMap::new();
    let (mut pending, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for (id, organization_id, status, updated_at, link, removal, deletion) in rows {
        let status = Status::parse(&status).unwrap_or(Status::Pending);
        if status == Status::OnLeave || removal.is_some() {
            asked.insert(organization_id.clone());
        }
        let person = people.entry(id).or_insert_with(|| Gathered {
            organization_id,
            status,
            updated_at,
            living: BTreeMap::new(),
            organization_deleted: matches!(&deletion, Some((Some(_), decision)) if decision.as_deref() != Some(KEEP)),
        });
        let Some((user, remembered)) = link else {
            continue;
        };
        let known = person.living.entry(user.clone()).or_default();
        if let Some((event_id, at, state)) = removal {
            let link: Link = serde_json::from_str(&remembered)
                .map_err(|error| unreadable("link", &user, &error))?;
            known.life = Some(link.life);
            pending.insert(event_id.clone());
            known.removals.push(PendingRemoval {
                key: OrderKey {
                    at,
                    removal: true,
                    event_id,
                },
                stage: stage_of(&state),
                waived: false,
            });
        }
    }
    let batches = Batches::of(conn, &pending)?;
    let asked: Vec<String> = asked.into_iter().collect();
    let settings: BTreeMap<String, Settings> = super::organizations::load(conn, &asked)?
        .into_iter()
        .map(|(id, one)| (id, one.settings))
        .collect();
    let judged = people.into_iter().map(|(profile_id, person)| {
        let settings = settings.get(&person.organization_id);
        let mut living: Vec<LivingLink> = person.living.into_values().collect();
        for removal in living.iter_mut().flat_map(|link| &mut link.removals) {
            batches.place(removal, settings);
        }
        let unsettled = living.iter().flat_map(|link| &link.removals);
        let event_id = unsettled
            .filter(|removal| !removal.waived)
            .max_by(|one, other| one.key.cmp(&other.key))
            .map(|removal| removal.key.event_id.clone());
        let standing = Standing {
            status: person.status,
            living,
            shut_on_leave: settings.is_some_and(|settings| !settings.on_leave.access),
            organization_deleted: person.organization_deleted,
        };
        let judged = Judged {
            organization_id: person.organization_id,
            status: person.status,
            updated_at: person.updated_at,
            access: access(&standing),
            event_id,
            profile_id: profile_id.clone(),
        };
        (profile_id, judged)
    });
    Ok(judged.collect())
}

fn stage_of(state: &str) -> Stage {
    match state {
        "ready" => Stage::Waiting,
        "held" => Stage::Held(None),
        // Given up, or a word of a later version: whatever it is, it is not settled.
        _ => Stage::Failed,
    }
}

/// The batches that removals wait in, or were taken back with.
struct Batches {
    /// The open holds of removals, by event.
    open: BTreeMap<String, String>,
    taken_back: BTreeSet<String>,
}

impl Batches {
    fn of(conn: &mut Conn, events: &BTreeSet<String>) -> QueryResult<Self> {
        let events: Vec<String> = events.iter().cloned().collect();
        let open: Vec<(String, String)> = in_parts(&events, |some| {
            on_backend!(conn, c => hold_items::table
                .inner_join(hold_rows::table.on(hold_rows::id.eq(hold_items::hold_id)))
                .filter(hold_items::event_id.eq_any(some))
                .filter(hold_rows::kind.eq(holds::REMOVALS))
                .filter(hold_rows::state.eq(holds::OPEN))
                .select((hold_items::event_id, hold_items::hold_id))
                .load(c))
        })?;
        Ok(Self {
            open: open.into_iter().collect(),
            taken_back: holds::taken_back(conn, &events)?,
        })
    }

    /// Says of a removal in which hold it waits, and whether it counts.
    fn place(&self, removal: &mut PendingRemoval, settings: Option<&Settings>) {
        let event = &removal.key.event_id;
        removal.waived = self.taken_back.contains(event);
        if let (Stage::Held(hold), Some(open)) = (&mut removal.stage, self.open.get(event)) {
            *hold = Some(open.clone());
            removal.waived |=
                settings.is_some_and(|settings| settings.removal_guard.access == HeldAccess::Keep);
        }
    }
}
