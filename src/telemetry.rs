//! What can be seen from outside: the log on standard error, and the metrics. Every metric's name,
//! kind and help stand in the one list here; labels are bounded and never hold ids or addresses.
//! Installing twice in one process is harmless, since tests start several apps.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

/// What a metric counts or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How values are spread, in buckets.
    Histogram,
}

/// One metric of the list.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name at `/metrics`.
    pub name: &'static str,
    /// What it counts or measures.
    pub kind: Kind,
    /// What it means, its unit and its labels.
    pub help: &'static str,
}

/// Gives each metric a constant to be used at the call site, and puts all of them in one list.
macro_rules! metrics_list {
    ($($constant:ident $kind:ident $name:literal $help:literal)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// Every metric, described.
        pub const METRICS: &[Metric] = &[
            $(Metric { name: $constant, kind: Kind::$kind, help: $help }),*
        ];
    };
}

metrics_list! {
    WEBHOOK_REQUESTS Counter "rollcall_webhook_requests_total"
        "Deliveries answered. Labels: outcome (accepted, duplicate, rejected), reason (of a rejection)."
    WEBHOOK_SECONDS Histogram "rollcall_webhook_request_duration_seconds"
        "Time from a delivery's arrival to its answer."
    WEBHOOK_SECRET_MATCHES Counter "rollcall_webhook_secret_matches_total"
        "Deliveries by the secret that verified them (R71). Label: label, its label or position."
    INTAKE_GROUP_SIZE Histogram "rollcall_intake_group_size"
        "Events written in one commit."
    INTAKE_COMMIT_SECONDS Histogram "rollcall_intake_commit_seconds"
        "Time that one commit of the intake took."
    EVENT_REPEATS Counter "rollcall_event_repeats_total"
        "Duplicates that are not plainly the same. Label: content (differs from what came first, unknown because the first payload is gone)."
    INTAKE_WAITING Gauge "rollcall_intake_waiting"
        "Requests that wait for their commit."
    EVENTS Counter "rollcall_events_total"
        "Events worked off. Label: outcome (applied, unchanged, stale, ignored, held, failed)."
    BATCH_SIZE Histogram "rollcall_batch_size"
        "Events claimed in one transaction."
    BATCH_SECONDS Histogram "rollcall_batch_seconds"
        "Time from the claim of a batch to its commit."
    APPLY_SECONDS Histogram "rollcall_apply_seconds"
        "Time from an event's receipt to its effects being committed."
    TIME_TO_REVOKE_SECONDS Histogram "rollcall_time_to_revoke_seconds"
        "Time from a removal's receipt to access being refused (R67)."
    OUTBOX_EVENTS Gauge "rollcall_outbox_events"
        "Events in the outbox. Label: state (ready, held, failed)."
    OUTBOX_OLDEST_READY_SECONDS Gauge "rollcall_outbox_oldest_ready_seconds"
        "Age of the oldest ready event; 0 when there is none."
    DELIVERIES_DONE Counter "rollcall_deliveries_total"
        "Attempts to deliver a message. Labels: channel (email, slack, webhook), outcome."
    DELIVERIES Gauge "rollcall_deliveries"
        "Messages. Label: state (due, paused at a stopped destination, unknown, failed)."
    DESTINATIONS Gauge "rollcall_destinations"
        "Places that messages go to. Label: state (open, stopped, failing)."
    DELIVERIES_OLDEST_DUE_SECONDS Gauge "rollcall_deliveries_oldest_due_seconds"
        "How long the oldest due message has been due; 0 when there is none."
    REMOVALS_GIVEN_UP Counter "rollcall_removals_given_up_total"
        "Removals that could not be applied and were given up; access stays refused (R91). Any is an alert."
    HOLDS_OPENED Counter "rollcall_holds_opened_total"
        "Batches that began to wait for an operator (R40). Label: kind."
    HOLDS_OPEN Gauge "rollcall_holds_open"
        "Batches that wait for an operator's decision."
    JOBS_FAILED Gauge "rollcall_jobs_failed"
        "Jobs that were given up and that nobody has tried again or ended."
    RETENTION_PURGED Counter "rollcall_retention_purged_total"
        "What the retention deleted (R72). Label: what (payloads, attempts, texts, differences, people)."
    RETENTION_LAST_RUN Gauge "rollcall_retention_last_run_timestamp_seconds"
        "When the retention last ran in any process, in seconds since the epoch; 0 when it never did."
    WORKER_HEARTBEAT Gauge "rollcall_worker_heartbeat_timestamp_seconds"
        "When a worker of this process last went round, in seconds since the epoch."
    CLOCK_SKEW Gauge "rollcall_clock_skew_seconds"
        "How far this machine's clock is ahead of the database server's, in seconds; below zero: behind. 0 on SQLite."
    CATCH_UP_EVENTS Counter "rollcall_catch_up_events_total"
        "Events read from WorkOS's Events API. Label: result (new, known)."
    CATCH_UP_LAST Gauge "rollcall_catch_up_last_success_timestamp_seconds"
        "When this process last read all events there are, in seconds since the epoch."
    CATCH_UP_FAILURES Gauge "rollcall_catch_up_failures"
        "How often in a row catching up has failed, by the environment that is worst off; 0 when it works."
    EVENT_GAPS Gauge "rollcall_event_gaps"
        "Events that catching up found before any webhook brought them. Label: webhook (never, late)."
    DRIFT_ITEMS Gauge "rollcall_drift_items"
        "What the newest whole comparison of each directory found to differ. Labels: kind (user_missing_here, user_missing_there, user_differs, and the same of group and edge), state (open, applied, skipped)."
    RECONCILES Gauge "rollcall_reconciles"
        "Directories by how their newest comparison with WorkOS's own listing stands. Label: state (running, done, incomplete)."
    RECONCILES_FAILING Gauge "rollcall_reconciles_failing"
        "Directories whose comparisons have ended incomplete three times in a row or more."
    RECONCILE_LAST Gauge "rollcall_reconcile_last_success_timestamp_seconds"
        "When a comparison last ended whole in any process, in seconds since the epoch; 0 when none did."
    BUILD_INFO Gauge "rollcall_build_info"
        "Always 1. Label: version."
    HTTP_SECONDS Histogram "rollcall_http_request_duration_seconds"
        "Time to answer a request. Labels: method, route (its pattern), status."
}

/// From half a millisecond to ten minutes: a commit, a request, a wait behind a backlog.
const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 600.0,
];

/// Sizes of groups and batches.
const SIZES: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0,
];

/// How often recorded values are folded into their buckets: unfolded ones take memory each.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The exporter refused its own settings.
    #[error("the metrics recorder could not be built: {0}")]
    Recorder(#[from] BuildError),
    /// Another library of this process has installed a recorder of its own.
    #[error("another metrics recorder is already installed in this process")]
    Taken,
    /// The thread that folds recorded values could not be started.
    #[error("the thread that keeps the metrics could not be started: {0}")]
    Upkeep(#[from] std::io::Error),
}

/// What is logged, and in which shape.
#[derive(Debug, Clone, Copy)]
pub struct Logging<'a> {
    /// As `tracing_subscriber::EnvFilter` reads it; what it cannot read is left out.
    pub filter: &'a str,
    /// Whether Rollcall's own debug lines are shown beside what the filter lets through.
    pub verbose: bool,
    /// One JSON object a line instead of text.
    pub json: bool,
    /// Whether text may be coloured, which it then is on a terminal.
    pub colour: bool,
}

/// Starts the log on standard error. A second call in one process changes nothing.
pub fn start_log(logging: Logging<'_>) {
    let more = if logging.verbose {
        ",rollcall=debug"
    } else {
        ""
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(format!("{}{more}", logging.filter)))
        .with_writer(std::io::stderr)
        .with_ansi(logging.colour && std::io::stderr().is_terminal())
        // A reader of standard error that went away must not bring the service down.
        .log_internal_errors(false);
    // It fails only where a log has already been started.
    let _ = if logging.json {
        lines.json().flatten_event(true).try_init()
    } else {
        lines.try_init()
    };
}

/// Installs the process's metrics recorder, once, and gives the handle that renders `/metrics`.
///
/// # Errors
/// When the recorder cannot be built, another one is there, or its thread cannot be started.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    static INSTALLED: Mutex<Option<PrometheusHandle>> = Mutex::new(None);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*installed {
        return Ok(handle.clone());
    }
    let recorder = builder()?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::Taken)?;
    describe();
    keep_up(handle.clone())?;
    *installed = Some(handle.clone());
    Ok(handle)
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    METRICS
        .iter()
        .filter(|metric| metric.kind == Kind::Histogram)
        .try_fold(PrometheusBuilder::new(), |builder, metric| {
            let buckets = if metric.name.ends_with("_seconds") {
                SECONDS
            } else {
                SIZES
            };
            builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
        })
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
    metrics::gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// A thread of its own: it lives as long as the process, whichever runtimes come and go.
fn keep_up(handle: PrometheusHandle) -> std::io::Result<()> {
    let round = move || {
        loop {
            std::thread::sleep(UPKEEP);
            handle.run_upkeep();
        }
    };
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(round)
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_page_lists_every_metric() {
        let mut table = String::from("| metric | kind | meaning |\n| --- | --- | --- |\n");
        for Metric { name, kind, help } in METRICS {
            let kind = format!("{kind:?}").to_lowercase();
            table.push_str(&format!("| `{name}` | {kind} | {help} |\n"));
        }
        let page = include_str!("../docs/operations.md");
        assert!(
            page.contains(&table),
            "docs/operations.md should have this table:\n{table}"
        );
    }

    #[test]
    fn installing_twice_gives_the_same_metrics() {
        let (first, second) = std::thread::scope(|scope| {
            let one = scope.spawn(|| install_metrics().unwrap());
            (install_metrics().unwrap(), one.join().unwrap())
        });
        metrics::counter!(WEBHOOK_REQUESTS, "outcome" => "tested").increment(2);
        metrics::histogram!(INTAKE_GROUP_SIZE).record(7.0);
        metrics::histogram!(APPLY_SECONDS).record(0.2);
        let page = first.render();
        assert!(
            page.contains("rollcall_webhook_requests_total{outcome=\"tested\"} 2"),
            "{page}"
        );
        assert!(
            page.contains("# HELP rollcall_webhook_requests_total Deliveries answered."),
            "{page}"
        );
        assert!(
            page.contains("rollcall_intake_group_size_bucket{le=\"10\"} 1"),
            "{page}"
        );
        assert!(
            page.contains("rollcall_apply_seconds_bucket{le=\"0.25\"} 1"),
            "{page}"
        );
        assert!(page.contains("rollcall_build_info{version="), "{page}");
        assert!(
            second
                .render()
                .contains("rollcall_webhook_requests_total{outcome=\"tested\"} 2")
        );
    }

    #[test]
    fn metric_names_follow_the_conventions() {
        for metric in METRICS {
            assert!(metric.name.starts_with("rollcall_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            assert_eq!(
                METRICS
                    .iter()
                    .filter(|other| other.name == metric.name)
                    .count(),
                1,
                "{}",
                metric.name
            );
        }
    }

    #[test]
    fn starting_the_log_twice_is_harmless() {
        for (verbose, json) in [(true, false), (false, true)] {
            start_log(Logging {
                filter: "info",
                verbose,
                json,
                colour: false,
            });
        }
    }
}
