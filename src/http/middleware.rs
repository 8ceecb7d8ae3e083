//! Around every request: an id that answers carry in `x-request-id` and errors in their body, a
//! line in the log without names, addresses or payloads, and the time it took by route pattern.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};

use crate::telemetry;

use super::connections::{Counted, TurnedAway};
use super::drain::{Drain, Passage, read_off};
use super::payload::{Body, answer_with, watched};
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

/// A longer answer may have to wait for its reader; a shorter one is the system's at once.
const LONG_ANSWER: u64 = 16 * 1024;

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

/// The request's way through the server; it ends with its answer.
fn passage_of(request: &ServiceRequest) -> Passage {
    let state = request.app_data::<web::Data<HttpState>>();
    let drain = state.map_or_else(Drain::default, |state| state.drain.clone());
    let counted = request.conn_data::<Counted>();
    Passage::begin(drain, counted.map(|counted| Arc::clone(&counted.talk)))
}

/// Whether it is answered although the service stops: a process that is being finished lives.
fn is_answered_to_the_end(request: &ServiceRequest) -> bool {
    request.path() == "/health/live"
}

/// What comes of a request: by its handler, or what is said instead of it. Errors are only those of the cut.
async fn answer(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    passage: &Passage,
    drain: &Drain,
    body: &Body,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(problem) = refused(&request) {
        return Ok(request.into_response(problem.error_response()));
    }
    if passage.late && !is_answered_to_the_end(&request) {
        let state = request.app_data::<web::Data<HttpState>>();
        let most = state.map_or(0, |state| state.body_limit);
        read_off(&mut request, most).await;
        return Ok(request.into_response(Problem::stopping().error_response()));
    }
    tokio::select! {
        biased;
        answer = next.call(request) => Ok(answer?.map_into_boxed_body()),
        () = drain.cut() => {
            // Who has not even sent it had nothing in our hands.
            if body.is_whole() {
                drain.leave_one();
            }
            let problem = Problem::stopping();
            let mut said = problem.error_response();
            // An error passes by where answers get theirs.
            if let Ok(id) = HeaderValue::from_str(&current_request_id()) {
                said.headers_mut()
                    .insert(HeaderName::from_static("x-request-id"), id);
            }
            Err(InternalError::from_response(problem, said).into())
        }
    }
}

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
    let mut passage = passage_of(&request);
    let drain = passage.drain();
    let told = move |status: StatusCode| {
        let (status, took) = (status.as_u16(), began.elapsed());
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
    };
    REQUEST_ID
        .scope(RefCell::new(id), async move {
            // Errors become answers here, while the request's id is known.
            let body = watch_body(&mut request);
            let mut answer = match answer(request, next, &passage, &drain, &body).await {
                Ok(answer) => answer,
                Err(error) => {
                    passage.is_last();
                    told(error.as_response_error().status_code());
                    return Err(error);
                }
            };
            if drain.has_begun() || !body.is_whole() {
                passage.is_last();
                answer
                    .response_mut()
                    .head_mut()
                    .set_connection_type(ConnectionType::Close);
            }
            if !body.is_whole() {
                // What is left of it is not waited for, and must not be read as another request.
                answer = answer.map_body(|_, answer| body.last_until_answered(answer));
            }
            if let Ok(name) = name {
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static("x-request-id"), name);
            }
            told(answer.status());
            let is_long = match answer.response().body().size() {
                BodySize::None => false,
                BodySize::Sized(bytes) => bytes > LONG_ANSWER,
                BodySize::Stream => true,
            };
            if is_long {
                answer = answer.map_body(|_, answer| answer_with(answer, passage));
            }
            Ok(answer)
        })
        .await
}
