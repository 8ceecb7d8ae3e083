//! `GET /v1/access`: what a host application asks at login and on each session refresh. One indexed
//! query; somebody unknown is refused like somebody who left, with another reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::people::holds;
use crate::people::profiles::{self, ProfileRow};
use crate::roll::Status;

use super::profiles::{has_access, shut_on_leave};
use super::{Actor, DeskError, Role};

/// Who is asked about: an address in an organization, or a profile.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct AccessQuery {
    pub organization_id: Option<String>,
    pub email: Option<String>,
    pub profile_id: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct AccessView {
    pub allowed: bool,
    /// The profile's status (`active`, `on_leave`, `pending`, `removed`, `erased`), `unknown`, or `suspended`: their
    /// removal has waited in a hold for over four hours (R40).
    pub reason: String,
    pub profile_id: Option<String>,
}

/// Whether somebody may come in now.
pub fn access(
    conn: &mut Conn,
    actor: &Actor,
    query: &AccessQuery,
    now: Timestamp,
) -> Result<AccessView, DeskError> {
    actor.require(Role::Viewer)?;
    let rows = match (&query.profile_id, &query.organization_id, &query.email) {
        (Some(id), organization, None) => {
            let found = profiles::find(conn, id)?.filter(|row| {
                actor.may_see(Some(&row.organization_id))
                    && organization
                        .as_ref()
                        .is_none_or(|asked| *asked == row.organization_id)
            });
            found.into_iter().collect()
        }
        (None, organization, Some(email)) => {
            let Some(organization) = actor.scope(organization.as_deref())? else {
                return Err(incomplete());
            };
            profiles::by_email(conn, &organization, email)?
        }
        _ => return Err(incomplete()),
    };
    let kept_out = !shut_on_leave(conn, &rows)?.is_empty();
    let mut answer = answer(rows);
    if answer.reason == Status::OnLeave.as_str() {
        answer.allowed &= !kept_out;
    }
    match &answer.profile_id {
        Some(id)
            if answer.allowed
                && !holds::suspended(conn, std::slice::from_ref(id), now)?.is_empty() =>
        {
            Ok(AccessView {
                allowed: false,
                reason: "suspended".to_owned(),
                ..answer
            })
        }
        _ => Ok(answer),
    }
}

fn incomplete() -> DeskError {
    DeskError::Invalid("ask with organization_id and email, or with profile_id".to_owned())
}

/// An address may have been a removed person's before it was somebody else's (R24): who works there
/// counts first, then who was heard of last.
fn answer(rows: Vec<ProfileRow>) -> AccessView {
    let best = rows
        .into_iter()
        .max_by_key(|row| (has_access(&row.status), row.updated_at));
    match best {
        Some(row) => AccessView {
            allowed: has_access(&row.status),
            reason: row.status,
            profile_id: Some(row.id),
        },
        None => AccessView {
            allowed: false,
            reason: "unknown".to_owned(),
            profile_id: None,
        },
    }
}
