//! `rollcall events replay`: events by id, or all that match a filter. A dry run does everything in
//! a transaction, tells it and takes it back; a sweeping replay asks first.

use super::database::{self, DryRun};
use super::events::Filter;
use super::output::{Cell, plain};
use super::shown::Paging;
use super::{Context, Failure};
use crate::desk::events;
use crate::desk::replay::{ReplayBody, ReplayView, replay_matching};
use crate::desk::{DeskError, Page};

/// Have events applied once more; what went out does not go out again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The worker of `rollcall serve` or `rollcall work` applies them. Newer events keep the last word.

Examples:
  rollcall events replay event_01H2…
  rollcall events replay --state parked --since 2026-11-01 --dry-run
  rollcall events replay --all --rate 50 --yes"
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
    /// At most so many, the oldest of the newest first
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
    /// So many a second, so that live events go first
    #[arg(long, value_name = "N")]
    rate: Option<u32>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Replays what was named or what matches.
pub(super) fn run(args: Args, context: &Context) -> Result<(), Failure> {
    if args.ids.is_empty() {
        matching(args, context)
    } else {
        named(&args, context)
    }
}

fn named(args: &Args, context: &Context) -> Result<(), Failure> {
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
    say_who_applies(context, args.dry_run);
    Ok(())
}

fn matching(args: Args, context: &Context) -> Result<(), Failure> {
    let query = args.filter.query(Paging {
        limit: None,
        cursor: None,
    });
    let body = ReplayBody {
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
    };
    let dry_run = args.dry_run;
    if !dry_run.dry_run {
        ask(&body, context)?;
    }
    let view = database::write(context, dry_run, |conn, actor, now| {
        replay_matching(conn, actor, &body, now)
    })?;
    show(&view, context);
    say_who_applies(context, dry_run);
    Ok(())
}

/// Says how many there are before it is done.
fn ask(body: &ReplayBody, context: &Context) -> Result<(), Failure> {
    let count = database::read(context, |conn, actor| {
        let counted = crate::desk::replay::count_matching(conn, actor, body)?;
        Ok::<_, DeskError>(counted)
    })?;
    context.output.confirm(&format!(
        "{count} events match and will be applied once more."
    ))
}

fn show(view: &ReplayView, context: &Context) {
    let out = &context.output;
    if out.is_json() {
        out.json(view);
        return;
    }
    if view.dry_run {
        let rows = view.events.iter().map(|event| {
            let fields: Vec<String> = event
                .differences
                .iter()
                .map(|change| change.name.clone())
                .collect();
            vec![
                Cell::from(event.id.clone()),
                Cell::from(event.outcome.clone()),
                Cell::from(plain(&fields.join(", "))),
                Cell::from(event.reason.clone()),
            ]
        });
        out.table(&["id", "outcome", "differences", "reason"], rows.collect());
    }
    out.line(format!(
        "{} matched, {} replayed{}",
        view.matched,
        view.replayed,
        match (view.would_change, view.messages_due) {
            (Some(changed), Some(due)) =>
                format!("; {changed} would change something, {due} messages would fall due"),
            _ => String::new(),
        }
    ));
}

fn say_who_applies(context: &Context, dry_run: DryRun) {
    if !dry_run.dry_run {
        context.output.note(
            "The worker of `rollcall serve` or `rollcall work` applies them; `rollcall events show <ID>` says what came of it.",
        );
    }
}
