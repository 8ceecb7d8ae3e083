//! RFC 9457 `application/problem+json`: type, title, status, detail (what to do), request id. The
//! cause of our own faults goes to the log with the same request id, never to the caller.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use schemars::JsonSchema;
use serde::Serialize;

use crate::db::{DbError, Fault};
use crate::operations::OperationError;
use crate::telemetry;
use crate::workos::client::ClientError;

use super::webhook::SIGNATURE;
use super::{HttpState, drain};

/// An error as the caller sees it.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// A short stable word, the last part of `type`.
    pub kind: &'static str,
    /// What happened and what to do.
    pub detail: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
    /// Of a path that is there: the methods it takes.
    pub allow: Option<String>,
}

/// What the caller reads.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Told<'a> {
    /// Stable: `urn:rollcall:problem:` and a short word.
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    /// What happened and what to do.
    detail: &'a str,
    /// Finds the line in the log; also in the header `x-request-id`.
    request_id: String,
}

impl Problem {
    /// A problem with a sentence.
    pub fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            retry_after: None,
            allow: None,
        }
    }

    /// Says which methods the path takes.
    pub(super) fn allow(self, methods: &str) -> Self {
        Self {
            allow: Some(methods.to_owned()),
            ..self
        }
    }

    /// Something temporary on our side.
    pub fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        Self {
            retry_after: Some(retry_after),
            ..problem
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.kind, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"rollcall\""),
            ));
        }
        if let Some(methods) = &self.allow {
            answer.insert_header((header::ALLOW, methods.as_str()));
        }
        if self.kind == drain::KIND {
            answer.force_close();
        }
        let body = Told {
            kind: format!("urn:rollcall:problem:{}", self.kind),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            request_id: super::middleware::current_request_id(),
        };
        // Never fails: text and numbers.
        let body = serde_json::to_string(&body).unwrap_or_default();
        answer.content_type("application/problem+json").body(body)
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::NotFound { .. } => {
                Self::new(StatusCode::NOT_FOUND, "not-found", error.to_string())
            }
            OperationError::Invalid(detail) => {
                Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
            }
            OperationError::Problems(_) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                error.to_string(),
            ),
            OperationError::Conflict(detail) => Self::new(StatusCode::CONFLICT, "conflict", detail),
            OperationError::Forbidden(detail) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
            }
            OperationError::TooSlow(detail) => Self::unavailable(detail, 5),
            OperationError::Database(error) => Self::from(error),
        }
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        tracing::error!(%error, request_id = super::middleware::current_request_id(), "the database could not answer");
        match error.fault() {
            Fault::Away | Fault::Replaced => Self::unavailable(
                "the database cannot be reached just now; try again in a few seconds",
                5,
            ),
            Fault::Contention | Fault::Deadlock => Self::unavailable(
                "the database is busy with something else just now; try again in a few seconds",
                2,
            ),
            Fault::Unready | Fault::Damaged | Fault::Own => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "something went wrong on our side; the log has it under this request id",
            ),
        }
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let detail = error.to_string();
        match error {
            ClientError::NotFound { .. } => Self::new(StatusCode::NOT_FOUND, "not-found", detail),
            ClientError::Refused { .. } => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "refused-by-workos",
                detail,
            ),
            ClientError::Unauthorized { .. }
            | ClientError::NoClient
            | ClientError::NotConfigured(_) => {
                Self::new(StatusCode::CONFLICT, "not-configured", detail)
            }
            ClientError::RateLimited { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Unreadable { .. } => Self::unavailable(detail, 30),
        }
    }
}

/// The answer to a path or method that is not ours.
pub(super) async fn no_such_route(
    request: HttpRequest,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let signed = request.headers().contains_key(SIGNATURE);
    let (method, path) = (request.method().as_str(), request.path());
    if state
        .wrong_paths
        .count(method, path, signed, state.clock.now())
    {
        metrics::counter!(telemetry::WEBHOOK_REQUESTS, "outcome" => "rejected", "reason" => "wrong_path")
            .increment(1);
    }
    if request.match_pattern().is_some() && request.resource_map().has_resource(request.path()) {
        return Err(Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this path does not take that method",
        ));
    }
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "not-found",
        "there is nothing at this path; GET /openapi.json lists what there is",
    ))
}
