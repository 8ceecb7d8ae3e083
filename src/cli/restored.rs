//! `rollcall restored`: says that a back-up was restored, where nothing outside of the database could show it.

use crate::clock::Timestamp;
use crate::operations::restored::{self, RestoreView};

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown;
use super::{Context, Exit, Failure};

/// Say that a back-up of the database was restored: messages that may have been sent already wait in holds
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`serve` and `work` recognize most restores by themselves (see docs/operations.md) and do the same. Messages to
people that were due before now, and those of events from before now that come again, wait in a hold of kind
`restored` for each organization; `rollcall holds approve` sends them, `holds reject` cancels them. Webhooks go on.

Examples:
  rollcall restored --since 2026-11-30T03:00:00Z --dry-run
  rollcall restored --since 2026-11-30T03:00:00Z --yes"
)]
pub struct Args {
    /// When the back-up was made
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Timestamp,
    #[command(flatten)]
    dry_run: DryRun,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write an instant such as 2026-11-30T03:00:00Z".to_owned())
}

/// Notes it.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if !args.dry_run.dry_run {
        context
            .output
            .confirm("Hold all messages to people that were due before now?")?;
    }
    let view = database::write(context, args.dry_run, |conn, actor, now| {
        restored::restored(conn, actor, args.since, now)
    })?;
    shown::one(context, &view, facts);
    if view.messages > 0 && !context.output.is_json() {
        context
            .output
            .note("`rollcall holds list --state open` lists the holds; approve or reject each.");
    }
    context
        .output
        .note("Events since the back-up are missing: `rollcall catch-up` reads them again.");
    Ok(Exit::Done)
}

fn facts(view: &RestoreView) -> Vec<(&'static str, Cell)> {
    let count = i64::try_from(view.messages).unwrap_or(i64::MAX);
    vec![
        ("restore", view.id.as_str().into()),
        ("back-up of", view.since.into()),
        ("covers until", view.until.into()),
        ("messages held", count.into()),
    ]
}
