//! `POST /webhooks/workos`: the size and the form of the header first, then the signature over the raw bytes, then the few
//! fields the outbox indexes; 200 only after the commit. Whatever is refused leaves a counter by
//! reason and nothing else: no body, no header, no name in the log.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use serde_json::json;

use crate::clock::Timestamp;
use crate::db::Urgency;
use crate::intake::{Admission, Door, Shed};
use crate::operations::stale::{self, Stale};
use crate::outbox::NewEvent;
use crate::telemetry;
use crate::workos::{Rejection, read_envelope, time_of, verify, well_formed};

use super::payload::not_whole;
use super::source;
use super::{HttpState, Problem};

/// The header WorkOS signs with (contract section 1).
pub(super) const SIGNATURE: &str = "workos-signature";
/// The most that is reserved for a body before it comes, in bytes.
const MODEST: usize = 16 * 1024;
/// A sender whose clock is off sends many.
const STALE_KEPT_EVERY: Duration = Duration::from_secs(60);

/// Takes one delivery.
pub(super) async fn receive(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let began = Instant::now();
    let done = admit(&request, payload, &state).await;
    metrics::histogram!(telemetry::WEBHOOK_SECONDS).record(began.elapsed());
    match done {
        Ok(admission) => {
            let status = match admission {
                Admission::Accepted => "accepted",
                Admission::Duplicate => "duplicate",
            };
            metrics::counter!(telemetry::WEBHOOK_REQUESTS, "outcome" => status, "reason" => "")
                .increment(1);
            Ok(HttpResponse::Ok().json(json!({ "status": status })))
        }
        Err((reason, problem)) => {
            state.refusals.count(reason, state.clock.now());
            metrics::counter!(telemetry::WEBHOOK_REQUESTS, "outcome" => "rejected", "reason" => reason).increment(1);
            tracing::info!(
                reason,
                status = problem.status.as_u16(),
                request_id = super::middleware::current_request_id(),
                "refused a delivery"
            );
            Err(problem)
        }
    }
}

/// Any method but POST.
pub(super) async fn not_post() -> HttpResponse {
    use actix_web::ResponseError;
    metrics::counter!(telemetry::WEBHOOK_REQUESTS, "outcome" => "rejected", "reason" => "method")
        .increment(1);
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "deliveries are sent with POST; give this address to WorkOS as the webhook endpoint",
    );
    problem.allow("POST").error_response()
}

type Refused = (&'static str, Problem);

async fn admit(
    request: &HttpRequest,
    payload: web::Payload,
    state: &HttpState,
) -> Result<Admission, Refused> {
    if !source::is_allowed(
        source::of(request, &state.trusted_proxies),
        &state.allowed_sources,
    ) {
        let detail = "this source address may not deliver webhooks; see ROLLCALL_ALLOWED_SOURCES";
        return Err((
            "source",
            Problem::new(StatusCode::FORBIDDEN, "source-not-allowed", detail),
        ));
    }
    let headers: Vec<&[u8]> = request
        .headers()
        .get_all(SIGNATURE)
        .map(|value| value.as_bytes())
        .collect();
    too_large(request, state.body_limit)?;
    // Whoever cannot even write the header gets no memory for a body.
    well_formed(&headers).map_err(|rejection| refuse(&rejection))?;
    let body = read_body(request, payload, state.body_limit).await?;
    let now = state.clock.now();
    // How old a signature is, is between WorkOS and this machine: a wrong clock of the database server must not
    // turn honest deliveries away.
    let judged_at = state.clock.machine_now();
    let verified = match verify(&headers, &body, &state.secrets, state.tolerance, judged_at) {
        Ok(verified) => verified,
        Err(rejection) => {
            if rejection == Rejection::Stale {
                keep_stale(state, &headers, judged_at);
            }
            return Err(refuse(&rejection));
        }
    };
    state.secret_uses.count(&verified.label, now);
    metrics::counter!(telemetry::WEBHOOK_SECRET_MATCHES, "label" => verified.label).increment(1);
    let bad = |reason, detail: String| {
        (
            reason,
            Problem::new(StatusCode::BAD_REQUEST, "bad-envelope", detail),
        )
    };
    let envelope = read_envelope(&body).map_err(|error| bad(error.code(), error.to_string()))?;
    let body =
        String::from_utf8(body).map_err(|_| bad("not_utf8", "the body is not UTF-8".to_owned()))?;
    let event = NewEvent::new(envelope, body, now);
    let admission = state
        .intake
        .submit(event, Door::Webhook)
        .await
        .map_err(shed)?;
    state.poke.notify_one();
    Ok(admission)
}

/// Keeps, now and then, by how much a genuine delivery was out of time: `rollcall doctor` tells of it.
fn keep_stale(state: &HttpState, headers: &[&[u8]], now: Timestamp) {
    let last = state.stale_kept.load(Ordering::Relaxed);
    let Some(t) = headers.first().and_then(|header| time_of(header)) else {
        return;
    };
    if now.since(Timestamp(last)) < STALE_KEPT_EVERY {
        return;
    }
    state.stale_kept.store(now.micros(), Ordering::Relaxed);
    let (db, seen) = (state.db.clone(), Stale::of(t, now));
    drop(tokio::task::spawn_blocking(move || {
        let kept = db.write(Urgency::Normal, |conn| stale::keep(conn, seen));
        if let Err(error) = kept {
            tracing::warn!(%error, "a refusal by time could not be kept for the doctor");
        }
    }));
}

fn over(limit: usize) -> Refused {
    let detail = format!("the body is larger than {limit} bytes (ROLLCALL_BODY_LIMIT)");
    (
        "too_large",
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail),
    )
}

/// How long the body is to be, by the sender's word.
fn said_length(request: &HttpRequest) -> Option<usize> {
    let value = request.headers().get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

fn too_large(request: &HttpRequest, limit: usize) -> Result<(), Refused> {
    match said_length(request) {
        Some(said) if said > limit => Err(over(limit)),
        _ => Ok(()),
    }
}

/// Reads the body piece by piece and stops at the limit: a sender that says less than it sends gets
/// no more memory than one that is honest.
async fn read_body(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<Vec<u8>, Refused> {
    let said = said_length(request);
    // What a sender says takes no memory; what comes does.
    let mut body = Vec::with_capacity(said.unwrap_or(2_048).min(MODEST));
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| not_whole(&error))?;
        if body.len() + piece.len() > limit {
            return Err(over(limit));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// C7: a missing, wrong or stale signature is 401, a malformed or repeated header 400.
fn refuse(rejection: &Rejection) -> Refused {
    let (status, kind) = match rejection {
        Rejection::Malformed | Rejection::Repeated => {
            (StatusCode::BAD_REQUEST, "bad-signature-header")
        }
        Rejection::Missing | Rejection::Mismatch | Rejection::Stale => {
            (StatusCode::UNAUTHORIZED, "bad-signature")
        }
    };
    (
        rejection.code(),
        Problem::new(status, kind, rejection.to_string()),
    )
}

fn shed(shed: Shed) -> Refused {
    let (reason, seconds) = match shed {
        Shed::Full => ("full", 2),
        Shed::Unavailable => ("unavailable", 10),
        Shed::TooSlow => ("too_slow", 5),
        Shed::Stopping => ("stopping", 2),
    };
    (
        reason,
        Problem::unavailable(
            format!("{shed}; it was not acknowledged, deliver it again"),
            seconds,
        ),
    )
}
