//! Turning Directory Sync on for an organization, and asking WorkOS about one person.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::desk::enable;
use crate::upstream::{ResyncError, resync};

use super::super::{HttpState, Problem};
use super::Caller;
use super::upstream::client;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route(
            "/organizations/{id}/directory-sync",
            web::get().to(state_of),
        )
        .route(
            "/organizations/{id}/directory-sync/link",
            web::post().to(open),
        )
        .route(
            "/organizations/{id}/directory-sync-link",
            web::post().to(open),
        )
        .route("/profiles/{id}/resync", web::post().to(resync_one));
}

/// WorkOS's own counts stand beside ours where it can be asked; where not, ours stand alone.
async fn state_of(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let (actor, organization) = (caller.0.clone(), id.clone());
    let alone = state
        .read(move |conn| enable::state(conn, &actor, &organization, None))
        .await?;
    let there = match &state.workos {
        Some(client) if !alone.directories.is_empty() => counted(client, &alone).await,
        _ => return Ok(HttpResponse::Ok().json(alone)),
    };
    let view = state
        .read(move |conn| enable::state(conn, &caller.0, &id, Some(&there)))
        .await?;
    Ok(HttpResponse::Ok().json(view))
}

async fn counted(
    client: &crate::workos::client::Client,
    view: &enable::EnableView,
) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for one in &view.directories {
        all.extend(client.directory(&one.id).await.ok());
    }
    all
}

/// The link is in this answer and nowhere else.
async fn open(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    enable::may_open(&caller.0, &id)?;
    let link = client(&state)?.setup_link(&id).await?;
    let now = state.clock.now();
    let ends = state
        .write(move |conn| enable::opened(conn, &caller.0, &id, now))
        .await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(json!({ "link": link.expose_secret(), "ends_at": ends })))
}

async fn resync_one(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let client = client(&state)?;
    let done = resync(&state.db, &state.clock, client, caller.0, &id).await?;
    state.wake.notify_one();
    Ok(HttpResponse::Ok().json(done))
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
