//! Reading whose directory it is while nobody else may change that.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::db::{Backend, Conn};
use crate::outbox;
use crate::store::directories::{self, Directory};

use super::incoming::IncomingEvent;

/// The directories as they are once nobody else works on their organizations (R73). An event that
/// names no organization lies in a part of its own, and while its directory is not known, or has
/// no home, another batch may be giving it one: so the parts are locked first, and what was read
/// before is read again. SQLite's one writer needs neither.
pub(super) fn load_locked(
    conn: &mut Conn,
    items: &[IncomingEvent],
    ids: &[String],
) -> QueryResult<BTreeMap<String, Directory>> {
    let mut locked = BTreeSet::new();
    loop {
        let known = directories::load(conn, ids)?;
        if conn.backend() == Backend::Sqlite {
            return Ok(known);
        }
        let wanted: BTreeSet<i32> = items
            .iter()
            .filter_map(|item| {
                let id = item.directory_id.as_ref()?;
                let owner = match known.get(id) {
                    Some(directory) => directory.organization_id.clone(),
                    None => directories::unnamed_organization(id),
                };
                Some([Some(owner), item.organization_id.clone()])
            })
            .flatten()
            .flatten()
            .map(|organization| outbox::part_of(&organization))
            .collect();
        let missing: Vec<i32> = wanted.difference(&locked).copied().collect();
        if missing.is_empty() {
            return Ok(known);
        }
        for part in missing {
            outbox::lock_part(conn, part)?;
            locked.insert(part);
        }
    }
}
