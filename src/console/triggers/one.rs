//! One trigger: what it does in words, whether it fires, its versions, its latest messages, and the way
//! to try it on a real person.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::deliveries::{self, DeliveryQuery, DeliveryView};
use crate::operations::profiles::{self, ProfileQuery, ProfileView};
use crate::operations::triggers::{self, TriggerView, VersionView};
use crate::operations::{names, organizations};
use crate::triggers::definition::{NewTrigger, Status};
use crate::triggers::text;

use super::super::confirm::Confirm;
use super::super::frame::{Frame, Section, go, page};
use super::super::link::said;
use super::super::phrase;
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::super::when::When;
use super::home_of;

/// How many people a search offers, and how many messages are shown.
const OFFERED: i64 = 10;

#[derive(Template)]
#[template(path = "triggers/one.html", config = "src/console/askama.toml")]
struct TriggerPage {
    frame: Frame,
    id: String,
    name: String,
    organization: String,
    organization_id: String,
    status: &'static str,
    version: i32,
    updated: When,
    messaging: Option<When>,
    occasion: String,
    whom: Option<String>,
    steps: Vec<Step>,
    versions: Vec<Version>,
    messages: Vec<Message>,
    find: Option<String>,
    offered: Vec<ProfileView>,
    operates: bool,
    csrf: String,
}

#[derive(Debug)]
struct Step {
    place: String,
    delay: String,
    subject: Option<String>,
    text: Option<String>,
}

#[derive(Debug)]
struct Version {
    number: i32,
    at: When,
    by: Option<String>,
    text: String,
}

#[derive(Debug)]
struct Message {
    id: String,
    about: String,
    state: String,
    at: When,
}

/// The search for somebody to try it on.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    find: Option<String>,
}

struct Found {
    one: TriggerView,
    organization: String,
    messaging_enabled_at: Option<Timestamp>,
    versions: Vec<VersionView>,
    messages: Vec<(DeliveryView, String)>,
    offered: Vec<ProfileView>,
}

pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    search: web::Query<Search>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let find = said(search.into_inner().find);
    let (actor, asked) = (visitor.actor.clone(), find.clone());
    let found = state
        .read(move |conn| {
            let one = triggers::show(conn, &actor, &id)?;
            let home = one.definition.organization_id.clone();
            let query = DeliveryQuery {
                trigger_id: Some(id.clone()),
                limit: Some(OFFERED),
                ..DeliveryQuery::default()
            };
            let latest = deliveries::list(conn, &actor, &query)?.data;
            let ids: Vec<String> = latest.iter().map(|one| one.profile_id.clone()).collect();
            let people = names::of_people(conn, &actor, &ids)?;
            let offered = match asked {
                None => Vec::new(),
                Some(q) => {
                    let query = ProfileQuery {
                        organization_id: Some(home.clone()),
                        q: Some(q),
                        limit: Some(OFFERED),
                        ..ProfileQuery::default()
                    };
                    profiles::list(conn, &actor, &query)?.data
                }
            };
            Ok(Found {
                organization: names::of_organization(conn, &actor, &home)?,
                messaging_enabled_at: organizations::messaging_since(conn, &actor, &home)?,
                versions: triggers::versions(conn, &actor, &id)?.data,
                messages: latest
                    .into_iter()
                    .map(|one| {
                        let name = people.get(&one.profile_id).cloned();
                        (one, name.unwrap_or_default())
                    })
                    .collect(),
                offered,
                one,
            })
        })
        .await?;
    page(&page_of(&visitor, found, find))
}

fn page_of(visitor: &Visitor, found: Found, find: Option<String>) -> TriggerPage {
    let when = |at| When::new(at, visitor.now);
    let definition = found.one.definition;
    TriggerPage {
        frame: visitor.frame(definition.name.clone(), Section::Triggers),
        status: definition.status.name(),
        version: found.one.version,
        updated: when(found.one.updated_at),
        messaging: found.messaging_enabled_at.map(when),
        occasion: phrase::occasion(&definition),
        whom: definition.when.as_ref().map(ToString::to_string),
        steps: definition
            .steps
            .iter()
            .map(|step| Step {
                place: phrase::place(step),
                delay: phrase::delay(step),
                subject: step.subject.clone(),
                text: step.text.clone(),
            })
            .collect(),
        versions: found
            .versions
            .into_iter()
            .map(|one| Version {
                number: one.version,
                at: when(one.created_at),
                by: one.created_by,
                text: text::write(&one.definition),
            })
            .collect(),
        messages: found
            .messages
            .into_iter()
            .map(|(one, about)| Message {
                about,
                at: when(one.settled_at.unwrap_or(one.due_at)),
                state: one.state,
                id: one.id,
            })
            .collect(),
        offered: found.offered,
        find,
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        organization: found.organization,
        organization_id: definition.organization_id,
        name: definition.name,
        id: found.one.id,
    }
}

/// Draft or published.
#[derive(Debug, Deserialize)]
pub(super) struct Switch {
    status: String,
}

/// Publishes a trigger, or makes it a draft again; the rest of it stays as it is.
pub(super) async fn switch(
    act: Act<Switch>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let (status, to) = (Status::parse(&act.form.status), home_of(&id));
    let status = status.unwrap_or_default();
    let done = match status {
        Status::Published => "published",
        Status::Draft => "drafted",
    };
    state
        .write(move |conn| {
            let one = triggers::show(conn, &actor, &id)?;
            let wanted = NewTrigger {
                status,
                ..one.definition
            };
            triggers::update(conn, &actor, &id, &wanted, now)
        })
        .await?;
    Ok(go(&format!("{to}?done={done}")))
}

/// Asks before a trigger is deleted.
pub(super) async fn ask(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, asked) = (visitor.actor.clone(), id.clone());
    let one = state
        .read(move |conn| triggers::show(conn, &actor, &asked))
        .await?;
    let home = home_of(&id);
    page(&Confirm {
        frame: visitor.frame("Delete a trigger", Section::Triggers),
        title: format!("Delete “{}”?", one.definition.name),
        said: vec![
            "Nobody hears from it any more; what it made due and has not left is cancelled when its time comes.".to_owned(),
            "Its versions are kept, since messages that went name theirs.".to_owned(),
        ],
        action: format!("{home}/delete"),
        word: None,
        button: "Delete it".to_owned(),
        back: home,
        csrf: visitor.csrf.clone(),
    })
}

/// Deletes a trigger.
pub(super) async fn delete(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    state
        .write(move |conn| triggers::delete(conn, &actor, &id, now))
        .await?;
    Ok(go("/console/triggers?done=deleted"))
}
