//! `rollcall destinations`: where messages go, which of them refuse and why; going on with one, and
//! telling its webhooks again.

use crate::clock::Timestamp;
use crate::operations::destinations::{self, DestinationQuery, DestinationView, ReplayOrder};

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at where messages go; let one that refused go on
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Resume(Resume),
    Replay(Replay),
}

/// List mail servers, Slack channels and web addresses that messages go to
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall destinations list --stopped
  rollcall destinations list --json | jq '.data[] | select(.waiting > 0)'")]
struct List {
    /// Only those that refused and were stopped
    #[arg(long)]
    stopped: bool,
    #[command(flatten)]
    paging: Paging,
}

/// Let a stopped destination go on; what waits there is sent
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall destinations resume email")]
struct Resume {
    /// The destination
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Tell webhooks again to a host application that lost them, each under its old id
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall destinations replay webhook_1f3a… --since 2026-11-20 --dry-run"
)]
struct Replay {
    /// The destination
    #[arg(value_name = "ID")]
    id: String,
    /// Those first due at that time or later
    #[arg(long, value_name = "TIME", value_parser = shown::instant)]
    since: Option<Timestamp>,
    /// Those first due before that time
    #[arg(long, value_name = "TIME", value_parser = shown::instant)]
    until: Option<Timestamp>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Resume(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                destinations::resume(conn, actor, &args.id, now)
            })?;
            shown::one(context, &one, facts);
        }
        Command::Replay(args) => replay(&args, context)?,
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = DestinationQuery {
        state: args.stopped.then(|| "stopped".to_owned()),
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read_now(context, |conn, actor, now| {
        destinations::list(conn, actor, &query, now)
    })?;
    shown::page(
        context,
        &page,
        &[
            "id",
            "where",
            "state",
            "waiting",
            "oldest due",
            "last sent",
            "reason",
        ],
        |one| {
            vec![
                one.id.as_str().into(),
                one.shown.as_str().into(),
                shown::state(one.state),
                one.waiting.into(),
                one.oldest_due.into(),
                one.last_sent.into(),
                one.reason.clone().into(),
            ]
        },
        "There is none. A destination appears with the first message that goes there.",
    );
    Ok(())
}

fn facts(one: &DestinationView) -> Vec<(&'static str, Cell)> {
    vec![
        ("id", one.id.as_str().into()),
        ("where", one.shown.as_str().into()),
        ("state", shown::state(one.state)),
        ("waiting", one.waiting.into()),
        ("oldest due", one.oldest_due.into()),
        ("resumed", one.resumed_at.into()),
    ]
}

fn replay(args: &Replay, context: &Context) -> Result<(), Failure> {
    let order = ReplayOrder {
        since: args.since,
        until: args.until,
        dry_run: false,
    };
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        destinations::replay(conn, actor, &args.id, &order, now)
    })?;
    shown::one(context, &one, |one| {
        vec![
            ("destination", one.destination.as_str().into()),
            ("matched", one.matched.into()),
            ("replayed", one.replayed.into()),
        ]
    });
    Ok(())
}
