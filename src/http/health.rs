//! Liveness, readiness with its reasons, and the metrics. Figures that live in the database are
//! read when they are asked for, on indexes and capped.

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{DbError, migration_state};
use crate::outbox::{QueueStats, gaps, queue_stats};
use crate::people::processes::{self, SILENT_AFTER};
use crate::telemetry;
use crate::triggers::deliveries::delivery_stats;
use crate::triggers::destinations::stopped_count;

use super::HttpState;

/// An event that is due for so long says that nothing works it off.
const TOO_OLD_SECONDS: u64 = 300;

/// The process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

struct Findings {
    pending: usize,
    queue: QueueStats,
    heartbeat: Option<Timestamp>,
}

/// Whether deliveries are taken and worked off, and if not, why.
pub(super) async fn ready(state: web::Data<HttpState>) -> HttpResponse {
    let db = state.db.clone();
    let found = tokio::task::spawn_blocking(move || {
        db.read(|conn| {
            Ok::<_, DbError>(Findings {
                pending: migration_state(conn)?.pending.len(),
                queue: queue_stats(conn)?,
                heartbeat: processes::last_worker_heartbeat(conn)?,
            })
        })
    })
    .await;
    let Ok(Ok(found)) = found else {
        let checks = json!({ "database": "cannot be reached" });
        return HttpResponse::ServiceUnavailable()
            .json(json!({ "status": "unavailable", "checks": checks }));
    };
    let now = state.clock.now();
    let age = found.queue.oldest_ready.map(|at| now.since(at).as_secs());
    let beat = found.heartbeat.map(|at| now.since(at));
    let migrated = found.pending == 0;
    let fresh = age.is_none_or(|age| age < TOO_OLD_SECONDS);
    let worked = !state.wanted.worker || beat.is_some_and(|beat| beat < SILENT_AFTER);
    let body = json!({
        "status": if migrated && fresh && worked { "ready" } else { "unavailable" },
        "checks": {
            "database": "ok",
            "migrations": if migrated { "ok".to_owned() } else { format!("{} pending: run `rollcall migrate`", found.pending) },
            "oldest_ready_seconds": age,
            "queue": if fresh { "ok" } else { "the oldest event has waited for over five minutes: is a worker running?" },
            "worker": match (state.wanted.worker, worked) {
                (false, _) => "not asked for (--no-worker)",
                (true, true) => "ok",
                (true, false) => "no worker has shown a heartbeat for 30 s",
            },
        },
    });
    if migrated && fresh && worked {
        HttpResponse::Ok().json(body)
    } else {
        HttpResponse::ServiceUnavailable().json(body)
    }
}

/// Prometheus text.
pub(super) async fn metrics(state: web::Data<HttpState>) -> HttpResponse {
    let db = state.db.clone();
    let now = state.clock.now();
    let figures = tokio::task::spawn_blocking(move || {
        db.read(|conn| {
            Ok::<_, DbError>((
                queue_stats(conn)?,
                delivery_stats(conn, now)?,
                gaps::counts(conn)?,
                stopped_count(conn)?,
            ))
        })
    })
    .await;
    if let Ok(Ok((queue, deliveries, (lost, late), (stopped, all)))) = figures {
        for (webhook, count) in [("never", lost), ("late", late)] {
            #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
            metrics::gauge!(telemetry::EVENT_GAPS, "webhook" => webhook).set(count as f64);
        }
        for (state, count) in [
            ("ready", queue.ready),
            ("parked", queue.parked),
            ("held", queue.held),
        ] {
            set(telemetry::OUTBOX_EVENTS, state, count);
        }
        for (state, count) in [
            ("due", deliveries.due),
            ("parked", deliveries.parked),
            ("unknown", deliveries.unknown),
            ("failed", deliveries.failed),
        ] {
            set(telemetry::DELIVERIES, state, count);
        }
        for (state, count) in [("open", all - stopped), ("stopped", stopped)] {
            set(telemetry::DESTINATIONS, state, count);
        }
        let age = |at: Option<Timestamp>| at.map_or(0.0, |at| now.since(at).as_secs_f64());
        metrics::gauge!(telemetry::OUTBOX_OLDEST_READY_SECONDS).set(age(queue.oldest_ready));
        metrics::gauge!(telemetry::DELIVERIES_OLDEST_DUE_SECONDS)
            .set(age(deliveries.oldest_due.map(Timestamp)));
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "waiting is bounded by the queue"
    )]
    metrics::gauge!(telemetry::INTAKE_WAITING).set(state.intake.waiting() as f64);
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(state.metrics.render())
}

#[allow(clippy::cast_precision_loss, reason = "counts are capped at 100,000")]
fn set(name: &'static str, state: &'static str, count: i64) {
    metrics::gauge!(name, "state" => state).set(count as f64);
}
