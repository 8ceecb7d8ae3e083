//! `rollcall events replay`: events by id, or all that match a filter. A dry run does everything in
//! a transaction, tells it and takes it back; a sweeping replay asks first, and a large one is a job
//! that is followed here and goes on elsewhere.

use serde_json::Value;

use crate::operations::replay::{self, ReplayBody, ReplayView, Replayed};
use crate::operations::{Actor, Page, events};

use super::database::{self, DryRun};
use super::events::Filter;
use super::output::{Cell, plain};
use super::shown::{self, Paging};
use super::{Context, Exit, Failure, jobs};

/// Have events applied once more; what went out does not go out again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The worker of `rollcall serve` or `rollcall work` applies them. Newer events keep the last word. More than 200
are a job: it goes on when this command is left, and `rollcall jobs` shows and cancels it.

Examples:
  rollcall events replay event_01H2…
  rollcall events replay --state failed --since 2026-11-01 --dry-run
  rollcall events replay --all --rate 50 --yes
  rollcall events replay --directory directory_01H2… --since 2026-11-01 --detach --yes"
)]
pub(super) struct Args {
    /// Events by id, instead of a filter
    #[arg(value_name = "ID", conflicts_with_all = ["all", "state", "outcome", "event_type", "directory", "profile", "since", "until", "error", "q"])]
    ids: Vec<String>,
    /// Every event that is kept
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// At most so many, the oldest first
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
    /// So many a second; else as fast as live events, which go first, leave room for
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    /// Leave it to a job and come back at once with its id
    #[arg(long, conflicts_with_all = ["ids", "dry_run"])]
    detach: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Replays what was named or what matches.
pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    if args.ids.is_empty() {
        matching(args, context)
    } else {
        named(&args, context)
    }
}

fn named(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let mut done = database::write(context, args.dry_run, |conn, actor, now| {
        let replayed = args.ids.iter();
        replayed
            .map(|id| events::replay(conn, actor, id, now))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let out = &context.output;
    match (out.is_json(), done.len()) {
        (true, 1) => out.json(&done.remove(0)),
        (true, _) => out.json(&Page {
            data: done,
            next_cursor: None,
        }),
        (false, _) => {
            for event in &done {
                out.line(format!("{} is {}", event.id, event.state));
            }
        }
    }
    say_who_applies(context, args.dry_run.dry_run);
    Ok(Exit::Done)
}

fn matching(args: Args, context: &Context) -> Result<Exit, Failure> {
    let detach = args.detach;
    let body = body_of(args);
    let db = database::open(&context.config()?)?;
    if !body.dry_run {
        let count = db.read(|conn| replay::count_matching(conn, &Actor::cli(), &body))?;
        context.output.confirm(&format!(
            "{count} events match and will be applied once more."
        ))?;
    }
    let now = db.clock().now();
    let mut view = replay::replay(&db, &Actor::cli(), &body, now)?;
    if view.dry_run {
        let out = &context.output;
        out.note("Dry run: nothing was changed. This is what would be:");
    }
    let Some(job) = view.job_id.clone() else {
        show(&view, context);
        say_who_applies(context, body.dry_run);
        return Ok(Exit::Done);
    };
    if detach {
        show(&view, context);
        context.output.note(format!(
            "`rollcall jobs show {job} --follow` says how far it is, `rollcall jobs cancel {job}` stops it."
        ));
        return Ok(Exit::Done);
    }
    context.output.note(format!(
        "This is job {job}. It goes on when this command is left; `rollcall jobs cancel {job}` stops it."
    ));
    let one = jobs::follow(&db, context, &job, "Replaying")?;
    let replayed = one.result.get("replayed").and_then(Value::as_u64);
    view.replayed = usize::try_from(replayed.unwrap_or_default()).unwrap_or_default();
    if context.output.is_json() {
        context.output.json(&view);
    } else {
        shown::one(context, &one, jobs::facts);
    }
    Ok(jobs::ended(&one))
}

fn body_of(args: Args) -> ReplayBody {
    let query = args.filter.query(Paging {
        limit: None,
        cursor: None,
    });
    ReplayBody {
        ids: Vec::new(),
        state: query.state,
        outcome: query.outcome,
        event_type: query.event_type,
        organization_id: query.organization_id,
        directory_id: query.directory_id,
        profile_id: query.profile_id,
        since: query.since,
        until: query.until,
        error: query.error,
        q: query.q,
        all: args.all,
        dry_run: args.dry_run.dry_run,
        limit: args.limit,
        rate: args.rate,
        job: args.detach,
        tries: None,
    }
}

fn show(view: &ReplayView, context: &Context) {
    let out = &context.output;
    if out.is_json() {
        return out.json(view);
    }
    if view.dry_run {
        let heads = ["id", "outcome", "differences", "messages", "reason"];
        out.table(&heads, view.events.iter().map(row).collect());
    }
    let mut said = format!("{} matched, {} replayed", view.matched, view.replayed);
    if let Some(job) = &view.job_id {
        said = format!("{} matched; job {job} replays them", view.matched);
    }
    let tried = view.tried.unwrap_or_default();
    if view.dry_run {
        let figure = |number: Option<usize>| number.unwrap_or_default();
        said = format!(
            "{} matched: {} would change something, {} memberships among it; {} messages would fall due, {} are there already and stay as they are, {} that wait would be cancelled",
            view.matched,
            figure(view.would_change),
            figure(view.memberships),
            figure(view.messages_due),
            figure(view.messages_done),
            figure(view.messages_cancelled),
        );
    }
    out.line(said);
    if view.dry_run && tried < view.matched {
        out.note(format!(
            "These figures are of a sample: {tried} of the {} were tried, spread evenly over them.",
            view.matched
        ));
    }
}

fn row(event: &Replayed) -> Vec<Cell> {
    let changes = event.differences.iter().map(|change| {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        format!(
            "{}: {} → {}",
            change.name,
            side(&change.old),
            side(&change.new)
        )
    });
    let messages = event.messages.iter().map(|message| match message.id {
        Some(_) => format!("{} already {}", message.channel, message.state),
        None => format!("{} would fall due", message.channel),
    });
    let joined = |all: Vec<String>| plain(&all.join("; "));
    vec![
        Cell::from(event.id.clone()),
        Cell::from(event.outcome.clone()),
        Cell::from(joined(changes.collect())),
        Cell::from(joined(messages.collect())),
        Cell::from(event.reason.clone()),
    ]
}

fn say_who_applies(context: &Context, dry_run: bool) {
    if !dry_run {
        context.output.note(
            "The worker of `rollcall serve` or `rollcall work` applies them; `rollcall events show <ID>` says what came of it.",
        );
    }
}
