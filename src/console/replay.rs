//! Replay of all that match: first what it would change, truly tried and taken back, then a button that does
//! it. The same code as the API and the command line.

use actix_web::HttpResponse;
use actix_web::web;
use askama::Template;
use serde::{Deserialize, Serialize};

use crate::desk::replay::{ReplayBody, ReplayView, Replayed, replay_matching};
use crate::http::HttpState;

use super::frame::{Frame, Section, go, page};
use super::link::{link, said};
use super::refusal::Refusal;
use super::visitor::Act;

/// Which events: the filters of the list, or one event.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Which {
    id: Option<String>,
    state: Option<String>,
    outcome: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    error: Option<String>,
    q: Option<String>,
    person: Option<String>,
}

impl Which {
    fn body(&self, dry_run: bool) -> ReplayBody {
        ReplayBody {
            ids: said(self.id.clone()).into_iter().collect(),
            state: said(self.state.clone()),
            outcome: said(self.outcome.clone()),
            event_type: said(self.kind.clone()),
            error: said(self.error.clone()),
            q: said(self.q.clone()),
            profile_id: said(self.person.clone()),
            dry_run,
            ..ReplayBody::default()
        }
    }

    /// What the confirming form carries on, and what the address of the list says.
    fn fields(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("id", self.id.as_deref()),
            ("state", self.state.as_deref()),
            ("outcome", self.outcome.as_deref()),
            ("type", self.kind.as_deref()),
            ("error", self.error.as_deref()),
            ("q", self.q.as_deref()),
            ("person", self.person.as_deref()),
        ]
    }

    /// The page that one comes from and goes back to.
    fn back(&self, done: Option<&str>) -> String {
        match &self.id {
            Some(id) => link(
                &format!("/console/events/{}", super::link::encoded(id)),
                &[("done", done)],
            ),
            None => {
                let mut fields = self.fields().to_vec();
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

    /// What would change first, and of the rest nothing: they are counted.
    fn changing(&self) -> impl Iterator<Item = &Replayed> {
        let all = self.view.events.iter();
        all.filter(|one| !one.differences.is_empty())
    }
}

/// Tries it, tells what would come of it, and takes it back.
pub(super) async fn preview(
    act: Act<Which>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, which) = (act.visitor, act.form);
    let (actor, now, body) = (visitor.actor.clone(), visitor.now, which.body(true));
    let view = state
        .rehearse(move |conn| replay_matching(conn, &actor, &body, now))
        .await?;
    page(&ReplayPage {
        frame: visitor.frame("Dry run of a replay", Section::Events),
        csrf: visitor.csrf.clone(),
        view,
        which,
    })
}

/// Does it.
pub(super) async fn begin(
    act: Act<Which>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, body) = (act.visitor.actor, act.visitor.now, act.form.body(false));
    state
        .write(move |conn| replay_matching(conn, &actor, &body, now))
        .await?;
    let back = Which {
        // What is replayed is no longer parked: the list would be empty.
        state: None,
        ..act.form
    };
    Ok(go(&back.back(Some("replayed"))))
}
