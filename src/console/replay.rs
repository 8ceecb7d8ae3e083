//! Replay of all that match: first what it would change, truly tried and taken back, then a button that does
//! it. The same code as the API and the command line.

use actix_web::HttpResponse;
use actix_web::web;
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::replay::{self, ReplayBody, ReplayView, Replayed};

use super::events::Filters;
use super::frame::{Frame, Section, go, page};
use super::link::{encoded, link, said};
use super::refusal::Refusal;
use super::visitor::Act;

/// Events that a dry run tries at first: as many as are quick.
const FIRST_TRIES: usize = 100;

/// Which events: the filters of the list, or one event; and how fast.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Which {
    id: Option<String>,
    #[serde(flatten)]
    filters: Filters,
    rate: Option<String>,
    /// The button that asks for as many tries as there may be.
    thorough: Option<String>,
}

impl Which {
    fn body(&self, dry_run: bool) -> Result<ReplayBody, Refusal> {
        let query = self.filters.query()?;
        let rate = said(self.rate.clone()).map(|rate| {
            rate.parse()
                .map_err(|_| Refusal::unreadable("the rate is a whole number, events a second"))
        });
        Ok(ReplayBody {
            ids: said(self.id.clone()).into_iter().collect(),
            state: query.state,
            outcome: query.outcome,
            event_type: query.event_type,
            directory_id: query.directory_id,
            profile_id: query.profile_id,
            since: query.since,
            until: query.until,
            error: query.error,
            q: query.q,
            rate: rate.transpose()?,
            dry_run,
            tries: (!self.is_thorough()).then_some(FIRST_TRIES),
            ..ReplayBody::default()
        })
    }

    fn is_thorough(&self) -> bool {
        self.thorough.is_some()
    }

    /// What the confirming form carries on, and what the address of the list says.
    fn fields(&self) -> Vec<(&'static str, Option<&str>)> {
        let mut fields = vec![("id", self.id.as_deref())];
        fields.extend(self.filters.fields());
        fields
    }

    /// The page that one comes from and goes back to.
    fn back(&self, done: Option<&str>) -> String {
        match &self.id {
            Some(id) => link(
                &format!("/console/events/{}", encoded(id)),
                &[("done", done)],
            ),
            None => {
                let mut fields = self.fields();
                fields.push(("done", done));
                link("/console/events", &fields)
            }
        }
    }
}

#[derive(Template)]
#[template(path = "replay.html", config = "src/console/askama.toml")]
struct ReplayPage {
    frame: Frame,
    which: Which,
    view: ReplayView,
    csrf: String,
}

impl ReplayPage {
    fn changed(&self) -> usize {
        self.view.would_change.unwrap_or_default()
    }

    fn messages(&self) -> usize {
        self.view.messages_due.unwrap_or_default()
    }

    fn figure(&self, number: Option<&usize>) -> usize {
        number.copied().unwrap_or_default()
    }

    /// Whether only a sample was tried.
    fn sampled(&self) -> Option<usize> {
        self.view.tried.filter(|tried| *tried < self.view.matched)
    }

    /// What would change first, and of the rest nothing: they are counted.
    fn changing(&self) -> impl Iterator<Item = &Replayed> {
        let all = self.view.events.iter();
        all.filter(|one| !one.differences.is_empty())
    }

    /// Those with messages.
    fn telling(&self) -> impl Iterator<Item = &Replayed> {
        let all = self.view.events.iter();
        all.filter(|one| !one.messages.is_empty())
    }
}

/// Tries it, tells what would come of it, and takes it back.
pub(super) async fn preview(
    act: Act<Which>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, which) = (act.visitor, act.form);
    let (actor, now, body) = (visitor.actor.clone(), visitor.now, which.body(true)?);
    let view = state
        .with_db(move |db| replay::replay(db, &actor, &body, now))
        .await?;
    page(&ReplayPage {
        frame: visitor.frame("Dry run of a replay", Section::Events),
        csrf: visitor.csrf.clone(),
        view,
        which,
    })
}

/// Does it, or begins the job that does.
pub(super) async fn begin(
    act: Act<Which>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, body) = (act.visitor.actor, act.visitor.now, act.form.body(false)?);
    let view = state
        .with_db(move |db| replay::replay(db, &actor, &body, now))
        .await?;
    if let Some(job) = view.job_id {
        return Ok(go(&format!("/console/jobs/{}", encoded(&job))));
    }
    let back = Which {
        // What is replayed is no longer failed: the list would be empty.
        filters: act.form.filters.in_any_state(),
        ..act.form
    };
    Ok(go(&back.back(Some("replayed"))))
}
