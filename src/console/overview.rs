//! The first page: is all well, what needs a person, what the last hour was like, who is there.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::holds::{self, HoldQuery};
use crate::operations::hour::{Revoked, last_hour};
use crate::operations::names;
use crate::operations::overview::{Headcount, Overview, headcounts, overview};

use super::chart::{self, Chart};
use super::count::Count;
use super::frame::{Frame, Section, page};
use super::refusal::Refusal;
use super::todo::{LISTED, Todo, todo_of};
use super::visitor::Visitor;
use super::when::{When, took};

#[derive(Template)]
#[template(path = "overview.html", config = "src/console/askama.toml")]
struct OverviewPage {
    frame: Frame,
    figures: Overview,
    oldest: Option<When>,
    todo: Vec<Todo>,
    hour: Option<Charts>,
    organizations: Vec<OrganizationRow>,
    operates: bool,
}

impl OverviewPage {
    fn tone(&self) -> &'static str {
        if self.todo.iter().any(|one| one.urgent) {
            "bad"
        } else {
            "warn"
        }
    }
}

/// The last hour.
#[derive(Debug)]
struct Charts {
    arrivals: Chart,
    outcomes: Chart,
    revoked: String,
}

#[derive(Debug)]
struct OrganizationRow {
    id: String,
    name: String,
    people: Count,
    removed: Count,
    messaging: Option<When>,
}

pub(super) async fn show(
    visitor: Visitor,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, worker) = (visitor.actor.clone(), visitor.now, state.wanted.worker);
    let (figures, hour, listed, open, names) = state
        .read(move |conn| {
            Ok((
                overview(conn, &actor, now)?,
                last_hour(conn, &actor, now)?,
                headcounts(conn, &actor)?,
                holds::list(conn, &actor, &undecided())?.data,
                names::of_organizations(conn, &actor)?,
            ))
        })
        .await?;
    page(&OverviewPage {
        frame: visitor.frame("Overview", Section::Overview),
        oldest: figures.oldest_ready.map(|at| When::new(at, now)),
        todo: todo_of(&figures, &open, now, worker),
        hour: hour.map(|hour| Charts {
            arrivals: chart::arrivals(&hour),
            outcomes: chart::outcomes(&hour),
            revoked: told(hour.revoked),
        }),
        organizations: listed
            .into_iter()
            .map(|one| row(one, &names, now))
            .collect(),
        operates: visitor.operates(),
        figures,
    })
}

fn undecided() -> HoldQuery {
    HoldQuery {
        state: Some("open".to_owned()),
        limit: i64::try_from(LISTED).ok(),
        ..HoldQuery::default()
    }
}

fn told(revoked: Option<Revoked>) -> String {
    match revoked {
        None => "Nobody's access was taken away in the last hour.".to_owned(),
        Some(Revoked {
            count,
            median,
            slowest,
        }) => {
            let (median, slowest) = (took(median), took(slowest));
            match count {
                1 => format!("1 removal, no access {median} after it came."),
                _ => format!(
                    "{count} removals, no access {median} after they came at the median, {slowest} at the slowest."
                ),
            }
        }
    }
}

fn row(one: Headcount, names: &[(String, String)], now: Timestamp) -> OrganizationRow {
    OrganizationRow {
        people: Count((one.active + one.on_leave).min(crate::operations::overview::CAP)),
        removed: Count(one.removed),
        messaging: one.messaging_enabled_at.map(|at| When::new(at, now)),
        name: names
            .iter()
            .find_map(|(id, name)| (*id == one.id).then(|| name.clone()))
            .unwrap_or_else(|| one.id.clone()),
        id: one.id,
    }
}
