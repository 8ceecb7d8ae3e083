//! A test-send: what came of each call, as it was. What is for a person goes to whoever tries it and never
//! to the person by mistake.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::trial::{self, TrialOrder, TrialView};
use crate::operations::triggers;
use crate::operations::{OperationError, Role};
use crate::triggers::Recipient;

use super::super::frame::{Frame, Section, page};
use super::super::link::{encoded, said};
use super::super::refusal::Refusal;
use super::super::visitor::Act;
use super::home_of;

#[derive(Template)]
#[template(path = "triggers/trial.html", config = "src/console/askama.toml")]
struct TrialPage {
    frame: Frame,
    back: String,
    outcomes: Vec<TrialView>,
}

impl TrialPage {
    fn sent(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|one| one.outcome == "sent")
            .count()
    }
}

/// What is tried.
#[derive(Debug, Deserialize)]
pub(super) struct Order {
    person: String,
    to: Option<String>,
    step: Option<String>,
}

/// Sends it. The act is on disk before anything leaves.
pub(super) async fn send(
    act: Act<Order>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, form) = (act.visitor, act.form);
    visitor.actor.require(Role::Operator)?;
    let step = said(form.step).map(|step| step.parse::<usize>());
    let order = TrialOrder {
        step: step.transpose().map_err(Refusal::unreadable)?,
        to: said(form.to),
        profile_id: form.person,
    };
    let back = format!(
        "{}/preview?person={}",
        home_of(&id),
        encoded(&order.profile_id)
    );
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let trials = state
        .write(move |conn| {
            if order.to.is_none() {
                let one = triggers::show(conn, &actor, &id)?;
                let mut steps = one.definition.steps.iter().enumerate();
                let personal = steps.any(|(place, step)| {
                    order.step.is_none_or(|only| only == place)
                        && matches!(step.to, Recipient::Person | Recipient::Manager)
                });
                if personal {
                    return Err(OperationError::Invalid(
                        "name your own address: a test of what is for a person goes to you, not to them"
                            .to_owned(),
                    ));
                }
            }
            trial::prepare(conn, &actor, &id, &order, now)
        })
        .await?;
    let outcomes = trial::run(&state.channels, trials).await;
    page(&TrialPage {
        frame: visitor.frame("A test-send", Section::Triggers),
        back,
        outcomes,
    })
}
