//! All failed messages of one cause sent again, as a job. Only what certainly was not taken: a message
//! that may have gone is looked at by a person, one by one (R63).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::triggers::deliveries::{self, FailedFilter};
use crate::worker::resend;

use super::deliveries::CHANNELS;
use super::events::one_of;
use super::{Actor, OperationError, Role, audit};

/// The body of `POST /v1/deliveries/retry`: which failed messages.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct ResendBody {
    pub organization_id: Option<String>,
    pub channel: Option<String>,
    /// To whom or where, as shown.
    pub recipient: Option<String>,
    /// Text in the reason.
    pub reason: Option<String>,
    /// Say how many there are, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was begun.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ResendView {
    pub matched: i64,
    /// The job that does it: `GET /v1/jobs/{id}`. Null in a dry run, and where none matches.
    pub job_id: Option<String>,
    pub dry_run: bool,
}

/// Begins to send the failed messages that match again.
pub fn resend(
    conn: &mut Conn,
    actor: &Actor,
    body: &ResendBody,
    now: Timestamp,
) -> Result<ResendView, OperationError> {
    actor.require(Role::Operator)?;
    if let Some(channel) = &body.channel {
        one_of("channel", channel, &CHANNELS)?;
    }
    let filter = FailedFilter {
        organization_id: actor.scope(body.organization_id.as_deref())?,
        channel: body.channel.clone(),
        recipient: body.recipient.clone(),
        reason: body.reason.clone(),
    };
    let matched = deliveries::count_failed(conn, &filter)?;
    let mut view = ResendView {
        matched,
        job_id: None,
        dry_run: body.dry_run,
    };
    if body.dry_run || matched == 0 {
        return Ok(view);
    }
    let job = resend::ask(conn, &filter, matched, &actor.name, now)?;
    let organization = filter.organization_id.as_deref();
    let detail = format!("{matched} failed messages, as a job");
    audit(
        conn,
        actor,
        "deliveries.retried",
        &job.id,
        organization,
        Some(&detail),
        now,
    )?;
    view.job_id = Some(job.id);
    Ok(view)
}
