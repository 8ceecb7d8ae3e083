//! Conflicts: directory users whom only a person can tell apart; the list, and one with whom it might be,
//! side by side, and the decision for those who operate.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::conflicts::{self, Answer, ConflictQuery, ConflictView, Decide, Somebody};
use crate::operations::names;

use super::frame::{Frame, Section, go, page};
use super::link::{Pager, Tab, encoded, link, said};
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};
use super::when::When;

const PATH: &str = "/console/conflicts";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/conflicts", web::get().to(list))
        .route("/conflicts/{id}", web::get().to(show))
        .route("/conflicts/{id}/decide", web::post().to(decide));
}

#[derive(Template)]
#[template(path = "conflicts.html", config = "src/console/askama.toml")]
struct ConflictsPage {
    frame: Frame,
    tabs: Vec<Tab>,
    narrowed: bool,
    rows: Vec<Row>,
    pager: Pager,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    question: &'static str,
    organization: Option<String>,
    candidates: Vec<String>,
    last: When,
}

/// Which conflicts, as the address has it.
#[derive(Debug, Deserialize)]
pub(super) struct Filters {
    kind: Option<String>,
    cursor: Option<String>,
}

async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner();
    let (kind, cursor) = (said(filters.kind), said(filters.cursor));
    let actor = visitor.actor.clone();
    let query = ConflictQuery {
        kind: kind.clone(),
        cursor: cursor.clone(),
        ..ConflictQuery::default()
    };
    let (found, organizations) = state
        .read(move |conn| {
            let found = conflicts::list(conn, &actor, &query)?;
            Ok((found, names::of_organizations(conn, &actor)?))
        })
        .await?;
    let organizations: BTreeMap<String, String> = organizations.into_iter().collect();
    page(&ConflictsPage {
        frame: visitor.frame("Conflicts", Section::People),
        tabs: tabs(kind.as_deref()),
        pager: Pager::new(
            PATH,
            &[("kind", kind.as_deref())],
            cursor.as_deref(),
            found.next_cursor.as_deref(),
        ),
        narrowed: kind.is_some() || cursor.is_some(),
        rows: found
            .data
            .into_iter()
            .map(|one| row(one, &organizations, visitor.now))
            .collect(),
    })
}

fn row(one: ConflictView, organizations: &BTreeMap<String, String>, now: Timestamp) -> Row {
    let name = one.profile.and_then(|somebody| somebody.display_name);
    Row {
        name: name.unwrap_or_else(|| "Somebody without a profile".to_owned()),
        question: question(one.kind),
        organization: organizations
            .get(&one.organization_id)
            .filter(|_| organizations.len() > 1)
            .cloned(),
        candidates: one.candidates.into_iter().map(name_of).collect(),
        last: When::new(one.last_event_at, now),
        id: one.directory_user_id,
    }
}

fn name_of(somebody: Somebody) -> String {
    somebody.display_name.unwrap_or(somebody.profile_id)
}

/// What is asked, for somebody who has never heard of it.
fn question(kind: Option<&str>) -> &'static str {
    match kind {
        Some("conflict") => {
            "Who is this? Several people match. Over an address or provider id, access is refused until you \
             decide; over an employee number, both people keep their access."
        }
        Some("address") => {
            "Their new address is somebody else's; it is kept aside. Are they the same person?"
        }
        Some("possible_rehire") => "Have they worked here before? They may come in either way.",
        _ => "It was decided; it can be decided anew.",
    }
}

fn tabs(shown: Option<&str>) -> Vec<Tab> {
    let kinds = [
        ("All", None),
        ("Who is this?", Some("conflict")),
        ("Addresses", Some("address")),
        ("Rehires?", Some("possible_rehire")),
    ];
    Tab::all(kinds, shown, |kind| link(PATH, &[("kind", kind)]))
}

#[derive(Template)]
#[template(path = "conflict.html", config = "src/console/askama.toml")]
struct ConflictPage {
    frame: Frame,
    one: ConflictView,
    title: String,
    question: &'static str,
    over: Option<String>,
    candidates: Vec<Candidate>,
    decisions: Vec<Decision>,
    last: When,
    operates: bool,
    csrf: String,
}

#[derive(Debug)]
struct Candidate {
    somebody: Somebody,
    name: String,
    left: Option<When>,
}

#[derive(Debug)]
struct Decision {
    other: String,
    same: bool,
    by: String,
    at: When,
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let mut one = state
        .read(move |conn| conflicts::show(conn, &actor, &id))
        .await?;
    let when = |at| When::new(at, visitor.now);
    let name = one
        .profile
        .as_ref()
        .and_then(|one| one.display_name.clone());
    let title = name.unwrap_or_else(|| "Somebody without a profile".to_owned());
    let candidates = std::mem::take(&mut one.candidates).into_iter();
    let decisions = std::mem::take(&mut one.decisions).into_iter();
    page(&ConflictPage {
        frame: visitor.frame(title.clone(), Section::People),
        title,
        question: question(one.kind),
        over: one.over.as_deref().map(|over| over.replace('_', " ")),
        candidates: candidates
            .map(|somebody| Candidate {
                name: name_of(somebody.clone()),
                left: somebody.removed_at.map(when),
                somebody,
            })
            .collect(),
        decisions: decisions
            .map(|one| Decision {
                other: one.other_directory_user_id,
                same: one.same,
                by: one.decided_by,
                at: when(one.decided_at),
            })
            .collect(),
        last: when(one.last_event_at),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        one,
    })
}

/// Who it is: somebody known, or, without a profile, somebody of their own.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    profile_id: Option<String>,
}

async fn decide(
    act: Act<Choice>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let profile_id = said(act.form.profile_id);
    let decide = Decide {
        decision: match profile_id {
            Some(_) => Answer::SameAs,
            None => Answer::NewPerson,
        },
        profile_id,
    };
    let to = format!("{PATH}/{}?done=settled", encoded(&id));
    state
        .write(move |conn| conflicts::decide(conn, &actor, &id, &decide, now))
        .await?;
    Ok(go(&to))
}
