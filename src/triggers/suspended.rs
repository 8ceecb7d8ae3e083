//! Messages that are due about somebody whose access is suspended (R40, R84, R91): they wait as long as it is,
//! since the removal that would cancel them is received and may still be taken back. They go on when access is
//! back, and the removal cancels them when it is applied. What machines are told goes out.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::standings;

use super::definition::{Channel, Event, Step};
use super::deliveries::{self, Leased, SUSPENDED};
use super::recheck::Verdict;

/// How soon a message is looked at again whose person waits for an operator: whoever gives access back wakes
/// it, so that this is for what nobody was told of.
const UNTIL_DECIDED: Duration = Duration::from_secs(15 * 60);
/// The same, while a removal was received and no worker has come to it.
const UNTIL_APPLIED: Duration = Duration::from_secs(60);

/// Those of the given people whose access is suspended, and when to look again.
pub(super) fn among(conn: &mut Conn, ids: &[String]) -> QueryResult<BTreeMap<String, Duration>> {
    let judged = standings::of_profiles(conn, ids)?;
    let suspended = judged.into_iter().filter_map(|(id, judged)| {
        if judged.access.suspended() {
            Some((id, UNTIL_DECIDED))
        } else {
            judged.access.waits().then_some((id, UNTIL_APPLIED))
        }
    });
    Ok(suspended.collect())
}

/// What is to be done with a message whose person's access is suspended; nothing where it is not. Of the steps
/// that gather meanwhile only the newest waits, as with a down-time (R62).
pub(super) fn verdict(
    conn: &mut Conn,
    one: &Leased,
    step: &Step,
    now: Timestamp,
) -> QueryResult<Option<Verdict>> {
    if step.channel == Channel::Webhook || Event::ENDS_ACCESS.contains(&one.on_event.as_str()) {
        return Ok(None);
    }
    let suspended = among(conn, std::slice::from_ref(&one.profile_id))?;
    let Some(pause) = suspended.get(&one.profile_id) else {
        return Ok(None);
    };
    let again = now.plus(*pause);
    // A later step may itself be waiting, and is due again within the same time.
    if !step.is_of_first_day() && deliveries::later_step_due(conn, one, again)? {
        return Ok(Some(Verdict::Cancel(
            "skipped: a later step is due already".to_owned(),
        )));
    }
    Ok(Some(Verdict::Wait(again, SUSPENDED)))
}
