//! Probable renames (R52): a provider that knows groups by name only deletes one and makes another.
//! Shown beside the deleted one, for an operator to say what it was.

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{Group, PollCycle, probably_renamed};

use super::groups;

/// The group that may be the deleted one under a new name.
#[derive(Debug, Clone)]
pub struct Rename {
    /// The new one.
    pub heir: Group,
    /// How many members both have.
    pub same: usize,
    /// How many the deleted one had.
    pub of: usize,
}

/// Looks for a group of the same directory that began within a poll cycle of the end of this one, and
/// has nearly the same members.
pub fn probable(conn: &mut Conn, group: &str, cycle: PollCycle) -> QueryResult<Option<Rename>> {
    let Some(old) = groups::load(conn, &[group.to_owned()])?.remove(group) else {
        return Ok(None);
    };
    let Some(ended) = old.deleted.as_ref().map(|key| key.at) else {
        return Ok(None);
    };
    let members = groups::joined(conn, group)?;
    let near = |at: Timestamp| at.since(ended).max(ended.since(at)) <= cycle.duration();
    for heir in groups::of_directory(conn, &old.directory_id)? {
        let begun = heir.born.as_ref().map(|key| key.at);
        if heir.id == old.id || !begun.is_some_and(near) {
            continue;
        }
        let theirs = groups::joined(conn, &heir.id)?;
        if probably_renamed(&members, &theirs) {
            return Ok(Some(Rename {
                same: members.intersection(&theirs).count(),
                of: members.len(),
                heir,
            }));
        }
    }
    Ok(None)
}
