//! `rollcall jobs`: long work in steps, such as applying a changed mapping to everybody; how far it
//! came, and an end to it.

use std::time::Duration;

use crate::db::Db;
use crate::operations::Actor;
use crate::operations::jobs::{self, JobQuery, JobView};

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// How often a job that is followed is looked at.
const LOOK: Duration = Duration::from_millis(300);

/// Look at long work and how far it came; cancel it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Retry(Retry),
    Cancel(Cancel),
}

/// Try a failed job again, from where it came to
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall jobs retry job_0199…")]
struct Retry {
    /// The job
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// List jobs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall jobs list --state running
  rollcall jobs list --json | jq '.data[] | {kind, done, total}'")]
struct List {
    /// ready, running, done, failed or cancelled
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// One kind of work, such as fields.reapply
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one job
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running `rollcall serve` or `rollcall work` does the work.

Examples:
  rollcall jobs show job_0199…
  rollcall jobs show job_0199… --follow"
)]
struct Show {
    /// The job
    #[arg(value_name = "ID")]
    id: String,
    /// Wait until it has ended, and say how far it is meanwhile
    #[arg(long)]
    follow: bool,
}

/// Begin no further step of a job; what is done stays done
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall jobs cancel job_0199…")]
struct Cancel {
    /// The job
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => return show(&args, context),
        Command::Retry(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                jobs::retry(conn, actor, &args.id, now)
            })?;
            shown::one(context, &one, facts);
        }
        Command::Cancel(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                jobs::cancel(conn, actor, &args.id, now)
            })?;
            shown::one(context, &one, facts);
        }
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = JobQuery {
        organization_id: args.organization,
        state: args.state,
        kind: args.kind,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| jobs::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["id", "kind", "state", "done", "of", "by", "created"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.kind.as_str().into(),
                shown::state(&one.state),
                one.done.into(),
                one.total.into(),
                one.created_by.as_str().into(),
                one.created_at.into(),
            ]
        },
        "There is no job: nothing long was asked for.",
    );
    Ok(())
}

fn show(args: &Show, context: &Context) -> Result<Exit, Failure> {
    let db = database::open(&context.config()?)?;
    let one = if args.follow {
        follow(&db, context, &args.id, "Doing")?
    } else {
        look(&db, &args.id)?
    };
    shown::one(context, &one, facts);
    Ok(ended(&one))
}

fn look(db: &Db, id: &str) -> Result<JobView, Failure> {
    Ok(db.read(|conn| jobs::show(conn, &Actor::cli(), id))?)
}

/// Waits until a job has ended, with a bar on a terminal. Where nobody is at work, it does not wait.
pub(super) fn follow(
    db: &Db,
    context: &Context,
    id: &str,
    what: &'static str,
) -> Result<JobView, Failure> {
    let mut one = look(db, id)?;
    let bar = context.output.progress(counted(one.total), what);
    while !one.has_ended() {
        if !db.read(|conn| jobs::somebody_works(conn, db.clock().now()))? {
            context.output.note(
                "No worker is running, and the job waits for one: start `rollcall serve` or `rollcall work`.",
            );
            break;
        }
        bar.of(counted(one.total));
        bar.at(counted(one.done));
        std::thread::sleep(LOOK);
        one = look(db, id)?;
    }
    bar.finish();
    Ok(one)
}

/// A number of rows as a bar takes it.
pub(super) fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// A job that failed is a failure of the command that waited for it.
pub(super) fn ended(one: &JobView) -> Exit {
    match one.state.as_str() {
        "failed" => Exit::SomeFailed,
        _ => Exit::Done,
    }
}

/// A job as a column of facts.
pub(super) fn facts(one: &JobView) -> Vec<(&'static str, Cell)> {
    let results = one.result.as_object().into_iter().flatten();
    let told: Vec<String> = results
        .map(|(name, value)| format!("{}: {value}", name.replace('_', " ")))
        .collect();
    vec![
        ("id", one.id.as_str().into()),
        ("kind", one.kind.as_str().into()),
        ("organization", one.organization_id.clone().into()),
        ("state", shown::state(&one.state)),
        ("progress", format!("{} of {}", one.done, one.total).into()),
        ("result", (!told.is_empty()).then(|| told.join(", ")).into()),
        ("reason", one.reason.clone().into()),
        ("asked for by", one.created_by.as_str().into()),
        ("created", one.created_at.into()),
        ("started", one.started_at.into()),
        ("ended", one.ended_at.into()),
        ("ended by", one.ended_by.clone().into()),
    ]
}
