//! How far a comparison has come: the checkpoint that is kept with its row, so that another process
//! goes on where one ended, and the counts that are shown while it runs.

use std::collections::BTreeMap;

use diesel::QueryResult;
use serde::{Deserialize, Serialize};

use super::differ::LeftOut;
use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::left_out;

/// Where a comparison stands; its checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// WorkOS's own counts when it began, where it says them.
    pub expected_users: Option<i64>,
    /// The same of groups.
    pub expected_groups: Option<i64>,
    /// Listed so far.
    pub users: i64,
    /// Listed so far.
    pub groups: i64,
    /// Listed so far.
    pub edges: i64,
    /// Calls made so far.
    pub calls: i64,
    /// Sent to be applied so far.
    pub applied: i64,
    /// Things that were not compared, because something newer was heard of them up to the end.
    pub left_out: i64,
    /// How much differed when it ended, by kind and state: for the metrics.
    pub drift: BTreeMap<String, BTreeMap<String, i64>>,
    /// When the newest of what was left out happened.
    pub(super) heard: Option<Timestamp>,
    /// Where the listing goes on.
    pub(super) cursor: Option<String>,
    /// Whether the listing that is being read has come to its end.
    pub(super) listed: bool,
    /// The group whose users are listed, or the thing that was checked last.
    pub(super) at: String,
}

impl Progress {
    pub(super) fn count(&mut self, kind: &str, new: usize) {
        let new = i64::try_from(new).unwrap_or(i64::MAX);
        match kind {
            "user" => self.users += new,
            "group" => self.groups += new,
            _ => self.edges += new,
        }
    }

    /// Notes what is to be looked at again.
    pub(super) fn leave_out(
        &mut self,
        conn: &mut Conn,
        id: &str,
        left: Vec<LeftOut>,
    ) -> QueryResult<()> {
        for item in left {
            self.heard = self.heard.max(Some(item.heard));
            left_out::leave_out(conn, id, item.kind, &[item.subject])?;
        }
        Ok(())
    }
}

pub(super) fn text_of(progress: &Progress) -> String {
    serde_json::to_string(progress).unwrap_or_default()
}
