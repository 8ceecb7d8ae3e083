//! `GET /v1/access`: what a host application asks at login and on each session refresh. One indexed
//! query, which also finds terminations that nobody has looked at yet (R91); somebody unknown is refused
//! like somebody who left, with another reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::db::Conn;
use crate::store::standings::{self, Judged};

use super::{Actor, OperationError, Role};

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
    /// The profile's status (`active`, `on_leave`, `pending`, `removed`, `erased`), or `unknown`. Begins with
    /// `termination received` from the 200 on that acknowledged a removal, until it is settled (R91); where it waits
    /// for an operator, the hold is named. Begins with `suspended` where the organization was deleted in WorkOS.
    pub reason: String,
    pub profile_id: Option<String>,
}

/// Whether somebody may come in now.
pub fn access(
    conn: &mut Conn,
    actor: &Actor,
    query: &AccessQuery,
) -> Result<AccessView, OperationError> {
    Ok(match judge(conn, actor, query)? {
        Some(judged) => AccessView {
            allowed: judged.access.allowed(),
            reason: judged.access.reason(),
            profile_id: Some(judged.profile_id),
        },
        None => AccessView {
            allowed: false,
            reason: "unknown".to_owned(),
            profile_id: None,
        },
    })
}

/// As [`access`], as it was decided; `None` for somebody unknown.
pub(super) fn judge(
    conn: &mut Conn,
    actor: &Actor,
    query: &AccessQuery,
) -> Result<Option<Judged>, OperationError> {
    actor.require(Role::Viewer)?;
    let found = match (&query.profile_id, &query.organization_id, &query.email) {
        (Some(id), organization, None) => {
            let mut found = standings::of_profiles(conn, std::slice::from_ref(id))?;
            found.retain(|_, one| {
                actor.may_see(Some(&one.organization_id))
                    && organization
                        .as_ref()
                        .is_none_or(|asked| *asked == one.organization_id)
            });
            found
        }
        (None, organization, Some(email)) => {
            let Some(organization) = actor.scope(organization.as_deref())? else {
                return Err(incomplete());
            };
            standings::of_address(conn, &organization, email)?
        }
        _ => return Err(incomplete()),
    };
    // An address may have been a removed person's before it was somebody else's (R24): who works there counts
    // first, then who was heard of last.
    let best = found
        .into_values()
        .max_by_key(|one| (one.status.has_access(), one.updated_at));
    Ok(best)
}

fn incomplete() -> OperationError {
    OperationError::Invalid("ask with organization_id and email, or with profile_id".to_owned())
}
