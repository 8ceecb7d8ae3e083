//! What operators see and do, once: the command line, the API and the console all call these
//! functions, and none of them holds a query. Each takes the [`Actor`] first; roles and the one
//! organization a token may be limited to are judged here, every act is audited under its name.

mod actor;
mod error;
mod history;
mod listing;
mod members;
mod owners;
mod page;
mod rehearsal;
mod search;
mod story;
#[cfg(test)]
mod tests;
mod visibility;

pub mod access;
pub mod acts;
pub mod admin_restorations;
pub mod apply;
pub mod communities;
pub mod conflicts;
pub mod deliveries;
pub mod destinations;
pub mod directories;
pub mod doctor;
pub mod enable;
pub mod erasure;
pub mod events;
pub mod failing;
pub mod failures;
pub mod fields;
pub mod gaps;
pub mod groups;
pub mod holds;
pub mod hour;
pub mod jobs;
pub mod logins;
pub mod messages;
pub mod names;
pub mod opt_outs;
pub mod organizations;
pub mod overview;
pub mod profiles;
pub mod reconciles;
pub mod refusals;
pub mod replay;
pub mod resend;
pub mod restored;
pub mod retention;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod stale;
pub mod tokens;
pub mod trial;
pub mod triggers;
pub mod undo;
pub mod webhook_secrets;
pub mod why;
pub mod wrong_paths;

pub use actor::{Actor, Role};
pub use error::OperationError;
pub use listing::{CursorKey, Listing};
pub use page::{Cursor, MAX_LIMIT, Page, limit_of};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::store::acts::{NewAct, add};

/// Audits an act in the transaction that makes it.
pub(crate) fn audit(
    conn: &mut Conn,
    actor: &Actor,
    act: &str,
    target: &str,
    organization: Option<&str>,
    detail: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    let row = NewAct {
        at: now,
        actor: &actor.name,
        act,
        target,
        organization_id: organization,
        detail,
    };
    Ok(add(conn, &row)?)
}
