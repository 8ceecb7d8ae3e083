//! Liveness, readiness with its reasons, and the metrics. Anybody may ask: the database is read at most
//! once a second for all who do, on indexes and capped.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{DbError, Fault, migration_state};
use crate::operations::{OperationError, failing, jobs};
use crate::outbox::{QueueStats, catch_ups, gaps, queue_stats};
use crate::store::reconciles::{self, ReconcileStats};
use crate::store::{chores, holds, processes};
use crate::telemetry;
use crate::triggers::deliveries::{DeliveryStats, delivery_stats};
use crate::triggers::destinations::{failing_count, stopped_count};

use super::HttpState;

/// An event that is due for so long says that nothing works it off.
const TOO_OLD_SECONDS: u64 = 300;

/// The process answers.
pub(super) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// An event that waits for a damaged page is tried again at least every minute.
const DAMAGE_IS_NEWS: Duration = Duration::from_secs(150);

fn unavailable(database: &str) -> Answered {
    let checks = json!({ "database": database });
    let body = json!({ "status": "unavailable", "checks": checks });
    (StatusCode::SERVICE_UNAVAILABLE, body.to_string())
}

/// What is the matter with the database, without its internals.
fn of_fault(fault: Fault) -> &'static str {
    match fault {
        Fault::Away => "cannot be reached, or takes no writes",
        Fault::Replaced => {
            "its file was deleted, moved or replaced while it was open, so nothing is stored: put it back, or restart Rollcall"
        }
        Fault::Contention | Fault::Deadlock => {
            "did not answer within a second: somebody holds a lock; `rollcall doctor` says who"
        }
        Fault::Unready => "is not set up for this version or this user; run `rollcall doctor`",
        Fault::Damaged => "is damaged: a page cannot be read; run `rollcall doctor`",
        Fault::Own => "could not answer; the log says why",
    }
}

struct Findings {
    pending: usize,
    queue: QueueStats,
    works: bool,
}

/// A status and a body.
pub(super) type Answered = (StatusCode, String);

/// Whether deliveries are taken and worked off, and if not, why.
pub(super) async fn ready(state: web::Data<HttpState>) -> HttpResponse {
    let (status, body) = state.bounds.ready.get(readiness(&state)).await;
    HttpResponse::build(status)
        .content_type("application/json")
        .body(body)
}

async fn readiness(state: &HttpState) -> Answered {
    let (db, now) = (state.db.clone(), state.clock.now());
    let found = tokio::task::spawn_blocking(move || {
        db.read(|conn| {
            Ok::<_, DbError>(Findings {
                pending: migration_state(conn)?.pending.len(),
                queue: queue_stats(conn)?,
                works: processes::somebody_works(conn, now)?,
            })
        })
    })
    .await;
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return unavailable(of_fault(error.fault())),
        Err(_) => return unavailable("could not be asked"),
    };
    if let Some(trouble) = state.db.write_trouble() {
        return unavailable(trouble);
    }
    if state.db.is_damaged(DAMAGE_IS_NEWS) {
        return unavailable(of_fault(Fault::Damaged));
    }
    let age = found.queue.oldest_ready.map(|at| now.since(at).as_secs());
    let migrated = found.pending == 0;
    let fresh = age.is_none_or(|age| age < TOO_OLD_SECONDS);
    let worked = !state.wanted.worker || found.works;
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
    let status = if migrated && fresh && worked {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, body.to_string())
}

/// What the metrics tell from the database.
struct Figures {
    queue: QueueStats,
    deliveries: DeliveryStats,
    /// Events that never came by webhook, and those that came late.
    gaps: (i64, i64),
    /// Destinations that are stopped, and all of them.
    destinations: (i64, i64),
    /// Destinations at which nothing is taken.
    failing_destinations: i64,
    holds: i64,
    failed_jobs: usize,
    retention: Option<Timestamp>,
    reconciles: ReconcileStats,
    /// How often in a row catching up has failed.
    catch_up_failures: i64,
    /// Directories whose comparisons fail again and again.
    failing_comparisons: usize,
}

/// Prometheus text.
pub(super) async fn metrics(state: web::Data<HttpState>) -> HttpResponse {
    let text = state.bounds.figures.get(rendered(&state)).await;
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(text)
}

async fn rendered(state: &HttpState) -> String {
    let db = state.db.clone();
    let now = state.clock.now();
    let figures = tokio::task::spawn_blocking(move || {
        db.read(|conn| {
            let retention = chores::last(conn, chores::RETENTION)?;
            Ok::<_, OperationError>(Figures {
                queue: queue_stats(conn)?,
                deliveries: delivery_stats(conn, now)?,
                gaps: gaps::counts(conn, None)?,
                reconciles: reconciles::stats(conn)?,
                catch_up_failures: catch_ups::all(conn)?
                    .iter()
                    .map(|row| row.failures)
                    .max()
                    .unwrap_or_default(),
                failing_comparisons: failing::comparisons(conn, None, now)?.len(),
                destinations: stopped_count(conn)?,
                failing_destinations: failing_count(conn, now)?,
                holds: holds::open_count(conn)?,
                failed_jobs: jobs::failed(conn, None)?.len(),
                retention: retention.map(|(at, _)| at),
            })
        })
    })
    .await;
    if let Ok(Ok(figures)) = figures {
        let (queue, deliveries) = (figures.queue, figures.deliveries);
        let ((lost, late), (stopped, all)) = (figures.gaps, figures.destinations);
        #[allow(clippy::cast_precision_loss, reason = "few holds; seconds fit")]
        {
            metrics::gauge!(telemetry::HOLDS_OPEN).set(figures.holds as f64);
            metrics::gauge!(telemetry::JOBS_FAILED).set(figures.failed_jobs as f64);
            metrics::gauge!(telemetry::CATCH_UP_FAILURES).set(figures.catch_up_failures as f64);
            metrics::gauge!(telemetry::RECONCILES_FAILING).set(figures.failing_comparisons as f64);
            let ran = figures.retention.map_or(0, |at| at.seconds());
            metrics::gauge!(telemetry::RETENTION_LAST_RUN).set(ran as f64);
        }
        for (webhook, count) in [("never", lost), ("late", late)] {
            #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
            metrics::gauge!(telemetry::EVENT_GAPS, "webhook" => webhook).set(count as f64);
        }
        show_reconciles(&figures.reconciles);
        for (state, count) in [
            ("ready", queue.ready),
            ("failed", queue.failed),
            ("held", queue.held),
        ] {
            set(telemetry::OUTBOX_EVENTS, state, count);
        }
        for (state, count) in [
            ("due", deliveries.due),
            ("paused", deliveries.paused),
            ("unknown", deliveries.unknown),
            ("failed", deliveries.failed),
        ] {
            set(telemetry::DELIVERIES, state, count);
        }
        let failing = figures.failing_destinations;
        for (state, count) in [
            ("open", all - stopped - failing),
            ("stopped", stopped),
            ("failing", failing),
        ] {
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
    state.metrics.render()
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn show_reconciles(stats: &ReconcileStats) {
    let last = stats.last_done.map_or(0, |at| at.seconds());
    metrics::gauge!(telemetry::RECONCILE_LAST).set(last as f64);
    for state in [
        reconciles::RUNNING,
        reconciles::DONE,
        reconciles::INCOMPLETE,
    ] {
        let count = stats.states.get(state).copied().unwrap_or(0);
        set(telemetry::RECONCILES, state, count);
    }
    for kind in reconciles::KINDS {
        for state in ["open", "applied", "skipped"] {
            let key = (kind.to_owned(), state.to_owned());
            let count = stats.drift.get(&key).copied().unwrap_or(0);
            metrics::gauge!(telemetry::DRIFT_ITEMS, "kind" => kind, "state" => state)
                .set(count as f64);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are capped at 100,000")]
fn set(name: &'static str, state: &'static str, count: i64) {
    metrics::gauge!(name, "state" => state).set(count as f64);
}
