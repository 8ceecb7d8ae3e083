//! One event: what came of it and why in a sentence, what it changed, which messages followed, what
//! was tried; replay and discard for those who operate.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::events::{self, ChangeView, EventDetail, EventView};
use crate::operations::names;

use super::events::short;
use super::frame::{Frame, Section, go, page};
use super::indent::indent;
use super::link::encoded;
use super::refusal::Refusal;
use super::visitor::{Act, Button, Visitor};
use super::when::When;

#[derive(Template)]
#[template(path = "event.html", config = "src/console/askama.toml")]
struct EventPage {
    frame: Frame,
    one: EventDetail,
    kind: String,
    verdict: String,
    tone: &'static str,
    person: Option<String>,
    payload: Option<String>,
    occurred: When,
    received: When,
    settled: Option<When>,
    changes: Vec<ChangeRow>,
    attempts: Vec<AttemptRow>,
    operates: bool,
    csrf: String,
}

#[derive(Debug)]
struct ChangeRow {
    what: String,
    old: Option<String>,
    new: Option<String>,
}

#[derive(Debug)]
struct AttemptRow {
    at: When,
    what: String,
    detail: Option<String>,
    actor: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let (mut one, person, communities) = state
        .read(move |conn| {
            let one = events::show(conn, &actor, &id)?;
            let ids: Vec<String> = one.event.profile_id.iter().cloned().collect();
            let person = names::of_people(conn, &actor, &ids)?.into_values().next();
            let joined: Vec<String> = one
                .changes
                .iter()
                .filter(|change| change.what == "membership")
                .map(|change| change.name.clone())
                .collect();
            let communities = names::of_communities(conn, &actor, &joined)?;
            Ok((one, person, communities))
        })
        .await?;
    let when = |at| When::new(at, visitor.now);
    let (verdict, tone) = verdict(&one.event);
    let changes = std::mem::take(&mut one.changes).into_iter().map(|change| {
        let community = communities.get(&change.name).cloned();
        change_row(change, community)
    });
    let attempts = std::mem::take(&mut one.attempt_log).into_iter();
    page(&EventPage {
        frame: visitor.frame(short(&one.event.event_type), Section::Events),
        kind: short(&one.event.event_type).to_owned(),
        verdict,
        tone,
        person,
        payload: one.payload.take().map(|json| indent(json.get())),
        occurred: when(one.event.occurred_at),
        received: when(one.event.received_at),
        settled: one.event.settled_at.map(when),
        changes: changes.collect(),
        attempts: attempts
            .map(|attempt| AttemptRow {
                at: when(attempt.at),
                what: attempt.what,
                detail: attempt.detail,
                actor: attempt.actor,
            })
            .collect(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        one,
    })
}

fn change_row(change: ChangeView, community: Option<String>) -> ChangeRow {
    let what = match (change.what.as_str(), community) {
        ("membership", Some(name)) => format!("Community “{name}”"),
        ("membership", None) => "A community".to_owned(),
        ("field", _) => change.name.replace('_', " "),
        (what, _) => what.to_owned(),
    };
    ChangeRow {
        what,
        old: change.old,
        new: change.new,
    }
}

/// What came of it, in a sentence, and how it is coloured.
fn verdict(event: &EventView) -> (String, &'static str) {
    let why = |lead: &str, why: &Option<String>| match why {
        Some(why) => format!("{lead}: {}.", why.trim_end_matches('.')),
        None => format!("{lead}."),
    };
    match (event.state.as_str(), event.outcome.as_deref()) {
        ("ready", _) if event.error.is_some() => (
            why(
                &format!("Failed {} times and will be tried again", event.attempts),
                &event.error,
            ),
            "warn",
        ),
        ("ready", _) => ("Waits for the worker.".to_owned(), "info"),
        ("held", _) => (why("Held until somebody decides", &event.reason), "warn"),
        ("failed", _) => {
            let cause = event.error.clone().or_else(|| event.reason.clone());
            (why("Given up", &cause), "bad")
        }
        ("ignored", _) | (_, Some("ignored")) => (why("Ignored", &event.reason), "quiet"),
        (_, Some("applied")) => (why("Applied", &event.reason), "good"),
        (_, Some("unchanged")) => (why("Changed nothing", &event.reason), "quiet"),
        (_, Some("stale")) => (why("Too late to change anything", &event.reason), "quiet"),
        (_, Some("failed")) => (why("Failed", &event.reason), "bad"),
        (_, Some(other)) => (why(other, &event.reason), "quiet"),
        (_, None) => (why("Done", &event.reason), "quiet"),
    }
}

pub(super) async fn replay(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| events::replay(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!(
        "/console/events/{}?done=replayed",
        encoded(&one.id)
    )))
}

/// Why an event is discarded.
#[derive(Debug, Deserialize)]
pub(super) struct Discard {
    reason: String,
}

pub(super) async fn discard(
    act: Act<Discard>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, reason) = (act.visitor.actor, act.visitor.now, act.form.reason);
    let one = state
        .write(move |conn| events::discard(conn, &actor, &id, &reason, now))
        .await?;
    Ok(go(&format!(
        "/console/events/{}?done=discarded",
        encoded(&one.id)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn event(state: &str, outcome: Option<&str>, reason: Option<&str>) -> EventView {
        EventView {
            id: "event_1".to_owned(),
            event_type: "dsync.user.updated".to_owned(),
            organization_id: None,
            directory_id: None,
            profile_id: None,
            state: state.to_owned(),
            outcome: outcome.map(str::to_owned),
            reason: reason.map(str::to_owned),
            attempts: 2,
            error: None,
            occurred_at: Timestamp(0),
            received_at: Timestamp(0),
            settled_at: None,
        }
    }

    #[test]
    fn r70_an_event_says_what_came_of_it_in_a_sentence() {
        let said = |one: EventView| verdict(&one).0;
        assert_eq!(
            said(event("done", Some("applied"), Some("title changed"))),
            "Applied: title changed."
        );
        assert_eq!(said(event("ready", None, None)), "Waits for the worker.");
        let mut failing = event("ready", None, None);
        failing.error = Some("the database was away.".to_owned());
        assert_eq!(
            said(failing),
            "Failed 2 times and will be tried again: the database was away."
        );
    }
}
