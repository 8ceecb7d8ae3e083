//! Erasing people and keeping them from being erased (R65): an erasure takes everything that names
//! somebody and leaves that it was done; a legal hold refuses it, and the retention, until released.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::db::{Conn, Db, Urgency};
use crate::domain::Status;
use crate::outbox;
use crate::store::erasures::{self, ErasureKey};
use crate::store::legal_holds::{self, LegalHold};
use crate::store::profiles::ProfileRow;
use crate::store::secrets;
use crate::worker::{self, Erased};

use super::profiles::{ProfileView, seen, show};
use super::{Actor, OperationError, Role, audit};

/// An erased person, and what was taken away.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct ErasureView {
    #[serde(flatten)]
    pub profile: ProfileView,
    /// Events of which nothing but the row is left.
    pub events_erased: usize,
    /// Messages of which nothing but the row is left.
    pub messages_erased: usize,
}

/// A legal hold as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct LegalHoldView {
    pub profile_id: String,
    pub organization_id: String,
    pub reason: String,
    pub placed_by: String,
    pub placed_at: Timestamp,
}

/// Why somebody's data must be kept: the body of `POST /v1/profiles/{id}/legal-hold`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the parameters of the API")]
pub struct LegalHoldBody {
    #[schemars(length(min = 1, max = 500), regex(pattern = r"\S"))]
    pub reason: String,
}

/// Erases somebody for good. Erasing them twice is erasing them once.
pub fn erase(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<ErasureView, OperationError> {
    actor.require(Role::Admin)?;
    let row = seen(conn, actor, id)?;
    outbox::lock_part(conn, outbox::part_of(&row.organization_id))?;
    // As they are now: whoever worked on their organization before has ended.
    let row = seen(conn, actor, &row.id)?;
    let erased = if row.status == Status::Erased.as_str() {
        Erased::default()
    } else {
        refuse_held(conn, id)?;
        erase_row(conn, &row, actor, now)?
    };
    Ok(ErasureView {
        profile: show(conn, actor, id)?,
        events_erased: erased.events,
        messages_erased: erased.messages,
    })
}

/// Erases the person of that row, in the actor's name, whom nothing keeps from it.
pub(super) fn erase_row(
    conn: &mut Conn,
    row: &ProfileRow,
    actor: &Actor,
    now: Timestamp,
) -> Result<Erased, OperationError> {
    let key = key(conn, now)?;
    let erased = worker::erase(conn, row, &key, &actor.name, now)?;
    let detail = format!("{} events, {} messages", erased.events, erased.messages);
    let organization = Some(row.organization_id.as_str());
    audit(
        conn,
        actor,
        "profile.erased",
        &row.id,
        organization,
        Some(&detail),
        now,
    )?;
    Ok(erased)
}

/// Sees to it that ids are hashed by the key they were hashed by. A configured key (`ROLLCALL_ERASURE_KEY`) takes the
/// place of the one in the database, which must be the same and is taken out of it; only a mark stays. Where
/// there is a mark, the key must be configured: without it erased people would come back.
pub fn settle_key(
    db: &Db,
    configured: Option<&SecretString>,
    now: Timestamp,
) -> Result<(), OperationError> {
    let (kept, mark) = db.read(|conn| {
        let kept = secrets::find(conn, secrets::ERASURE_KEY)?;
        let mark = secrets::find(conn, secrets::ERASURE_MARK)?;
        Ok::<_, OperationError>((kept, mark))
    })?;
    let Some(configured) = configured.map(ExposeSecret::expose_secret) else {
        return match mark {
            None => Ok(()),
            Some(_) => Err(OperationError::Conflict(
                "the erasure key lies outside of the database: set ROLLCALL_ERASURE_KEY to it, or people who were erased would come back"
                    .to_owned(),
            )),
        };
    };
    let key = ErasureKey::new(configured)
        .ok_or_else(|| OperationError::Invalid("ROLLCALL_ERASURE_KEY is no key".to_owned()))?;
    let differs = kept.as_deref().is_some_and(|kept| kept != configured)
        || mark.as_ref().is_some_and(|mark| *mark != key.mark());
    if differs {
        return Err(OperationError::Conflict(
            "ROLLCALL_ERASURE_KEY is not the key that erased people were hashed by: set it to the one in kept_secrets (name `erasure`), or to the one it was before"
                .to_owned(),
        ));
    }
    if kept.is_some() || mark.is_none() {
        db.write(Urgency::Normal, |conn| {
            secrets::keep(conn, secrets::ERASURE_MARK, &key.mark(), now)?;
            secrets::remove(conn, secrets::ERASURE_KEY)?;
            Ok::<_, OperationError>(())
        })?;
        db.empty_log()?;
    }
    erasures::configure(key);
    Ok(())
}

fn key(conn: &mut Conn, now: Timestamp) -> Result<ErasureKey, OperationError> {
    if let Some(key) = erasures::key(conn)? {
        return Ok(key);
    }
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        OperationError::Invalid(format!("the system gave no random bytes: {error}"))
    })?;
    let secret = secrets::keep(conn, secrets::ERASURE_KEY, &STANDARD.encode(bytes), now)?;
    ErasureKey::new(&secret)
        .ok_or_else(|| OperationError::Invalid("the kept erasure key is no key".to_owned()))
}

fn refuse_held(conn: &mut Conn, id: &str) -> Result<(), OperationError> {
    match legal_holds::find(conn, id)? {
        None => Ok(()),
        Some(hold) => Err(OperationError::Conflict(format!(
            "profile {id} is under a legal hold, placed by {} on {}: {}; release it first",
            hold.placed_by, hold.placed_at, hold.reason
        ))),
    }
}

/// The legal hold on somebody.
pub fn show_legal_hold(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
) -> Result<LegalHoldView, OperationError> {
    actor.require(Role::Operator)?;
    seen(conn, actor, id)?;
    legal_holds::find(conn, id)?
        .map(LegalHoldView::from)
        .ok_or_else(|| OperationError::not_found("legal hold on profile", id))
}

/// Keeps somebody's data until released.
pub fn place_legal_hold(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    body: &LegalHoldBody,
    now: Timestamp,
) -> Result<LegalHoldView, OperationError> {
    actor.require(Role::Operator)?;
    let row = seen(conn, actor, id)?;
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 {
        return Err(OperationError::Invalid(
            "say in 1 to 500 characters why the data must be kept, such as a case number"
                .to_owned(),
        ));
    }
    outbox::lock_part(conn, outbox::part_of(&row.organization_id))?;
    if seen(conn, actor, id)?.status == Status::Erased.as_str() {
        return Err(OperationError::Conflict(format!(
            "profile {id} is erased: there is nothing left to keep"
        )));
    }
    let hold = LegalHold {
        profile_id: id.to_owned(),
        organization_id: row.organization_id.clone(),
        reason: reason.to_owned(),
        placed_by: actor.name.clone(),
        placed_at: now,
    };
    if !legal_holds::place(conn, &hold)? {
        return Err(OperationError::Conflict(format!(
            "profile {id} is under a legal hold already; release it to give another reason"
        )));
    }
    let organization = Some(row.organization_id.as_str());
    let act = "profile.legal_hold_placed";
    audit(conn, actor, act, id, organization, Some(reason), now)?;
    Ok(hold.into())
}

/// Lets somebody's data go the way of everybody's again.
pub fn release_legal_hold(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    now: Timestamp,
) -> Result<LegalHoldView, OperationError> {
    actor.require(Role::Admin)?;
    let row = seen(conn, actor, id)?;
    let hold = legal_holds::find(conn, id)?
        .ok_or_else(|| OperationError::not_found("legal hold on profile", id))?;
    legal_holds::release(conn, id)?;
    let organization = Some(row.organization_id.as_str());
    let act = "profile.legal_hold_released";
    audit(conn, actor, act, id, organization, None, now)?;
    Ok(hold.into())
}

impl From<LegalHold> for LegalHoldView {
    fn from(hold: LegalHold) -> Self {
        Self {
            profile_id: hold.profile_id,
            organization_id: hold.organization_id,
            reason: hold.reason,
            placed_by: hold.placed_by,
            placed_at: hold.placed_at,
        }
    }
}
