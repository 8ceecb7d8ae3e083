//! What went wrong, grouped by cause: kind, error and destination, the newest first; each with how
//! many, since when, an example, what to do, and the filter that replays them all.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::outbox::catch_ups::CatchUpRow;
use crate::outbox::{self, EventFailures, EventState};
use crate::store::failing_reconciles::{self, FailingDirectory};
use crate::store::jobs::JobRow;
use crate::store::wrong_paths::WrongPath;
use crate::triggers::deliveries::{self, DeliveryFailures};
use crate::triggers::destinations::DestinationRow;

use super::{Actor, OperationError, Page, Role, failing, jobs, refusals, wrong_paths};

/// Failures that have one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct FailureView {
    /// `event`, `delivery`, `webhook` for what the endpoint refused (WorkOS shows it as failed), `workos` for
    /// what is asked of WorkOS and fails again and again, `destination` where sending does, or `job`.
    pub about: &'static str,
    /// The kind of event or job, or the channel.
    pub kind: String,
    /// `failed`, `ready` (an event that will be tried again), `unknown` (a message), `refused`, `failing` (is tried again by itself).
    pub state: String,
    /// The error, with what differs from one to the next left out (`…`).
    pub cause: String,
    /// Where messages were to go; null for e-mail, whose addresses are people's, and for events.
    pub destination: Option<String>,
    pub count: i64,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    /// The id of the newest.
    pub example: Option<String>,
    pub what_to_do: &'static str,
    /// The body of `POST /v1/events/replay` that replays these; null where nothing can be replayed.
    pub replay: Option<ReplayFilter>,
    /// The body of `POST /v1/deliveries/retry` that sends these again; null where they are no failed messages.
    pub resend: Option<ResendFilter>,
}

/// Which failed messages of one cause are sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ResendFilter {
    pub channel: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Which events a replay of one cause takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ReplayFilter {
    pub state: String,
    #[serde(rename = "type")]
    pub event_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// Refusals at the door are told for so long.
pub(super) const TOLD_FOR: Duration = Duration::from_secs(7 * 86_400);

/// Every cause of a failure that is open, and what the endpoint refused in the last seven days, the
/// newest first.
pub fn list(
    conn: &mut Conn,
    actor: &Actor,
    organization: Option<&str>,
    now: Timestamp,
) -> Result<Page<FailureView>, OperationError> {
    actor.require(Role::Viewer)?;
    let organization = actor.scope(organization)?;
    let events = outbox::failures(conn, organization.as_deref())?;
    let newest: Vec<i64> = events.iter().filter_map(|row| row.newest).collect();
    let names: BTreeMap<i64, String> = outbox::names_of(conn, &newest)?.into_iter().collect();
    let messages = deliveries::failures(conn, organization.as_deref())?;
    let all = events
        .into_iter()
        .map(|row| of_event(row, &names))
        .chain(messages.into_iter().map(of_delivery));
    // Whose they were is not known: nothing in them is believed.
    let refused = match organization {
        Some(_) => Vec::new(),
        None => refusals::by_reason(conn, now.minus(TOLD_FOR))?,
    };
    let wrong = match organization {
        Some(_) => Vec::new(),
        None => wrong_paths::since(conn, now.minus(TOLD_FOR))?,
    };
    let asked = asked_of_workos(conn, organization.as_deref(), now)?;
    let places = failing::destinations(conn, organization.as_deref(), now)?;
    let failed_jobs = jobs::failed(conn, organization.as_deref())?;
    let failed_jobs = failed_jobs.into_iter().map(of_job);
    let all = all
        .chain(places.into_iter().map(of_destination))
        .chain(refused.into_iter().map(of_refusal))
        .chain(wrong.into_iter().map(of_wrong_path))
        .chain(failed_jobs)
        .chain(asked);
    Ok(Page {
        data: grouped(all),
        next_cursor: None,
    })
}

/// One row a cause: counts added up, the newest example kept.
fn grouped(all: impl Iterator<Item = FailureView>) -> Vec<FailureView> {
    let mut groups: BTreeMap<(&str, String, String, String, Option<String>), FailureView> =
        BTreeMap::new();
    for one in all {
        let key = (
            one.about,
            one.kind.clone(),
            one.state.clone(),
            one.cause.clone(),
            one.destination.clone(),
        );
        let Some(group) = groups.get_mut(&key) else {
            groups.insert(key, one);
            continue;
        };
        group.count += one.count;
        group.first_at = group.first_at.min(one.first_at);
        if one.last_at > group.last_at {
            group.last_at = one.last_at;
            group.example = one.example;
        }
    }
    let mut sorted: Vec<_> = groups.into_values().collect();
    sorted.sort_by_key(|one| std::cmp::Reverse(one.last_at));
    sorted
}

/// Whether events of a kind may be removals of a person.
fn may_remove(event_type: &str) -> bool {
    event_type.starts_with("dsync.user.")
}

fn of_event(row: EventFailures, names: &BTreeMap<i64, String>) -> FailureView {
    let error = row.error.unwrap_or_default();
    let cause = without_particulars(&error);
    let failed = row.state == EventState::Failed.as_str();
    FailureView {
        about: "event",
        replay: failed.then(|| ReplayFilter {
            state: row.state.clone(),
            event_type: row.event_type.clone(),
            error: longest_piece(&cause).to_owned(),
        }),
        what_to_do: if failed && may_remove(&row.event_type) {
            "look at the example; where it is a removal, access of the person stays refused until it is replayed or discarded: a dry run first says what would change"
        } else if failed {
            "look at the example; once its cause is mended, replay them: a dry run first says what would change"
        } else {
            "nothing yet: they are tried again by themselves, and given up after the last attempt"
        },
        kind: row.event_type,
        state: row.state,
        cause,
        destination: None,
        count: row.count,
        first_at: row.first_at,
        last_at: row.last_at,
        example: row.newest.and_then(|id| names.get(&id).cloned()),
        resend: None,
    }
}

fn of_refusal((reason, count, first, last): (String, i64, Timestamp, Timestamp)) -> FailureView {
    let (cause, what_to_do) = refusals::told(&reason);
    FailureView {
        about: "webhook",
        kind: reason,
        state: "refused".to_owned(),
        cause: cause.to_owned(),
        destination: None,
        count,
        first_at: Some(first),
        last_at: Some(last),
        example: None,
        what_to_do,
        replay: None,
        resend: None,
    }
}

fn of_wrong_path(row: WrongPath) -> FailureView {
    FailureView {
        about: "webhook",
        kind: "wrong_path".to_owned(),
        state: "refused".to_owned(),
        cause: format!("404: WorkOS may be posting to a wrong path: {}", row.path),
        destination: None,
        count: row.count,
        first_at: Some(row.first_at),
        last_at: Some(row.last_at),
        example: None,
        what_to_do: "set the endpoint's URL in the WorkOS dashboard to this server's /webhooks/workos (`rollcall webhooks register --url` does it); `rollcall catch-up` reads what was lost",
        replay: None,
        resend: None,
    }
}

/// What is asked of WorkOS and fails again and again (R93).
fn asked_of_workos(
    conn: &mut Conn,
    organization: Option<&str>,
    now: Timestamp,
) -> Result<Vec<FailureView>, OperationError> {
    let mut asked = Vec::new();
    // Events of all organizations are read in one go.
    if organization.is_none() {
        asked.extend(failing::catch_ups(conn, now)?.into_iter().map(of_catch_up));
    }
    for directory in failing::comparisons(conn, organization, now)? {
        let reason = failing_reconciles::reason_of(conn, &directory.directory_id)?;
        asked.push(of_comparison(directory, reason));
    }
    Ok(asked)
}

fn of_catch_up(row: CatchUpRow) -> FailureView {
    FailureView {
        kind: "catch_up".to_owned(),
        cause: row.last_error.unwrap_or_default(),
        count: row.failures,
        first_at: row.failing_since,
        last_at: row.polled_at,
        example: None,
        what_to_do: "put the cause right; reading is tried again by itself, and `rollcall catch-up` does it now",
        ..of_workos()
    }
}

fn of_comparison(directory: FailingDirectory, reason: Option<String>) -> FailureView {
    FailureView {
        kind: "comparison".to_owned(),
        cause: reason.unwrap_or_default(),
        count: directory.times,
        first_at: Some(directory.since),
        last_at: Some(directory.last_at),
        example: Some(directory.directory_id),
        what_to_do: "put the cause right; the comparison is tried again by itself, and `rollcall directories reconcile` does it now",
        ..of_workos()
    }
}

/// Where nothing is taken at the moment (R93).
fn of_destination(row: DestinationRow) -> FailureView {
    FailureView {
        about: "destination",
        kind: row.channel,
        cause: row.failure.unwrap_or_default(),
        destination: Some(row.shown),
        count: row.failures,
        first_at: row.failing_since,
        last_at: row.failed_at,
        example: Some(row.id),
        what_to_do: "check that the receiver is running and reachable; messages are sent again automatically",
        ..of_workos()
    }
}

/// Long work that was given up.
fn of_job(row: JobRow) -> FailureView {
    FailureView {
        about: "job",
        kind: row.kind,
        state: row.state,
        cause: without_particulars(row.reason.as_deref().unwrap_or_default()),
        count: 1,
        first_at: row.ended_at,
        last_at: row.ended_at,
        example: Some(row.id),
        what_to_do: "put the cause right, then try the job again (`rollcall jobs retry`), or end it (`rollcall jobs cancel`); what it had done is done",
        ..of_workos()
    }
}

fn of_workos() -> FailureView {
    FailureView {
        about: "workos",
        kind: String::new(),
        state: "failing".to_owned(),
        cause: String::new(),
        destination: None,
        count: 0,
        first_at: None,
        last_at: None,
        example: None,
        what_to_do: "",
        replay: None,
        resend: None,
    }
}

fn of_delivery(row: DeliveryFailures) -> FailureView {
    let cause = without_particulars(row.reason.as_deref().unwrap_or_default());
    // An address is somebody's; a channel's failures belong together.
    let destination = row.recipient.filter(|_| row.channel != "email");
    let failed = row.state == "failed";
    FailureView {
        about: "delivery",
        replay: None,
        resend: failed.then(|| ResendFilter {
            channel: row.channel.clone(),
            recipient: destination.clone(),
            reason: longest_piece(&cause).to_owned(),
        }),
        what_to_do: if failed {
            "mend the destination or the text, then send all of these again"
        } else {
            "ask the recipient or the other side whether it came; only then send it again by hand: deliveries retry"
        },
        destination,
        kind: row.channel,
        state: row.state,
        cause,
        count: row.count,
        first_at: row.first_at,
        last_at: row.last_at,
        example: row.newest,
    }
}

/// The words of an error without what is different each time: quoted texts, ids, numbers of four
/// digits and more.
fn without_particulars(error: &str) -> String {
    let mut said: Vec<&str> = Vec::new();
    let mut quoted = false;
    for word in error.split_whitespace() {
        let opens = word.matches('"').count() % 2 == 1;
        if quoted || opens || is_particular(word) {
            if said.last() != Some(&"…") {
                said.push("…");
            }
            quoted = quoted != opens;
        } else {
            said.push(word);
        }
    }
    said.join(" ")
}

fn is_particular(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    let digits = bare.chars().filter(char::is_ascii_digit).count();
    word.contains(['"', '@']) || digits >= 4 || bare.contains("_0") || bare.contains("://")
}

/// The longest run of words that every error of this cause has.
fn longest_piece(cause: &str) -> &str {
    let pieces = cause.split('…').map(str::trim);
    pieces.max_by_key(|piece| piece.len()).unwrap_or_default()
}

#[cfg(test)]
#[path = "failures_tests.rs"]
mod tests;
