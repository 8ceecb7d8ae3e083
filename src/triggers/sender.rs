//! What becomes of one delivery in a sender's hand: the person is looked up once more (who left or
//! has no address gets nothing, R26, R64), the text filled in, `attempting` committed, and only
//! then the one call made, outside of any transaction (`hold`).

mod hold;
mod places;
mod round;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::db::{Db, DbError, Urgency, new_id};
use crate::retry;
use crate::store::profiles;
use serde_json::{Map, Value, json};

use super::channels::{Channels, Message};
use super::definition::{Channel, Event, Recipient, Status, Step};
use super::deliveries::{self, Leased, Rendered, Settled};
use super::destinations::Destination;
use super::gather::{self, Together};
use super::outcome::Outcome;
use super::recheck::{Verdict, recheck};
use super::store;
use super::suspended;
use super::target::target_of;
use super::template::{Escape, render};
use super::vars::variables_of;

use places::Places;

/// A lease's length; it is renewed three times in it.
const LEASE: Duration = Duration::from_secs(15);
/// Attempts that certainly reached nobody before a message is given up: about four days.
const MAX_ATTEMPTS: u32 = 500;
/// How long a message waits for an address (R26), looking once an hour.
const WAIT_FOR_ADDRESS: Duration = Duration::from_secs(14 * 24 * 3600);
const LOOK_FOR_ADDRESS: Duration = Duration::from_secs(3600);

/// Sends what is due; cheap to clone.
#[derive(Clone)]
pub struct Sender {
    db: Db,
    clock: Clock,
    channels: Arc<Channels>,
    owner: String,
    places: Places,
}

impl Sender {
    /// A sender with a lease name of its own.
    pub fn new(db: Db, clock: Clock, channels: Arc<Channels>) -> Self {
        Self {
            db,
            clock,
            channels,
            owner: new_id("sender"),
            places: Places::default(),
        }
    }

    /// Looks the person up once more, fills in the text and commits that the call is about to be made.
    fn prepare(&self, one: &Leased) -> Result<Prepared, DbError> {
        let now = self.clock.now();
        self.db.write(Urgency::Normal, |conn| {
            let end = |conn: &mut crate::db::Conn, settled: Settled| -> Result<Prepared, DbError> {
                deliveries::settle(conn, &one.id, one.lease_token, &settled, now)?;
                Ok(Prepared::Settled)
            };
            let Some(row) = store::find(conn, &one.trigger_id)? else {
                return end(
                    conn,
                    Settled::Cancelled("its trigger was deleted".to_owned()),
                );
            };
            if row.status != Status::Published.name() {
                return end(
                    conn,
                    Settled::Cancelled("its trigger is a draft now".to_owned()),
                );
            }
            let definition = match store::version(conn, &one.trigger_id, one.trigger_version) {
                Ok(None) => row.read(),
                Ok(Some(definition)) => Ok(definition),
                Err(error) => Err(error),
            };
            let definition = match definition {
                // What was saved and cannot be read fails its message, not the sender.
                Err(diesel::result::Error::DeserializationError(why)) => {
                    return end(conn, Settled::Failed(why.to_string()));
                }
                definition => definition?,
            };
            let Some(step) = usize::try_from(one.step)
                .ok()
                .and_then(|place| definition.steps.get(place))
            else {
                return end(
                    conn,
                    Settled::Cancelled("its step is not in the trigger any more".to_owned()),
                );
            };
            let Some(profile) = profiles::find(conn, &one.profile_id)? else {
                return end(
                    conn,
                    Settled::Cancelled("the person is not known any more".to_owned()),
                );
            };
            let vars = variables_of(conn, &profile, one.community_id.as_deref())?;
            let target = target_of(conn, step, &profile, &vars)?;
            let step: &Step = &target.step;
            let destination = Destination::of(step);
            if destination.id != one.destination {
                deliveries::redirect(conn, one, &destination, now)?;
                return Ok(Prepared::Settled);
            }
            let of_leaving = definition.on.ends_access();
            let told = gather::told(conn, one, step)?;
            if told.is_empty()
                && !of_leaving
                && !matches!(profile.status.as_str(), "active" | "on_leave")
            {
                return end(
                    conn,
                    Settled::Cancelled(format!("the person is {} now", profile.status)),
                );
            }
            if let Some(why) = target.refused {
                return end(conn, Settled::Cancelled(why));
            }
            // A digest that was tried before speaks for others as well.
            if told.is_empty() {
                match suspended::verdict(conn, one, step, now)? {
                    None | Some(Verdict::Go) => {}
                    Some(Verdict::Cancel(why)) => return end(conn, Settled::Cancelled(why)),
                    Some(Verdict::Wait(until, why)) => {
                        deliveries::hand_back(conn, one, until, why)?;
                        return Ok(Prepared::Settled);
                    }
                }
            }
            let Some(recipient) = target.address else {
                return wait_for_address(conn, one, now, end);
            };
            match recheck(conn, one, step, &vars, Some(&recipient), now)? {
                Verdict::Go => {}
                Verdict::Cancel(why) => return end(conn, Settled::Cancelled(why)),
                Verdict::Wait(until, why) => {
                    deliveries::hand_back(conn, one, until, why)?;
                    return Ok(Prepared::Settled);
                }
            }
            let together = gather::gather(conn, one, step, told, now)?;
            let event = one.event_id.as_deref();
            let composed = match &together {
                Together::TakenIn => return Ok(Prepared::Settled),
                Together::Alone => {
                    compose(&one.key, event, step, &definition.on, recipient, &vars, now)
                }
                Together::Digest(digest, names) => {
                    let of = definition.on.name();
                    gather::compose(&one.key, step.channel, digest, names, of, recipient, now)
                }
            };
            let message = match composed {
                Ok(message) => with_detail(message, one.detail.as_deref()),
                Err(error) => return end(conn, Settled::Failed(error.to_string())),
            };
            let shown = match &message.payload {
                Some(payload) => payload.to_string(),
                None => message.text.clone(),
            };
            let rendered = Rendered {
                recipient: shown_recipient(&step.to, &message.recipient),
                subject: message.subject.as_deref(),
                body: &shown,
                html: message.html.as_deref(),
            };
            if deliveries::begin_attempt(conn, one, rendered, now, LEASE)? {
                Ok(Prepared::Send(step.channel, Box::new(message), target.note))
            } else {
                Ok(Prepared::Settled)
            }
        })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, Trouble> {
        let sender = self.clone();
        match tokio::task::spawn_blocking(move || work(&sender)).await {
            Ok(done) => done.map_err(Trouble::Database),
            Err(error) => Err(Trouble::Ended(error.to_string())),
        }
    }
}

/// Why a step of the sender came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Database(DbError),
    /// It panicked, or the process is ending.
    #[error("a database task ended: {0}")]
    Ended(String),
}

impl Trouble {
    /// Whether it is the database's and not the message's (R92).
    fn is_innocent(&self) -> bool {
        match self {
            Self::Database(error) => error.fault().is_innocent(),
            Self::Ended(_) => false,
        }
    }

    fn code(&self) -> Option<String> {
        match self {
            Self::Database(error) => error.code(),
            Self::Ended(_) => None,
        }
    }

    fn into_error(self) -> DbError {
        match self {
            Self::Database(error) => error,
            Self::Ended(why) => DbError::Pool(format!("a database task ended: {why}")),
        }
    }
}

enum Prepared {
    /// Over what, what, and what is to be said of it beside the outcome.
    Send(Channel, Box<Message>, Option<String>),
    Settled,
}

fn wait_for_address(
    conn: &mut crate::db::Conn,
    one: &Leased,
    now: Timestamp,
    end: impl FnOnce(&mut crate::db::Conn, Settled) -> Result<Prepared, DbError>,
) -> Result<Prepared, DbError> {
    if now > one.created_at.plus(WAIT_FOR_ADDRESS) {
        return end(
            conn,
            Settled::Cancelled("no e-mail address became known in 14 days".to_owned()),
        );
    }
    deliveries::hand_back(
        conn,
        one,
        now.plus(LOOK_FOR_ADDRESS),
        "waits for an e-mail address",
    )?;
    Ok(Prepared::Settled)
}

/// What becomes of the delivery. `note` goes before what the other side said.
fn settled_as(outcome: &Outcome, note: Option<&str>, one: &Leased, now: Timestamp) -> Settled {
    let said = |reason: &String| match note {
        Some(note) => format!("{note}: {reason}"),
        None => reason.clone(),
    };
    let attempt = u32::try_from(one.attempts).unwrap_or(0).saturating_add(1);
    let is_webhook = one.channel == Channel::Webhook.name();
    match outcome {
        Outcome::Sent { detail } => Settled::Sent(said(detail)),
        Outcome::Later { reason, .. } if attempt >= MAX_ATTEMPTS => Settled::Failed(said(reason)),
        Outcome::Later {
            retry_after,
            reason,
        } => {
            let wait =
                retry::wait_after(attempt, one.lease_token).max(retry_after.unwrap_or_default());
            Settled::Again(now.plus(wait), said(reason))
        }
        Outcome::RefusedMessage { reason } => Settled::Failed(said(reason)),
        // Due again: it waits until somebody lets the destination go on.
        Outcome::RefusedDestination { reason } => Settled::Again(now, said(reason)),
        // A machine knows what it has had by the id; people would read it twice (R63).
        Outcome::Unknown { reason } if is_webhook && attempt < MAX_ATTEMPTS => {
            let why = format!("{}; sent again under the same id", said(reason));
            Settled::Again(now.plus(retry::wait_after(attempt, one.lease_token)), why)
        }
        Outcome::Unknown { reason } => Settled::Unknown(said(reason)),
    }
}

/// Adds what a webhook tells beside the profile.
fn with_detail(mut message: Message, detail: Option<&str>) -> Message {
    let detail = detail.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    let data = message
        .payload
        .as_mut()
        .and_then(|payload| payload.get_mut("data"))
        .and_then(Value::as_object_mut);
    if let (Some(data), Some(detail)) = (data, detail) {
        data.extend(detail);
    }
    message
}

/// A web address may hold a secret in its path: operators see its host only.
pub(crate) fn shown_recipient<'a>(to: &Recipient, recipient: &'a str) -> &'a str {
    match to {
        Recipient::Url(_) => {
            let path = recipient.find("://").map_or(0, |at| at + 3);
            let end = recipient
                .get(path..)
                .and_then(|rest| rest.find('/'))
                .map_or(recipient.len(), |at| path + at);
            recipient.get(..end).unwrap_or(recipient)
        }
        _ => recipient,
    }
}

/// The message a step makes for one person.
pub(crate) fn compose(
    key: &str,
    event_id: Option<&str>,
    step: &Step,
    on: &Event,
    recipient: String,
    vars: &Value,
    now: Timestamp,
) -> Result<Message, super::template::TemplateError> {
    let escape = match step.channel {
        Channel::Slack => Escape::Slack,
        Channel::Email | Channel::Webhook => Escape::PlainText,
    };
    let fill = |source: &Option<String>, escape| {
        source
            .as_deref()
            .map(|source| render(source, vars, escape))
            .transpose()
    };
    let payload = (step.channel == Channel::Webhook)
        .then(|| json!({"type": on.name(), "timestamp": now, "data": {"profile": vars, "event_id": event_id}}));
    Ok(Message {
        delivery_key: key.to_owned(),
        recipient,
        subject: fill(&step.subject, Escape::Header)?,
        text: fill(&step.text, escape)?.unwrap_or_default(),
        html: fill(&step.html, Escape::Html)?,
        payload,
        event_type: Some(on.name().to_owned()),
        at: now,
    })
}
