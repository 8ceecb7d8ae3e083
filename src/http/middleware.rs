//! Around every request: an id that answers carry in `x-request-id` and errors in their body, a
//! line in the log without names, addresses or payloads, and the time it took by route pattern.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use crate::telemetry;

use super::connections::TurnedAway;
use super::payload::{Body, watched};
use super::{HttpState, Problem};

tokio::task_local! {
    static REQUEST_ID: RefCell<String>;
}

/// The id of the request being answered; empty outside of one.
pub(crate) fn current_request_id() -> String {
    REQUEST_ID
        .try_with(|id| id.borrow().clone())
        .unwrap_or_default()
}

/// How long a body may take where no server has said it.
const DEFAULT_TIME: Duration = Duration::from_secs(30);

/// The longest path and query, in bytes.
const LONGEST_ADDRESS: usize = 16 * 1024;

/// No text here has U+0000, and PostgreSQL refuses to look for it.
fn no_such_text() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-query",
        "the address has the character U+0000 (%00), which no text here may have",
    )
}

fn watch_body(request: &mut ServiceRequest) -> Body {
    let state = request.app_data::<web::Data<HttpState>>();
    let (unfinished, time) = state.map_or_else(
        || (Arc::default(), DEFAULT_TIME),
        |state| (Arc::clone(&state.bounds.unfinished), state.bounds.body_time),
    );
    let (payload, body) = watched(request.take_payload(), unfinished, time);
    request.set_payload(payload);
    body
}

/// What no handler needs to see.
fn refused(request: &ServiceRequest) -> Option<Problem> {
    if request.conn_data::<TurnedAway>().is_some() {
        return Some(Problem::unavailable("too many connections; try again", 2));
    }
    let asked = request
        .uri()
        .path_and_query()
        .map_or("", |asked| asked.as_str());
    if asked.len() > LONGEST_ADDRESS {
        return Some(Problem::new(
            StatusCode::URI_TOO_LONG,
            "bad-query",
            format!("the address is longer than {LONGEST_ADDRESS} bytes: ask for less at once"),
        ));
    }
    if asked.contains("%00") {
        return Some(no_such_text());
    }
    let state = request.app_data::<web::Data<HttpState>>()?;
    let apart = state.bounds.metrics_listen?;
    let here = request.app_config().local_addr() == apart;
    let is_metrics = matches!(request.path(), "/metrics" | "/health/ready");
    let fits = here == is_metrics || request.path() == "/health/live";
    (!fits).then(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "there is nothing at this path of this listener; see ROLLCALL_METRICS_LISTEN",
        )
    })
}

/// Anybody may send any word for a method, and each would be a series of its own, kept for ever.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// When a request arrived: for answers that tell their own time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived(pub Instant);

/// Gives the request its id, and tells log and metrics about it.
pub async fn observe(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = format!("req_{}", uuid::Uuid::now_v7().simple());
    let began = Instant::now();
    request.extensions_mut().insert(Arrived(began));
    let method = method_label(request.method());
    let route = request
        .match_pattern()
        .unwrap_or_else(|| "(none)".to_owned());
    let name = HeaderValue::from_str(&id);
    let shown = id.clone();
    REQUEST_ID
        .scope(RefCell::new(id), async move {
            // Errors become answers here, while the request's id is known.
            let body = watch_body(&mut request);
            let mut answer = match refused(&request) {
                Some(problem) => request.into_response(problem.error_response()),
                None => next.call(request).await?.map_into_boxed_body(),
            };
            if !body.is_whole() {
                // What is left of it is not waited for, and must not be read as another request.
                let head = answer.response_mut().head_mut();
                head.set_connection_type(ConnectionType::Close);
                answer = answer.map_body(|_, answer| body.last_until_answered(answer));
            }
            if let Ok(name) = name {
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static("x-request-id"), name);
            }
            let status = answer.status().as_u16();
            let took = began.elapsed();
            metrics::histogram!(
                telemetry::HTTP_SECONDS,
                "method" => method, "route" => route.clone(), "status" => status.to_string()
            )
            .record(took);
            tracing::debug!(
                request_id = shown,
                method,
                route,
                status,
                took_ms = took.as_millis(),
                "answered"
            );
            Ok(answer)
        })
        .await
}
