//! An organization's settings for messages: zones, quiet hours, who counts as new. All
//! that is wrong is told at once; messages that wait for their time are judged by the new settings
//! when it comes.

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::conditions::Problem;
use crate::db::Conn;
use crate::domain::MessageSettings;
use crate::store::organizations;
use crate::triggers::{LocalTime, zone};

use super::organizations::seen;
use super::{Actor, OperationError, Role, audit};

/// The longest a message may be late, in hours: two weeks.
const LATEST: u32 = 14 * 24;

/// The settings as they are.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct MessagesView {
    pub organization_id: String,
    pub messages: MessageSettings,
}

/// The settings for messages.
pub fn show(conn: &mut Conn, actor: &Actor, id: &str) -> Result<MessagesView, OperationError> {
    actor.require(Role::Viewer)?;
    let organization = seen(conn, actor, id)?;
    Ok(MessagesView {
        organization_id: organization.id,
        messages: organization.settings.messages,
    })
}

/// Replaces the settings for messages; what is not named is as by default.
pub fn put(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    messages: MessageSettings,
    now: Timestamp,
) -> Result<MessagesView, OperationError> {
    actor.require(Role::Operator)?;
    let mut organization = seen(conn, actor, id)?;
    let problems = problems_of(&messages);
    if !problems.is_empty() {
        return Err(OperationError::Problems(problems));
    }
    if organization.settings.messages != messages {
        organization.settings.messages = messages;
        organizations::save_settings(conn, id, &organization.settings)?;
        let act = "organization.messages_put";
        audit(conn, actor, act, id, Some(id), None, now)?;
    }
    show(conn, actor, id)
}

/// Everything that is wrong with the settings.
pub(super) fn problems_of(settings: &MessageSettings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut zone = |path: String, name: &str| {
        if zone::named(name).is_none() {
            problems.push(Problem::new(
                path,
                "an IANA time zone is wanted, such as Europe/Berlin or UTC",
            ));
        }
    };
    zone("timezone".to_owned(), &settings.timezone);
    for (id, name) in &settings.community_timezones {
        zone(format!("community_timezones.{id}"), name);
    }
    let mut time = |path: &str, text: &str| {
        if let Err(message) = LocalTime::parse(text) {
            problems.push(Problem::new(path, message));
        }
    };
    time("send_time", &settings.send_time);
    if let Some(hours) = &settings.quiet_hours {
        time("quiet_hours.from", &hours.from);
        time("quiet_hours.to", &hours.to);
        if hours.from == hours.to {
            problems.push(Problem::new(
                "quiet_hours.to",
                "it is the same as from: nothing would ever be sent, or nothing ever wait",
            ));
        }
    }
    if settings.timezone_attribute.trim().is_empty() {
        let message = "the name of a custom attribute is wanted, such as timezone";
        problems.push(Problem::new("timezone_attribute", message));
    }
    if !(1..=LATEST).contains(&settings.late_hours) {
        problems.push(Problem::new("late_hours", format!("1 to {LATEST} hours")));
    }
    if settings.grace_days > 366 {
        problems.push(Problem::new("grace_days", "0 to 366 days"));
    }
    if settings.burst_guard.percent > 100 {
        let message = "a share of the people: 0 to 100";
        problems.push(Problem::new("burst_guard.percent", message));
    }
    problems
}
