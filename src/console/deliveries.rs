//! Messages: a list with filters in the address, and the routes around one.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::deliveries::{self, CHANNELS, DeliveryQuery, DeliveryView};
use crate::operations::names;
use crate::operations::resend::{self, ResendBody};

use super::delivery;
use super::frame::{Frame, Section, go, page};
use super::link::{Pager, Tab, encoded, link, said};
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};
use super::when::When;

const PATH: &str = "/console/deliveries";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/deliveries", web::get().to(list))
        .route("/deliveries/retry", web::post().to(retry_failed))
        .route("/deliveries/{id}", web::get().to(delivery::show))
        .route("/deliveries/{id}/retry", web::post().to(delivery::retry))
        .route("/deliveries/{id}/cancel", web::post().to(delivery::cancel));
}

#[derive(Template)]
#[template(path = "deliveries.html", config = "src/console/askama.toml")]
struct DeliveriesPage {
    frame: Frame,
    tabs: Vec<Tab>,
    filters: Filters,
    channels: [&'static str; 3],
    rows: Vec<Row>,
    pager: Pager,
}

/// The filters, as the address has them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    state: Option<String>,
    channel: Option<String>,
    trigger: Option<String>,
    destination: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
}

impl Filters {
    fn cleaned(self) -> Self {
        Self {
            state: said(self.state),
            channel: said(self.channel),
            trigger: said(self.trigger),
            destination: said(self.destination),
            q: said(self.q),
            cursor: said(self.cursor),
        }
    }

    fn with_state<'a>(&'a self, state: Option<&'a str>) -> [(&'static str, Option<&'a str>); 5] {
        [
            ("state", state),
            ("channel", self.channel.as_deref()),
            ("trigger", self.trigger.as_deref()),
            ("destination", self.destination.as_deref()),
            ("q", self.q.as_deref()),
        ]
    }

    fn narrowed(&self) -> bool {
        self.with_state(self.state.as_deref())
            .iter()
            .any(|(_, value)| value.is_some())
    }
}

/// One line of the list.
#[derive(Debug)]
struct Row {
    id: String,
    what: String,
    channel: String,
    recipient: Option<String>,
    person: Option<(String, String)>,
    state: String,
    reason: Option<String>,
    at: When,
}

async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner().cleaned();
    let actor = visitor.actor.clone();
    let query = DeliveryQuery {
        state: filters.state.clone(),
        channel: filters.channel.clone(),
        trigger_id: filters.trigger.clone(),
        destination: filters.destination.clone(),
        q: filters.q.clone(),
        cursor: filters.cursor.clone(),
        ..DeliveryQuery::default()
    };
    let (found, people) = state
        .read(move |conn| {
            let found = deliveries::list(conn, &actor, &query)?;
            let ids: Vec<String> = found
                .data
                .iter()
                .map(|one| one.profile_id.clone())
                .collect();
            Ok((found, names::of_people(conn, &actor, &ids)?))
        })
        .await?;
    let pager = Pager::new(
        PATH,
        &filters.with_state(filters.state.as_deref()),
        filters.cursor.as_deref(),
        found.next_cursor.as_deref(),
    );
    let rows = found.data.into_iter();
    page(&DeliveriesPage {
        frame: visitor.frame("Deliveries", Section::Deliveries),
        tabs: tabs(&filters),
        channels: CHANNELS,
        rows: rows.map(|one| row(one, &people, &visitor)).collect(),
        pager,
        filters,
    })
}

/// Which failed messages; the fields of the button beside their cause.
#[derive(Debug, Deserialize)]
struct Failed {
    channel: Option<String>,
    recipient: Option<String>,
    reason: Option<String>,
}

async fn retry_failed(
    act: Act<Failed>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let body = ResendBody {
        channel: said(act.form.channel),
        recipient: said(act.form.recipient),
        reason: said(act.form.reason),
        ..ResendBody::default()
    };
    let view = state
        .write(move |conn| resend::resend(conn, &actor, &body, now))
        .await?;
    Ok(go(&match view.job_id {
        Some(job) => format!("/console/jobs/{}", encoded(&job)),
        None => "/console/failures".to_owned(),
    }))
}

fn row(one: DeliveryView, people: &BTreeMap<String, String>, visitor: &Visitor) -> Row {
    let person = people.get(&one.profile_id).cloned();
    Row {
        // Before the first attempt there is no subject yet: what made it due says enough.
        what: one
            .subject
            .unwrap_or_else(|| one.on.replace(['.', '_'], " ")),
        person: person.map(|name| (one.profile_id, name)),
        at: When::new(one.settled_at.unwrap_or(one.due_at), visitor.now),
        id: one.id,
        channel: one.channel,
        recipient: one.recipient,
        state: one.state,
        reason: one.reason,
    }
}

fn tabs(filters: &Filters) -> Vec<Tab> {
    let states = [
        ("All", None),
        ("Due", Some("due")),
        ("Waiting", Some("paused")),
        ("Held", Some("held")),
        ("Sent", Some("sent")),
        ("Unknown", Some("unknown")),
        ("Failed", Some("failed")),
        ("Cancelled", Some("cancelled")),
    ];
    Tab::all(states, filters.state.as_deref(), |state| {
        link(PATH, &filters.with_state(state))
    })
}
