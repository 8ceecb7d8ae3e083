//! A test-send: a trigger's messages filled in for a real person and really sent, marked as a test, to
//! where the trigger says or to whoever tries it. The act is audited before anything leaves; what came
//! of each call is told as it was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, new_id};
use crate::triggers::channels::{Channels, Message};
use crate::triggers::definition::Recipient;
use crate::triggers::sender::shown_recipient;
use crate::triggers::target::target_of;
use crate::triggers::vars::variables_of;
use crate::triggers::{Channel, Step};

use super::triggers::{message_for, seen};
use super::visibility::Redaction;
use super::{Actor, OperationError, Role, audit};

/// What is tried: the body of `POST /v1/triggers/{id}/test`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialOrder {
    /// For whom it is filled in.
    pub profile_id: String,
    /// One step only; all without it.
    pub step: Option<usize>,
    /// An e-mail address (or, for Slack, a person's) in place of the person or manager a step is for.
    pub to: Option<String>,
}

/// A message that is ready to be tried.
#[derive(Debug, Clone)]
pub struct Trial {
    step: usize,
    channel: Channel,
    shown: String,
    message: Result<Message, String>,
}

/// What came of one try.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct TrialView {
    pub step: usize,
    pub channel: &'static str,
    pub recipient: String,
    /// `sent`, `later`, `refused_message`, `refused_destination`, `unknown`; `none`: there is no message.
    pub outcome: &'static str,
    pub reason: String,
}

/// Fills in what is to be tried, and audits that it will be.
pub fn prepare(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    order: &TrialOrder,
    now: Timestamp,
) -> Result<Vec<Trial>, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    let mut profile = super::profiles::seen(conn, actor, &order.profile_id)?;
    if profile.organization_id != row.organization_id {
        return Err(OperationError::Conflict(format!(
            "profile {} belongs to organization {}, the trigger to {}: choose somebody of its own organization",
            order.profile_id, profile.organization_id, row.organization_id
        )));
    }
    let definition = row.read()?;
    // It may go to whoever tries it: it says no more than a preview shows them.
    Redaction::over_one(conn, actor, &row.organization_id)?.profile(&mut profile)?;
    let vars = variables_of(conn, &profile, None)?;
    if let Some(step) = order.step
        && step >= definition.steps.len()
    {
        return Err(OperationError::Invalid(format!(
            "step is {step}, and the trigger has {}, counted from 0",
            definition.steps.len()
        )));
    }
    let steps = definition.steps.iter().enumerate();
    let mut trials = Vec::new();
    for (place, step) in steps.filter(|(place, _)| order.step.is_none_or(|step| step == *place)) {
        let step = redirected(step, order.to.as_deref());
        let target = target_of(conn, &step, &profile, &vars)?;
        let to = target.step.to.clone();
        let message = message_for(&definition, target, &vars, now).map(as_test);
        let shown = message
            .as_ref()
            .map(|message| shown_recipient(&to, &message.recipient).to_owned());
        trials.push(Trial {
            step: place,
            channel: step.channel,
            shown: shown.unwrap_or_else(|_| to.to_string()),
            message,
        });
    }
    let organization = Some(row.organization_id.as_str());
    audit(
        conn,
        actor,
        "trigger.tested",
        id,
        organization,
        Some(&row.name),
        now,
    )?;
    Ok(trials)
}

/// Only what is for a person goes to whoever tries it; a room or an application is no person.
fn redirected(step: &Step, to: Option<&str>) -> Step {
    let mut step = step.clone();
    let personal = matches!(
        step.to,
        Recipient::Person | Recipient::Manager | Recipient::Address(_)
    );
    if let Some(to) = to.filter(|_| personal) {
        step.to = Recipient::Address(to.to_owned());
    }
    step
}

/// Nobody shall take it for the real one.
fn as_test(mut message: Message) -> Message {
    message.delivery_key = new_id("test");
    match &mut message.payload {
        Some(payload) => payload["test"] = true.into(),
        None if message.subject.is_none() => message.text = format!("[Test] {}", message.text),
        None => {}
    }
    if let Some(subject) = &mut message.subject {
        *subject = format!("[Test] {subject}");
    }
    message
}

/// Makes the calls, one after the other.
pub async fn run(channels: &Channels, trials: Vec<Trial>) -> Vec<TrialView> {
    let mut views = Vec::new();
    for trial in trials {
        let (outcome, reason) = match &trial.message {
            Ok(message) => {
                let outcome = channels.send(trial.channel, message).await;
                (outcome.name(), outcome.reason().to_owned())
            }
            Err(problem) => ("none", problem.clone()),
        };
        views.push(TrialView {
            step: trial.step,
            channel: trial.channel.name(),
            recipient: trial.shown,
            outcome,
            reason,
        });
    }
    views
}
