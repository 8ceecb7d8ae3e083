//! The last look before a message leaves (R62, R64): is it too late, has a later step overtaken it,
//! is the person on leave, does the recipient want no messages, is it night there? What a machine is
//! told (a webhook) knows neither nights nor leave, and is never too late.

use std::time::Duration;

use chrono_tz::Tz;
use diesel::QueryResult;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::MessageSettings;
use crate::store::surroundings::Surroundings;
use crate::store::{opt_outs, organizations};

use super::definition::{Channel, Event, Recipient, Step};
use super::deliveries::{self, Leased};
use super::zone;

/// A sender is never this late by itself: what is, waited for a service that was down.
const DOWN: Duration = Duration::from_secs(3_600);

/// What to do with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it.
    Go,
    /// Never send it, for this reason.
    Cancel(String),
    /// Look again then.
    Wait(Timestamp, &'static str),
}

/// Looks once more. `recipient` is the address, where there is one.
pub(super) fn recheck(
    conn: &mut Conn,
    one: &Leased,
    step: &Step,
    profile: &Value,
    recipient: Option<&str>,
    now: Timestamp,
) -> QueryResult<Verdict> {
    if step.channel == Channel::Webhook {
        return Ok(Verdict::Go);
    }
    let on_leave = profile.get("status").and_then(Value::as_str) == Some("on_leave");
    if on_leave && !Event::ENDS_ACCESS.contains(&one.on_event.as_str()) {
        return Ok(Verdict::Cancel("the person is on leave".to_owned()));
    }
    let settings = settings_of(conn, &one.organization_id)?;
    if let Some(why) = too_late(conn, one, step, &settings, now)? {
        return Ok(Verdict::Cancel(why));
    }
    let opted_out = match (&step.to, recipient) {
        (Recipient::Person, _) => opt_outs::of_person(conn, &one.profile_id)?,
        // The list is asked for whoever has that address, as an operator would have named them.
        (Recipient::Address(_), Some(address)) => {
            opt_outs::find(conn, &one.organization_id, address)?
        }
        // A manager was asked for when they were looked up.
        _ => None,
    };
    if opted_out.is_some() {
        return Ok(Verdict::Cancel(
            "the address is on the opt-out list".to_owned(),
        ));
    }
    let Some(hours) = &settings.quiet_hours else {
        return Ok(Verdict::Go);
    };
    let zone = zone_of(conn, &settings, &one.profile_id, profile)?;
    Ok(match zone::quiet_until(hours, zone, now) {
        Some(end) => Verdict::Wait(end, "waits for the end of the quiet hours"),
        None => Verdict::Go,
    })
}

/// The first day's messages may be late by some hours; of the later steps that a down-time gathered,
/// only the newest goes, so that they never come all at once.
fn too_late(
    conn: &mut Conn,
    one: &Leased,
    step: &Step,
    settings: &MessageSettings,
    now: Timestamp,
) -> QueryResult<Option<String>> {
    if one.attempts > 0 {
        return Ok(None);
    }
    let late = now.since(one.due_at);
    if late > Duration::from_secs(u64::from(settings.late_hours) * 3_600) {
        return Ok(Some(format!(
            "skipped: it was due over {} hours ago",
            settings.late_hours
        )));
    }
    let overtaken =
        late > DOWN && !step.is_of_first_day() && deliveries::later_step_due(conn, one, now)?;
    Ok(overtaken.then(|| "skipped: a later step is due already".to_owned()))
}

pub(crate) fn settings_of(conn: &mut Conn, organization: &str) -> QueryResult<MessageSettings> {
    let known = organizations::find(conn, organization)?;
    Ok(known.map(|one| one.settings.messages).unwrap_or_default())
}

/// The zone of a person, with the communities they are in.
pub(crate) fn zone_of(
    conn: &mut Conn,
    settings: &MessageSettings,
    id: &str,
    profile: &Value,
) -> QueryResult<Tz> {
    if settings.community_timezones.is_empty() {
        return Ok(zone::of_person(settings, profile, &[]));
    }
    let surroundings = Surroundings::of(conn, &[id.to_owned()])?;
    let facts = surroundings.facts(id, profile);
    let communities: Vec<String> = facts.communities.iter().map(|(id, _)| id.clone()).collect();
    Ok(zone::of_person(settings, profile, &communities))
}
