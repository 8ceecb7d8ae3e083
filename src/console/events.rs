//! What WorkOS sent: a list with filters, all of them in the address, and the routes around one.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::events::{self, EventQuery, EventView, OUTCOMES};
use crate::operations::names;

use super::event;
use super::frame::{Frame, Section, page};
use super::link::{Pager, Tab, link, said};
use super::refusal::Refusal;
use super::replay;
use super::visitor::Visitor;
use super::when::When;

const PATH: &str = "/console/events";
const TYPES: [&str; 12] = [
    "dsync.activated",
    "dsync.deactivated",
    "dsync.deleted",
    "dsync.user.created",
    "dsync.user.updated",
    "dsync.user.deleted",
    "dsync.group.created",
    "dsync.group.updated",
    "dsync.group.deleted",
    "dsync.group.user_added",
    "dsync.group.user_removed",
    "organization.deleted",
];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/events", web::get().to(list))
        .route("/events/replay/preview", web::post().to(replay::preview))
        .route("/events/replay", web::post().to(replay::begin))
        .route("/events/{id}", web::get().to(event::show))
        .route("/events/{id}/replay", web::post().to(event::replay))
        .route("/events/{id}/discard", web::post().to(event::discard));
}

#[derive(Template)]
#[template(path = "events.html", config = "src/console/askama.toml")]
struct EventsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    filters: Filters,
    outcomes: [&'static str; 6],
    types: [&'static str; 12],
    rows: Vec<EventRow>,
    pager: Pager,
    operates: bool,
    csrf: String,
}

/// The filters, as the address has them.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    outcome: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    directory: Option<String>,
    since: Option<String>,
    until: Option<String>,
    error: Option<String>,
    q: Option<String>,
    person: Option<String>,
    cursor: Option<String>,
}

impl Filters {
    fn cleaned(self) -> Self {
        Self {
            state: said(self.state),
            outcome: said(self.outcome),
            kind: said(self.kind),
            directory: said(self.directory),
            since: said(self.since),
            until: said(self.until),
            error: said(self.error),
            q: said(self.q),
            person: said(self.person),
            cursor: said(self.cursor),
        }
    }

    /// What is asked for.
    pub(super) fn query(&self) -> Result<EventQuery, Refusal> {
        let all = self.clone().cleaned();
        Ok(EventQuery {
            since: all.since.as_deref().map(instant).transpose()?,
            until: all.until.as_deref().map(instant).transpose()?,
            state: all.state,
            outcome: all.outcome,
            event_type: all.kind,
            directory_id: all.directory,
            profile_id: all.person,
            error: all.error,
            q: all.q,
            cursor: all.cursor,
            ..EventQuery::default()
        })
    }

    fn with_state<'a>(&'a self, state: Option<&'a str>) -> [(&'static str, Option<&'a str>); 9] {
        [
            ("state", state),
            ("outcome", self.outcome.as_deref()),
            ("type", self.kind.as_deref()),
            ("directory", self.directory.as_deref()),
            ("since", self.since.as_deref()),
            ("until", self.until.as_deref()),
            ("error", self.error.as_deref()),
            ("q", self.q.as_deref()),
            ("person", self.person.as_deref()),
        ]
    }

    /// By their names in an address or a form.
    pub(super) fn fields(&self) -> [(&'static str, Option<&str>); 9] {
        self.with_state(self.state.as_deref())
    }

    /// The same, whatever the state.
    pub(super) fn in_any_state(&self) -> Self {
        Self {
            state: None,
            ..self.clone()
        }
    }

    fn narrowed(&self) -> bool {
        self.fields().iter().any(|(_, value)| value.is_some())
    }

    /// Whether one of the less common ones says something.
    fn more(&self) -> bool {
        let rare = [&self.directory, &self.since, &self.until, &self.error];
        rare.iter().any(|value| value.is_some())
    }
}

/// Reads an instant as a form field writes it (without a zone: UTC) or as our links do.
fn instant(text: &str) -> Result<Timestamp, Refusal> {
    Timestamp::parse(text).ok_or_else(|| {
        Refusal::unreadable(
            "since and until are days or instants, such as 2026-11-23 or 2026-11-23T10:00Z",
        )
    })
}

/// One line of the list.
#[derive(Debug)]
struct EventRow {
    id: String,
    kind: String,
    person: Option<(String, String)>,
    verdict: String,
    why: Option<String>,
    received: When,
}

async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner().cleaned();
    let actor = visitor.actor.clone();
    let query = filters.query()?;
    let (found, people) = state
        .read(move |conn| {
            let found = events::list(conn, &actor, &query)?;
            let ids: Vec<String> = found
                .data
                .iter()
                .filter_map(|one| one.profile_id.clone())
                .collect();
            Ok((found, names::of_people(conn, &actor, &ids)?))
        })
        .await?;
    let pager = Pager::new(
        PATH,
        &filters.fields(),
        filters.cursor.as_deref(),
        found.next_cursor.as_deref(),
    );
    page(&EventsPage {
        frame: visitor.frame("Events", Section::Events),
        tabs: tabs(&filters),
        outcomes: OUTCOMES,
        types: TYPES,
        rows: found
            .data
            .into_iter()
            .map(|one| row(one, &people, &visitor))
            .collect(),
        pager,
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        filters,
    })
}

fn row(one: EventView, people: &BTreeMap<String, String>, visitor: &Visitor) -> EventRow {
    let person = one.profile_id.and_then(|id| {
        let name = people.get(&id)?.clone();
        Some((id, name))
    });
    EventRow {
        id: one.id,
        kind: short(&one.event_type).to_owned(),
        person,
        // What came of it; until that is known, or when it waits for somebody, the state.
        verdict: match one.state.as_str() {
            "ready" | "held" | "failed" => one.state,
            _ => one.outcome.unwrap_or(one.state),
        },
        why: one.error.or(one.reason),
        received: When::new(one.received_at, visitor.now),
    }
}

/// `dsync.user.created` as `user.created`: on this page everything is of Directory Sync. What is
/// about a directory itself (`dsync.deleted`) keeps its whole name.
pub(super) fn short(kind: &str) -> &str {
    kind.strip_prefix("dsync.")
        .filter(|rest| rest.contains('.'))
        .unwrap_or(kind)
}

fn tabs(filters: &Filters) -> Vec<Tab> {
    let states = [
        ("All", None),
        ("Waiting", Some("ready")),
        ("Done", Some("done")),
        ("Held", Some("held")),
        ("Failed", Some("failed")),
        ("Ignored", Some("ignored")),
    ];
    Tab::all(states, filters.state.as_deref(), |state| {
        link(PATH, &filters.with_state(state))
    })
}
