//! `rollcall catch-up` and `rollcall gaps`: reading back from WorkOS what no webhook brought, and the
//! report of it.

use std::sync::Arc;

use tokio::sync::Notify;

use super::database;
use super::output::Cell;
use super::shown;
use super::{Context, Exit, Failure};
use crate::app::workos_client;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::intake::Intake;
use crate::operations::gaps::{self, GapQuery, GapReport};
use crate::upstream::{CatchUp, CatchUpSettings, PullError};
use crate::workos::client::{Client, ClientError};

/// Read back from WorkOS every event that no webhook brought
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`serve` does this by itself where WORKOS_API_KEY is set (ROLLCALL_CATCH_UP). A worker applies what is found.

Examples:
  rollcall catch-up
  rollcall catch-up --json | jq .new"
)]
pub struct CatchUpArgs {}

/// Show events that WorkOS has and no webhook brought, and why that may be
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall gaps
  rollcall gaps --since 2026-11-01 --json | jq '.stretches[].likely_cause'")]
pub struct GapsArgs {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// What happened since
    #[arg(long, value_name = "TIME", value_parser = shown::instant)]
    since: Option<Timestamp>,
    /// Events at most (1-200) [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
}

/// The configured client, or what to do.
pub(super) fn client(config: &Config) -> Result<Client, Failure> {
    workos_client(config)
        .map_err(|why| Failure::new(Exit::Configuration, format!("{why:#}")))?
        .ok_or_else(|| {
            Failure::new(
                Exit::Configuration,
                "WORKOS_API_KEY is not set, and this command asks WorkOS",
            )
            .hint("WorkOS shows API keys under Dashboard > API Keys; set WORKOS_API_KEY or WORKOS_API_KEY_FILE")
        })
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            ClientError::NotFound { .. } => Exit::NotFound,
            ClientError::Unauthorized { .. }
            | ClientError::NoClient
            | ClientError::NotConfigured(_) => Exit::Configuration,
            ClientError::Refused { .. } => Exit::Refused,
            ClientError::RateLimited { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Unreadable { .. } => Exit::Unavailable,
        };
        Self::new(exit, error.to_string())
    }
}

/// Reads everything there is, once.
pub async fn catch_up(_: CatchUpArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    let db = database::open_or_make(&config)?;
    let clock = db.clock();
    let (intake, committer) =
        Intake::start(db.clone(), Arc::new(Notify::new()), config.intake.queue)
            .map_err(|why| Failure::new(Exit::Unavailable, why.to_string()))?;
    let settings = CatchUpSettings {
        overlap: config.workos.catch_up_overlap,
    };
    let catch_up = CatchUp::new(db, clock, client, intake, settings);
    let done = catch_up.pull().await;
    drop(catch_up);
    let _ = tokio::task::spawn_blocking(move || committer.join()).await;
    match done {
        Ok(Some(pulled)) => {
            if context.output.is_json() {
                context.output.json(&pulled);
            } else {
                context.output.line(format!(
                    "{} events that no webhook had brought, {} known already",
                    pulled.new, pulled.known
                ));
            }
            Ok(Exit::Done)
        }
        Ok(None) => Err(
            Failure::new(Exit::Refused, "another process is catching up just now")
                .hint("`rollcall gaps` shows what it found"),
        ),
        Err(PullError::Client(error)) => Err(error.into()),
        Err(PullError::Database(error)) => Err(error.into()),
        Err(error) => Err(Failure::new(Exit::Unavailable, error.to_string())),
    }
}

/// Shows the report.
pub fn gaps(args: GapsArgs, context: &Context) -> Result<Exit, Failure> {
    let query = GapQuery {
        organization_id: args.organization,
        since: args.since,
        limit: args.limit,
    };
    let report = database::read(context, |conn, actor| gaps::report(conn, actor, &query))?;
    if context.output.is_json() {
        context.output.json(&report);
    } else {
        show(context, &report);
    }
    Ok(Exit::Done)
}

fn counted(events: usize) -> String {
    match events {
        1 => "1 event".to_owned(),
        more => format!("{more} events"),
    }
}

fn show(context: &Context, report: &GapReport) {
    let out = &context.output;
    for one in &report.catch_up {
        let reached = one
            .reached
            .map_or("nothing yet".to_owned(), |at| out.time(at));
        out.note(format!(
            "environment {}: read up to {reached}",
            one.environment
        ));
        if let Some(error) = &one.last_error {
            out.note(format!("  the last reading ended early: {error}"));
        }
    }
    if report.catch_up.is_empty() {
        out.note("Events were never read back: set WORKOS_API_KEY, or run `rollcall catch-up`.");
    }
    out.note(format!(
        "{} events came by no webhook, {} came late",
        report.lost, report.late
    ));
    for stretch in &report.stretches {
        out.note(format!(
            "{} to {}: {}; {}",
            out.time(stretch.from),
            out.time(stretch.until),
            counted(stretch.events),
            stretch.likely_cause
        ));
    }
    if report.events.is_empty() {
        return;
    }
    let rows = report.events.iter().map(|one| {
        vec![
            one.id.as_str().into(),
            one.event_type.as_str().into(),
            one.occurred_at.into(),
            one.found_at.into(),
            one.webhook_at.map_or(Cell::Nothing, Cell::from),
        ]
    });
    out.table(
        &["id", "type", "happened", "found", "webhook came"],
        rows.collect(),
    );
}
