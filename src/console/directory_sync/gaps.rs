//! The gap report: events that WorkOS has and no webhook brought, in stretches of time with their
//! likely cause, and how far catching up has come.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::gaps::{self, CatchUpView, GapQuery, GapView, Stretch};
use crate::operations::names;

use super::super::frame::{Frame, Section, page};
use super::super::link::said;
use super::super::refusal::Refusal;
use super::super::visitor::Visitor;
use super::super::when::When;

/// Events listed at most.
const MOST: i64 = 200;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/directory-sync/gaps", web::get().to(show));
}

#[derive(Template)]
#[template(path = "directory_sync/gaps.html", config = "src/console/askama.toml")]
struct GapsPage {
    frame: Frame,
    organizations: Vec<(String, String)>,
    chosen: Option<String>,
    lost: i64,
    late: i64,
    reached: Vec<Reached>,
    stretches: Vec<Lost>,
    events: Vec<Missed>,
    asks_workos: bool,
    /// Not all are listed.
    cut: bool,
}

/// How far catching up has come.
struct Reached {
    one: CatchUpView,
    polled: Option<When>,
    newest: Option<When>,
}

/// A stretch of time in which events were lost.
struct Lost {
    one: Stretch,
    from: When,
    until: When,
}

/// An event that no webhook brought in time.
struct Missed {
    one: GapView,
    happened: When,
    found: When,
    brought: Option<When>,
}

/// The filter, as the address has it.
#[derive(Debug, Deserialize)]
pub(super) struct Chosen {
    organization: Option<String>,
}

async fn show(
    visitor: Visitor,
    chosen: web::Query<Chosen>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let chosen = said(chosen.into_inner().organization);
    let query = GapQuery {
        organization_id: chosen.clone(),
        since: None,
        limit: Some(MOST),
    };
    let (report, organizations) = state
        .read(move |conn| {
            let report = gaps::report(conn, &actor, &query)?;
            Ok((report, names::of_organizations(conn, &actor)?))
        })
        .await?;
    let when = |at| When::new(at, visitor.now);
    let listed = i64::try_from(report.events.len()).unwrap_or(i64::MAX);
    page(&GapsPage {
        frame: visitor.frame("Gap report", Section::DirectorySync),
        organizations,
        chosen,
        lost: report.lost,
        late: report.late,
        cut: listed >= MOST,
        reached: report
            .catch_up
            .into_iter()
            .map(|one| Reached {
                polled: one.polled_at.map(when),
                newest: one.reached.map(when),
                one,
            })
            .collect(),
        stretches: report
            .stretches
            .into_iter()
            .map(|one| Lost {
                from: when(one.from),
                until: when(one.until),
                one,
            })
            .collect(),
        events: report
            .events
            .into_iter()
            .map(|one| Missed {
                happened: when(one.occurred_at),
                found: when(one.found_at),
                brought: one.webhook_at.map(when),
                one,
            })
            .collect(),
        asks_workos: state.workos.is_some(),
    })
}
