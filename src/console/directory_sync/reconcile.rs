//! One comparison: how far it has come while it runs, then what differs, by kind and by the names of
//! fields, and a button that applies it.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::http::HttpState;
use crate::operations::names::{self, Called};
use crate::operations::reconciles::{self, DriftView, ReconcileView};

use super::super::frame::{Frame, Section, go, page};
use super::super::link::encoded;
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::super::when::When;
use super::HOME;
use super::asking::client;

/// The four parts of the report: what begins so, the heading, and what it means.
const PARTS: [(&str, &str, &str); 4] = [
    (
        "missing_here",
        "Missing here",
        "WorkOS has them, Rollcall does not; applying brings them in",
    ),
    (
        "missing_there",
        "Missing there",
        "Rollcall has them, WorkOS no longer does; applying removes them, under the guards",
    ),
    (
        "differs",
        "Different fields",
        "Both have them, and not with the same words; applying takes WorkOS's",
    ),
    (
        "edge",
        "Different group places",
        "Who is in which group; applying follows WorkOS",
    ),
];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directory-sync/reconciles/{id}", web::get().to(show))
        .route(
            "/directory-sync/reconciles/{id}/apply",
            web::post().to(apply),
        );
}

#[derive(Template)]
#[template(
    path = "directory_sync/reconcile.html",
    config = "src/console/askama.toml"
)]
struct ReconcilePage {
    frame: Frame,
    one: ReconcileView,
    parts: Vec<Part>,
    begun: When,
    ended: Option<When>,
    open: i64,
    /// What differs in all, of which the page may list less.
    differs: i64,
    listed: i64,
    bar: Option<(i64, i64)>,
    operates: bool,
    csrf: String,
}

impl ReconcilePage {
    fn running(&self) -> bool {
        self.one.state == "running"
    }

    /// What is done just now.
    fn doing(&self) -> &'static str {
        match self.one.phase.as_str() {
            "begin" => "waiting to begin",
            "users" => "listing people",
            "groups" => "listing groups",
            "edges" => "listing who is in which group",
            "missing_edges" | "missing_users" | "missing_groups" => {
                "asking once more about what is missing"
            }
            "again" => "asking once more about what events were heard of meanwhile",
            _ => "applying what differs",
        }
    }

    fn count(&self, name: &str) -> i64 {
        count_of(&self.one, name).unwrap_or_default()
    }

    fn counted(&self, name: &str, one: &str, many: &str) -> String {
        match self.count(name) {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        }
    }

    fn listed_so_far(&self) -> String {
        let people = self.counted("users", "person", "people");
        let groups = self.counted("groups", "group", "groups");
        let places = self.counted("edges", "place in a group", "places in groups");
        format!("{people}, {groups} and {places}")
    }
}

/// One part of the report.
struct Part {
    heading: &'static str,
    meaning: &'static str,
    rows: Vec<Row>,
}

/// One thing that differs.
struct Row {
    kind: &'static str,
    subject: Vec<Subject>,
    fields: String,
    state: String,
    reason: Option<String>,
    event_id: String,
}

/// Somebody or some group, by name where there is one here.
struct Subject {
    id: String,
    called: Option<Called>,
}

/// How much differs in all.
pub(super) fn differs_in(one: &ReconcileView) -> i64 {
    one.drift.values().flat_map(|states| states.values()).sum()
}

/// How much of what differs is still to be applied.
pub(super) fn open_in(one: &ReconcileView) -> i64 {
    one.drift
        .values()
        .filter_map(|states| states.get("open"))
        .sum()
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let (found, mut called) = state
        .read(move |conn| {
            let found = reconciles::show(conn, &actor, &id)?;
            let ids: Vec<String> = found.items.iter().flat_map(subjects_of).collect();
            let called =
                names::of_directory_things(conn, &actor, &found.reconcile.directory_id, &ids)?;
            Ok((found, called))
        })
        .await?;
    let one = found.reconcile;
    let listed = i64::try_from(found.items.len()).unwrap_or(i64::MAX);
    page(&ReconcilePage {
        frame: visitor.frame("Comparison", Section::DirectorySync),
        parts: parts(found.items, &mut called),
        begun: When::new(one.started_at, visitor.now),
        ended: one.finished_at.map(|at| When::new(at, visitor.now)),
        open: open_in(&one),
        differs: differs_in(&one),
        listed,
        bar: bar_of(&one),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        one,
    })
}

fn count_of(one: &ReconcileView, name: &str) -> Option<i64> {
    one.progress.get(name)?.as_i64()
}

/// How much is listed of how much, as far as WorkOS has said how much there is.
fn bar_of(one: &ReconcileView) -> Option<(i64, i64)> {
    let count = |name: &str| count_of(one, name);
    let expected = count("expected_users")? + count("expected_groups").unwrap_or_default();
    let listed = count("users").unwrap_or_default() + count("groups").unwrap_or_default();
    (expected > 0).then_some((listed.min(expected), expected))
}

/// The directory user or group; of an edge both.
fn subjects_of(item: &DriftView) -> Vec<String> {
    item.subject.split(' ').map(str::to_owned).collect()
}

fn parts(items: Vec<DriftView>, called: &mut BTreeMap<String, Called>) -> Vec<Part> {
    let mut all: Vec<Part> = PARTS
        .iter()
        .map(|(_, heading, meaning)| Part {
            heading,
            meaning,
            rows: Vec::new(),
        })
        .collect();
    for item in items {
        let place = part_of(&item.kind);
        let subject = subjects_of(&item).into_iter().map(|id| Subject {
            called: called.get(&id).cloned(),
            id,
        });
        let row = Row {
            kind: kind_of(&item.kind),
            subject: subject.collect(),
            fields: item.fields.join(", ").replace('_', " "),
            state: item.state,
            reason: item.reason,
            event_id: item.event_id,
        };
        if let Some(part) = all.get_mut(place) {
            part.rows.push(row);
        }
    }
    all
}

fn part_of(kind: &str) -> usize {
    let found = |what: &str| PARTS.iter().position(|(part, ..)| *part == what);
    let place = match kind {
        kind if kind.starts_with("edge") => found("edge"),
        kind if kind.ends_with("missing_here") => found("missing_here"),
        kind if kind.ends_with("missing_there") => found("missing_there"),
        _ => found("differs"),
    };
    place.unwrap_or_default()
}

fn kind_of(kind: &str) -> &'static str {
    match kind {
        "edge_missing_here" => "not in the group here",
        "edge_missing_there" => "no longer in the group there",
        kind if kind.starts_with("group") => "group",
        _ => "person",
    }
}

async fn apply(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    client(&state)?;
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let one = state
        .write(move |conn| reconciles::apply(conn, &actor, &id, now))
        .await?;
    Ok(go(&format!(
        "{HOME}/reconciles/{}?done=applying",
        encoded(&one.id)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_part() {
        let heading = |kind: &str| PARTS[part_of(kind)].1;
        assert_eq!(heading("user_missing_here"), "Missing here");
        assert_eq!(heading("group_missing_there"), "Missing there");
        assert_eq!(heading("user_differs"), "Different fields");
        assert_eq!(heading("edge_missing_here"), "Different group places");
    }
}
