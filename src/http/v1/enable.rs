//! Turning Directory Sync on for an organization, and asking WorkOS about one person or for a sync.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{CustomizeResponder, Responder, web};
use schemars::JsonSchema;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::operations::{Role, directories, enable};
use crate::upstream::{ResyncError, ResyncView, SyncError, SyncView, resync, sync};

use super::super::openapi::{Accepted, Created, Table};
use super::super::{HttpState, Problem};
use super::Caller;
use super::upstream::client;

pub(super) fn routes(table: &mut Table) {
    table.get(
        "/organizations/{id}/directory-sync",
        state_of,
        "How far turning Directory Sync on has come.",
    );
    table
        .post(
            "/organizations/{id}/directory-sync/link",
            open,
            "Open WorkOS's set-up page for an organization's own administrators.",
        )
        .needs(Role::Admin)
        .may(&[409, 422]);
    table
        .post(
            "/organizations/{id}/directory-sync-link",
            open,
            "Open WorkOS's set-up page for an organization's own administrators.",
        )
        .needs(Role::Admin)
        .may(&[409, 422]);
    table
        .post(
            "/organizations/{id}/directory-sync/link/revoke",
            revoke,
            "End the set-up links that were opened here for an organization.",
        )
        .needs(Role::Admin)
        .may(&[409, 422]);
    table
        .post(
            "/directories/{id}/sync",
            sync_now,
            "Ask WorkOS to read a directory from its provider now.",
        )
        .needs(Role::Operator)
        .may(&[409, 422, 429]);
    table
        .post(
            "/profiles/{id}/resync",
            resync_one,
            "Ask WorkOS about one person and apply the answer.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
}

/// WorkOS's own counts stand beside ours where it can be asked; where not, ours stand alone.
async fn state_of(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<enable::EnableView>, Problem> {
    let (actor, organization) = (caller.0.clone(), id.clone());
    let alone = state
        .read(move |conn| enable::state(conn, &actor, &organization, None))
        .await?;
    let there = match &state.workos {
        Some(client) if !alone.directories.is_empty() => {
            client.counted(alone.directory_ids()).await
        }
        _ => return Ok(web::Json(alone)),
    };
    let view = state
        .read(move |conn| enable::state(conn, &caller.0, &id, Some(&there)))
        .await?;
    Ok(web::Json(view))
}

/// WorkOS's set-up page for the organization's own administrators, and when its link ends.
#[derive(Serialize, JsonSchema)]
struct OpenedLink {
    link: String,
    ends_at: Timestamp,
}

/// The link is in this answer and nowhere else.
async fn open(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<CustomizeResponder<Created<OpenedLink>>, Problem> {
    enable::may_open(&caller.0, &id)?;
    let link = client(&state)?.setup_link(&id).await?;
    let now = state.clock.now();
    let ends = state
        .write(move |conn| enable::opened(conn, &caller.0, &id, now))
        .await?;
    let opened = OpenedLink {
        link: link.expose_secret().to_owned(),
        ends_at: ends,
    };
    Ok(Created(opened)
        .customize()
        .insert_header((CACHE_CONTROL, "no-store")))
}

/// When the links were ended.
#[derive(Serialize, JsonSchema)]
struct RevokedLink {
    revoked_at: Timestamp,
}

async fn revoke(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<RevokedLink>, Problem> {
    enable::may_open(&caller.0, &id)?;
    client(&state)?.revoke_setup_link(&id).await?;
    let now = state.clock.now();
    state
        .write(move |conn| enable::revoked(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(RevokedLink { revoked_at: now }))
}

/// WorkOS allows one at a time, and not before some minutes have passed since the last one.
async fn sync_now(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<Accepted<SyncView>, Problem> {
    let (actor, directory) = (caller.0.clone(), id.clone());
    state
        .read(move |conn| directories::may_sync(conn, &actor, &directory))
        .await?;
    let client = client(&state)?;
    Ok(Accepted(
        sync(&state.db, &state.clock, client, caller.0, &id).await?,
    ))
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        let told = error.to_string();
        match error {
            SyncError::Desk(error) => error.into(),
            SyncError::Client(error) => error.into(),
            SyncError::Running => Self::new(StatusCode::CONFLICT, "sync-running", told),
            SyncError::NotPossible(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused-by-workos", told)
            }
            SyncError::TooSoon(after) => Self {
                retry_after: after.and_then(|after| u32::try_from(after.as_secs()).ok()),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "sync-too-soon", told)
            },
        }
    }
}

async fn resync_one(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<ResyncView>, Problem> {
    let client = client(&state)?;
    let done = resync(&state.db, &state.clock, client, caller.0, &id).await?;
    state.wake.notify_one();
    Ok(web::Json(done))
}

impl From<ResyncError> for Problem {
    fn from(error: ResyncError) -> Self {
        match error {
            ResyncError::Desk(error) => error.into(),
            ResyncError::Client(error) => error.into(),
            ResyncError::Compare(error) => Self::unavailable(error.to_string(), 30),
        }
    }
}
