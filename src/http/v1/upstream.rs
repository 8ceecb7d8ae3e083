//! The second conversation with WorkOS: the gap report, and log-ins.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{CustomizeResponder, Responder, web};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::operations::gaps::{self, GapQuery};
use crate::operations::logins::{self, SsoProfile};
use crate::operations::{Actor, Role};
use crate::workos::client::{Client, ClientError};

use super::super::body::Body;
use super::super::openapi::Table;
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table
        .get(
            "/gaps",
            report,
            "Events that no webhook brought, and the stretches in which they were lost.",
        )
        .may(&[404]);
    table
        .post(
            "/logins",
            login,
            "Tell of a log-in by WorkOS SSO, and learn whether the person may come in.",
        )
        .needs(Role::Operator)
        .may(&[404, 409, 422]);
}

/// Who logged in: WorkOS's profile, or the code to exchange for it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    profile: Option<SsoProfile>,
    code: Option<String>,
}

async fn login(
    caller: Caller,
    body: Body<LoginBody>,
    state: web::Data<HttpState>,
) -> Result<CustomizeResponder<web::Json<logins::LoginView>>, Problem> {
    let now = state.clock.now();
    let profile = match body.into_inner() {
        LoginBody {
            profile: Some(profile),
            code: None,
        } => profile,
        LoginBody {
            profile: None,
            code: Some(code),
        } => exchanged(&caller.0, &state, &code).await?,
        _ => {
            let detail =
                "send either `profile`, WorkOS's SSO profile, or `code`, to be exchanged for one";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid", detail));
        }
    };
    let done = state
        .write(move |conn| logins::take(conn, &caller.0, &profile, now))
        .await?;
    Ok(web::Json(done)
        .customize()
        .insert_header((CACHE_CONTROL, "no-store")))
}

async fn exchanged(actor: &Actor, state: &HttpState, code: &str) -> Result<SsoProfile, Problem> {
    actor.require(Role::Operator)?;
    let said = client(state)?.profile_of_code(code).await?;
    serde_json::from_value(said).map_err(|_| {
        ClientError::Unreadable {
            what: "exchanging a log-in code",
        }
        .into()
    })
}

/// The configured client, or what to do.
pub(super) fn client(state: &HttpState) -> Result<&Client, Problem> {
    state.workos.as_ref().ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            "not-configured",
            "this asks WorkOS, and WORKOS_API_KEY is not set; set it and start again",
        )
    })
}

async fn report(
    caller: Caller,
    query: web::Query<GapQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<gaps::GapReport>, Problem> {
    let all = state
        .read(move |conn| gaps::report(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(all))
}
