//! `rollcall events`: what WorkOS sent, what came of it, and what an operator does about it.

use crate::clock::Timestamp;
use crate::operations::events::{self, EventDetail, EventQuery, EventView};

use super::database::{self, DryRun};
use super::output::{Cell, plain};
use super::shown::{self, Paging};
use super::{Context, Exit, Failure, replay, stream};

/// Look at the events WorkOS sent; replay or discard one
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(Box<List>),
    Show(Show),
    Replay(Box<replay::Args>),
    Discard(Discard),
    Tail(stream::Tail),
    Export(stream::Export),
}

/// Which events
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// ready, done, held, failed or ignored
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// applied, unchanged, stale, ignored, held or failed
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Their kind, such as dsync.user.updated
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Those of one directory
    #[arg(long, value_name = "ID")]
    directory: Option<String>,
    /// Those about one person
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// Received at or after
    #[arg(long, value_name = "INSTANT", value_parser = shown::instant)]
    since: Option<Timestamp>,
    /// Received before
    #[arg(long, value_name = "INSTANT", value_parser = shown::instant)]
    until: Option<Timestamp>,
    /// Text in the error
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
    /// Text in the id, the error or the payload
    #[arg(short, long = "query", value_name = "TEXT")]
    q: Option<String>,
}

impl Filter {
    pub(super) fn query(self, paging: Paging) -> EventQuery {
        EventQuery {
            state: self.state,
            outcome: self.outcome,
            event_type: self.event_type,
            organization_id: self.organization,
            directory_id: self.directory,
            profile_id: self.profile,
            since: self.since,
            until: self.until,
            error: self.error,
            q: self.q,
            limit: paging.limit,
            cursor: paging.cursor,
        }
    }
}

/// List events, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall events list
  rollcall events list --state failed
  rollcall events list --profile profile_0199… --json | jq -r '.data[] | [.id, .outcome, .reason] | @tsv'")]
struct List {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    paging: Paging,
}

/// Show one event: payload, attempts, changes, messages
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall events show event_01H2…
  rollcall events show event_01H2… --json | jq .payload.data")]
struct Show {
    /// The event
    #[arg(value_name = "ID")]
    id: String,
}

/// End a failed event for good; it stays listed with your reason
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rollcall events discard event_01H2… --reason \"test data of the directory's set-up\"")]
struct Discard {
    /// The event
    #[arg(value_name = "ID")]
    id: String,
    /// Why, for those who look later
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(*args, context)?,
        Command::Show(args) => show(&args, context)?,
        Command::Replay(args) => return replay::run(*args, context),
        Command::Discard(args) => discard(&args, context)?,
        Command::Tail(args) => stream::tail(args, context)?,
        Command::Export(args) => stream::export(args, context)?,
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let mut query = args.filter.query(args.paging);
    let wanted = query.limit.unwrap_or(50);
    let page = database::read(context, |conn, actor| {
        let mut page = events::list(conn, actor, &query)?;
        // A page of a search goes so far back and no further; here somebody waits for what there is.
        while let Some(cursor) = page.next_cursor.take() {
            let left = wanted - i64::try_from(page.data.len()).unwrap_or(wanted);
            if left <= 0 || query.q.is_none() {
                page.next_cursor = Some(cursor);
                break;
            }
            (query.limit, query.cursor) = (Some(left), Some(cursor));
            let more = events::list(conn, actor, &query)?;
            page.data.extend(more.data);
            page.next_cursor = more.next_cursor;
        }
        Ok(page)
    })?;
    shown::page(
        context,
        &page,
        &["id", "type", "state", "outcome", "received", "reason"],
        row,
        "No events match. `rollcall send <file>` posts one to the running service; WorkOS posts to /webhooks/workos.",
    );
    Ok(())
}

fn row(event: &EventView) -> Vec<Cell> {
    let why = event.error.as_ref().or(event.reason.as_ref());
    vec![
        event.id.as_str().into(),
        event.event_type.as_str().into(),
        shown::state(&event.state),
        shown::maybe_state(event.outcome.as_deref()),
        event.received_at.into(),
        why.cloned().into(),
    ]
}

fn show(args: &Show, context: &Context) -> Result<(), Failure> {
    let detail = database::read(context, |conn, actor| events::show(conn, actor, &args.id))?;
    shown::one(context, &detail, |detail| facts(&detail.event));
    if !context.output.is_json() {
        more(&detail, context);
    }
    Ok(())
}

fn facts(event: &EventView) -> Vec<(&'static str, Cell)> {
    vec![
        ("id", event.id.as_str().into()),
        ("type", event.event_type.as_str().into()),
        ("state", shown::state(&event.state)),
        ("outcome", shown::maybe_state(event.outcome.as_deref())),
        ("reason", event.reason.clone().into()),
        ("error", event.error.clone().into()),
        ("attempts", i64::from(event.attempts).into()),
        ("person", event.profile_id.clone().into()),
        ("organization", event.organization_id.clone().into()),
        ("directory", event.directory_id.clone().into()),
        ("occurred", event.occurred_at.into()),
        ("received", event.received_at.into()),
        ("settled", event.settled_at.into()),
    ]
}

fn more(detail: &EventDetail, context: &Context) {
    let out = &context.output;
    if !detail.changes.is_empty() {
        out.line("");
        let rows = detail.changes.iter().map(|change| {
            vec![
                change.name.as_str().into(),
                change.old.clone().into(),
                change.new.clone().into(),
            ]
        });
        out.table(&["changed", "old", "new"], rows.collect());
    }
    if !detail.deliveries.is_empty() {
        out.line("");
        let rows = detail.deliveries.iter().map(|delivery| {
            vec![
                delivery.id.as_str().into(),
                delivery.channel.as_str().into(),
                shown::state(&delivery.state),
                delivery.reason.clone().into(),
            ]
        });
        out.table(&["message", "channel", "state", "reason"], rows.collect());
    }
    if !detail.attempt_log.is_empty() {
        out.line("");
        let rows = detail.attempt_log.iter().map(|attempt| {
            vec![
                attempt.at.into(),
                attempt.what.as_str().into(),
                attempt.actor.clone().into(),
                attempt.detail.clone().into(),
            ]
        });
        out.table(&["at", "attempt", "by", "detail"], rows.collect());
    }
    if let Some(repeat) = &detail.repeated {
        out.note(format!(
            "This id came again with other content {} times, which changed nothing: first {}, last other {}.",
            repeat.times, repeat.first_digest, repeat.other_digest
        ));
    }
    out.line("");
    match &detail.payload {
        Some(payload) => out.line(plain(payload.get())),
        None => out.note("The payload was deleted after its retention time."),
    }
}

fn discard(args: &Discard, context: &Context) -> Result<(), Failure> {
    let event = database::write(context, args.dry_run, |conn, actor, now| {
        events::discard(conn, actor, &args.id, &args.reason, now)
    })?;
    shown::one(context, &event, facts);
    Ok(())
}
