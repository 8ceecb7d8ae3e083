//! Who changed identity by which event (R42): another provider's id under the same directory user, or
//! an address in another domain. Counted by the guard; what an operator took back does not count, nor
//! what belongs to a batch that was approved.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::{hold_items, holds, identity_changes, outbox};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};

/// One person whose identity an event changed.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Selectable)]
#[diesel(table_name = identity_changes, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct Swap {
    pub event_id: String,
    pub profile_id: String,
    pub organization_id: String,
    pub received_at: Timestamp,
}

/// Adds swaps; those that are known stay.
pub fn add(conn: &mut Conn, new: &[Swap]) -> QueryResult<()> {
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        on_backend!(conn, c => diesel::insert_into(identity_changes::table).values(chunk).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// The swaps of an organization that were received after `since` and applied.
pub fn recent(conn: &mut Conn, organization: &str, since: Timestamp) -> QueryResult<Vec<Swap>> {
    let applied: Vec<Swap> = on_backend!(conn, c => identity_changes::table
        .inner_join(outbox::table.on(outbox::event_id.eq(identity_changes::event_id)))
        .filter(identity_changes::organization_id.eq(organization))
        .filter(identity_changes::received_at.gt(since))
        .filter(outbox::outcome.eq("applied"))
        .select(Swap::as_select())
        .load(c))?;
    let events: Vec<String> = applied.iter().map(|one| one.event_id.clone()).collect();
    let decided = super::holds::approved(conn, &events)?;
    Ok(applied
        .into_iter()
        .filter(|one| !decided.contains(&one.event_id))
        .collect())
}

/// Who waits in an open hold of swaps, and when the events came.
pub fn waiting(conn: &mut Conn, organization: &str) -> QueryResult<Vec<(String, Timestamp)>> {
    on_backend!(conn, c => hold_items::table
        .inner_join(holds::table.on(holds::id.eq(hold_items::hold_id)))
        .inner_join(outbox::table.on(outbox::event_id.eq(hold_items::event_id)))
        .filter(holds::organization_id.eq(organization))
        .filter(holds::kind.eq(super::holds::IDENTITY_SWAP))
        .filter(holds::state.eq(super::holds::OPEN))
        .filter(hold_items::applied.eq(false))
        .select((hold_items::profile_id, outbox::received_at))
        .load(c))
}
