//! `rollcall directories reconcile`: compares a directory with WorkOS's own listing in this process,
//! with a bar, and applies what differs by choice. A comparison that a process left behind is gone on
//! with.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use super::database;
use super::jobs::counted;
use super::output::Cell;
use super::shown;
use super::upstream::client;
use super::{Context, Exit, Failure};
use crate::db::{Db, Urgency};
use crate::operations::reconciles::{self, ReconcileDetail};
use crate::operations::{Actor, OperationError};
use crate::upstream::{Progress, ReconcileError, Reconciler};
use crate::workos::client::Client;

/// How often somebody else's comparison is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Compare a directory with WorkOS's own listing; apply what differs by choice
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Users, groups and edges are listed in full, four calls a second as WorkOS allows. Nothing changes
without --apply; with it the differences go through the same guards as webhooks. A directory that is not
known here yet is imported whole this way.

Examples:
  rollcall directories reconcile directory_01H2…
  rollcall directories reconcile directory_01H2… --json | jq .drift
  rollcall directories reconcile directory_01H2… --apply --yes"
)]
pub struct Args {
    /// WorkOS's id of the directory
    #[arg(value_name = "ID")]
    id: String,
    /// Apply what differs when the comparison is whole
    #[arg(long)]
    apply: bool,
}

/// Compares, shows the report, and exits with 1 where the comparison is incomplete.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    if args.apply {
        context.output.confirm(&format!(
            "Compare directory {} with WorkOS and apply what differs?",
            args.id
        ))?;
    }
    let db = database::open_or_make(&config)?;
    let id = begun(&db, &client, &args).await?;
    let reconciler = Reconciler::new(db.clone(), db.clock(), client, Arc::new(Notify::new()));
    compare(context, &db, &reconciler, &id).await?;
    let detail = db.read(|conn| reconciles::show(conn, &Actor::cli(), &id))?;
    show(context, &detail);
    Ok(if detail.reconcile.state == "done" {
        Exit::Done
    } else {
        Exit::SomeFailed
    })
}

/// The comparison that was left behind, or a new one.
async fn begun(db: &Db, client: &Client, args: &Args) -> Result<String, Failure> {
    if let Some(left) = db.read(|conn| reconciles::running(conn, &Actor::cli(), &args.id))? {
        return Ok(left);
    }
    let listed = client.directory(&args.id).await?;
    let organization = listed.get("organization_id").and_then(Value::as_str);
    let now = db.clock().now();
    let one = db.write(Urgency::Normal, |conn| {
        Ok::<_, OperationError>(
            reconciles::begin(conn, &Actor::cli(), &args.id, organization, args.apply, now)?.id,
        )
    })?;
    Ok(one)
}

async fn compare(
    context: &Context,
    db: &Db,
    reconciler: &Reconciler,
    id: &str,
) -> Result<(), Failure> {
    let bar = context.output.progress(0, "users listed");
    let watch = |_: &str, progress: &Progress| {
        if let Some(expected) = progress.expected_users {
            bar.of(counted(expected));
        }
        bar.at(counted(progress.users));
    };
    let done = worked_on(context, db, reconciler, id, &watch).await;
    bar.finish();
    match done {
        Ok(()) => Ok(()),
        Err(why) => Err(Failure::new(Exit::Unavailable, why.to_string())
            .hint("run the same command again: it goes on where this one ended")),
    }
}

/// To its end, by this process or by whoever holds its lease; one that died leaves it within a minute.
async fn worked_on(
    context: &Context,
    db: &Db,
    reconciler: &Reconciler,
    id: &str,
    watch: &(dyn Fn(&str, &Progress) + Sync),
) -> Result<(), ReconcileError> {
    let mut told = false;
    while !reconciler.work_on(id, watch).await? {
        let running = db.read(|conn| reconciles::is_running(conn, &Actor::cli(), id));
        if !running.unwrap_or(true) {
            return Ok(());
        }
        if !told {
            context.output.note(format!(
                "Another process works on comparison {id}; waiting for it, or for its lease to end."
            ));
            told = true;
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn show(context: &Context, detail: &ReconcileDetail) {
    let out = &context.output;
    if out.is_json() {
        return out.json(detail);
    }
    let one = &detail.reconcile;
    let count = |key: &str| one.progress.get(key).and_then(Value::as_i64).unwrap_or(0);
    out.note(format!(
        "{}: {} users, {} groups and {} edges listed with {} calls",
        one.state,
        count("users"),
        count("groups"),
        count("edges"),
        count("calls")
    ));
    if let Some(reason) = &one.reason {
        out.note(format!("Nothing follows from it: {reason}"));
    }
    let left = match count("left_out") {
        0 => None,
        left => Some(format!(
            "{left} users, groups or edges were left out: newer events were heard of them while the listing was read. Compare again in a minute."
        )),
    };
    if detail.items.is_empty() {
        let others = left.as_ref().map_or("", |_| " among what was compared");
        out.note(format!("Nothing differs{others}."));
        return left.into_iter().for_each(|left| out.note(left));
    }
    if let Some(left) = left {
        out.note(left);
    }
    let rows = one.drift.iter().flat_map(|(kind, states)| {
        states.iter().map(|(state, count)| {
            vec![
                kind.as_str().into(),
                shown::state(state),
                Cell::Number(*count),
            ]
        })
    });
    out.table(&["what", "status", "count"], rows.collect());
    let rows = detail.items.iter().map(|item| {
        let fields = (!item.fields.is_empty()).then(|| item.fields.join(", "));
        vec![
            item.kind.as_str().into(),
            item.subject.as_str().into(),
            fields.into(),
            shown::state(&item.state),
        ]
    });
    out.table(&["what", "whom", "fields", "status"], rows.collect());
    if !one.apply {
        out.note(format!(
            "Apply it: rollcall directories reconcile {} --apply",
            one.directory_id
        ));
    }
}
