//! `rollcall retention`: what has passed its days, when it was last taken, and taking it now.

use crate::operations::retention::{self, Amounts, Policy, RetentionView};

use super::database;
use super::output::Cell;
use super::shown;
use super::{Context, Exit, Failure};

/// Look at what has passed its days, or delete it now
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Run(Run),
}

/// Say how long things are kept, when the retention last ran, and what would go now
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall retention show --json | jq .due")]
struct Show {}

/// Delete payloads, attempts and texts that have passed their days, and erase people who left long ago
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`rollcall serve` and `rollcall work` do this every ten minutes. Nobody under a legal hold is touched.

Examples:
  rollcall retention run --dry-run
  rollcall retention run --retention-days 30 --yes"
)]
struct Run {
    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let policy = Policy::of(config.worker.retention());
    let told = database::read_now(context, |conn, actor, now| {
        retention::show(conn, actor, policy, now)
    })?;
    match args.command {
        Command::Show(_) => shown::one(context, &told, facts),
        Command::Run(args) if args.dry_run => {
            context
                .output
                .note("Dry run: nothing was changed. This is what would go:");
            shown::one(context, &told.due, amounts);
        }
        Command::Run(_) => {
            if told.due.people > 0 {
                context.output.confirm(&format!(
                    "Erase {} people who left long ago?",
                    told.due.people
                ))?;
            }
            let db = database::open(&config)?;
            let taken = retention::sweep(&db, policy, retention::ALL, db.clock().now())?;
            shown::one(context, &taken, amounts);
        }
    }
    Ok(Exit::Done)
}

fn amounts(all: &Amounts) -> Vec<(&'static str, Cell)> {
    vec![
        ("payloads", all.payloads.into()),
        ("attempts", all.attempts.into()),
        ("texts", all.texts.into()),
        ("differences", all.differences.into()),
        ("people", all.people.into()),
    ]
}

fn facts(told: &RetentionView) -> Vec<(&'static str, Cell)> {
    let days = |days: u32| format!("{days} days");
    let removed = match told.policy.removed_days {
        Some(count) => days(count),
        None => "not erased by itself".to_owned(),
    };
    let mut all = vec![
        (
            "payloads are kept",
            days(told.policy.payload_days).as_str().into(),
        ),
        (
            "texts are kept",
            days(told.policy.message_days).as_str().into(),
        ),
        ("people who left", removed.as_str().into()),
        ("last run", told.last_run_at.into()),
    ];
    let due = amounts(&told.due);
    all.extend(
        [
            "payloads due",
            "attempts due",
            "texts due",
            "differences due",
            "people due",
        ]
        .into_iter()
        .zip(due.into_iter().map(|(_, amount)| amount)),
    );
    all
}
