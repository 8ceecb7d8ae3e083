//! The webhook secrets in use (R71): by label, with how much each has verified and when
//! it last did, so that an old one may go when it stands still. A process counts in memory and adds
//! to the row now and then: a delivery costs no write of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::secret_uses::{self, SecretUse};

use super::{Actor, OperationError, Role};

/// A secret as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct SecretView {
    pub label: String,
    /// Whether it verifies now; one that does not was taken out of the configuration.
    pub in_use: bool,
    /// How many deliveries it has verified.
    pub matched: i64,
    pub last_matched_at: Option<Timestamp>,
}

/// What this process has seen and not yet written down; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SecretUses(Arc<Mutex<BTreeMap<String, (i64, Timestamp)>>>);

impl SecretUses {
    /// A delivery was verified by the secret of that label.
    pub fn count(&self, label: &str, at: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(label) {
            Some(one) => *one = (one.0 + 1, one.1.max(at)),
            None => drop(all.insert(label.to_owned(), (1, at))),
        }
    }

    /// Whether everything is written down.
    pub fn is_empty(&self) -> bool {
        self.seen().is_empty()
    }

    fn seen(&self) -> BTreeMap<String, (i64, Timestamp)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }

    /// Forgets what is written down; what came meanwhile stays.
    pub fn written(&self, all: &[SecretUse]) {
        let mut here = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for one in all {
            if let Some(seen) = here.get_mut(&one.label) {
                seen.0 -= one.matched;
            }
        }
        here.retain(|_, seen| seen.0 > 0);
    }
}

/// Writes down what this process has seen; once that is committed, [`SecretUses::written`] is told.
pub fn write_down(conn: &mut Conn, uses: &SecretUses) -> Result<Vec<SecretUse>, OperationError> {
    let row = |(label, (matched, last_matched_at))| SecretUse {
        label,
        matched,
        last_matched_at,
    };
    let all: Vec<SecretUse> = uses.seen().into_iter().map(row).collect();
    for one in &all {
        secret_uses::add(conn, one)?;
    }
    Ok(all)
}

/// The secrets of that labels in their order, then those that are no longer in use. They belong to
/// all organizations alike.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    labels: &[String],
    uses: &SecretUses,
) -> Result<Vec<SecretView>, OperationError> {
    actor.require(Role::Viewer)?;
    actor.require_unlimited()?;
    let mut known: BTreeMap<String, (i64, Timestamp)> = uses.seen();
    for row in secret_uses::all(conn)? {
        let one = known.entry(row.label).or_insert((0, row.last_matched_at));
        *one = (one.0 + row.matched, one.1.max(row.last_matched_at));
    }
    let view = |label: &str, in_use: bool, one: Option<(i64, Timestamp)>| SecretView {
        label: label.to_owned(),
        in_use,
        matched: one.map_or(0, |one| one.0),
        last_matched_at: one.map(|one| one.1),
    };
    let mut all: Vec<SecretView> = labels
        .iter()
        .map(|label| view(label, true, known.remove(label)))
        .collect();
    all.extend(
        known
            .into_iter()
            .map(|(label, one)| view(&label, false, Some(one))),
    );
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_while_it_is_written_down_is_not_forgotten() {
        let uses = SecretUses::default();
        let at = |micros| Timestamp(micros);
        uses.count("old", at(2));
        uses.count("old", at(1));
        let written = SecretUse {
            label: "old".to_owned(),
            matched: 2,
            last_matched_at: at(2),
        };
        uses.count("old", at(3));
        uses.written(&[written]);
        assert_eq!(uses.seen(), [("old".to_owned(), (1, at(3)))].into());
    }
}
