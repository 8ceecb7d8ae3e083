//! Around every request: an id that answers carry in `x-request-id` and errors in their body, a
//! line in the log without names, addresses or payloads, and the time it took by route pattern.

use std::cell::RefCell;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError};

use crate::telemetry;

use super::Problem;

tokio::task_local! {
    static REQUEST_ID: RefCell<String>;
}

/// The id of the request being answered; empty outside of one.
pub(crate) fn current_request_id() -> String {
    REQUEST_ID
        .try_with(|id| id.borrow().clone())
        .unwrap_or_default()
}

/// No text here has U+0000, and PostgreSQL refuses to look for it.
fn no_such_text() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-query",
        "the address has the character U+0000 (%00), which no text here may have",
    )
}

/// When a request arrived: for answers that tell their own time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrived(pub Instant);

/// Gives the request its id, and tells log and metrics about it.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = format!("req_{}", uuid::Uuid::now_v7().simple());
    let began = Instant::now();
    request.extensions_mut().insert(Arrived(began));
    let method = request.method().to_string();
    let route = request
        .match_pattern()
        .unwrap_or_else(|| "(none)".to_owned());
    let name = HeaderValue::from_str(&id);
    let shown = id.clone();
    REQUEST_ID
        .scope(RefCell::new(id), async move {
            // Errors become answers here, while the request's id is known.
            let asked = request.uri().path_and_query();
            let mut answer = if asked.is_some_and(|asked| asked.as_str().contains("%00")) {
                request.into_response(no_such_text().error_response())
            } else {
                next.call(request).await?.map_into_boxed_body()
            };
            if let Ok(name) = name {
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static("x-request-id"), name);
            }
            let status = answer.status().as_u16();
            let took = began.elapsed();
            metrics::histogram!(
                telemetry::HTTP_SECONDS,
                "method" => method.clone(), "route" => route.clone(), "status" => status.to_string()
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
