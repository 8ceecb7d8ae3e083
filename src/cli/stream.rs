//! `rollcall events tail` and `export`: events as a stream. Tail tells each event once, when it has had its
//! outcome; export writes bodies as they came, one line each, the oldest first, as `rollcall send -`
//! reads them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::db::Db;
use crate::operations::Actor;
use crate::operations::events::{self, EventQuery, EventView};

use super::events::Filter;
use super::output::plain;
use super::shown::Paging;
use super::{Context, Failure, database};

/// How often the queue is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// An event that waits longer is told as it is, and once more when it has its outcome.
const PATIENCE: Duration = Duration::from_secs(5);

/// Show events as they come, until Ctrl-C
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall events tail
  rollcall events tail --outcome failed --json | jq .error
  rollcall events tail --type dsync.user.deleted --for 60")]
pub(super) struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
}

/// Write the bodies of events as they came, one a line, oldest first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Bodies whose retention has passed are left out, and counted on standard error.

Examples:
  rollcall events export --since 2026-11-01 > november.jsonl
  rollcall events export --profile profile_0199… | rollcall send - --fresh --to http://localhost:8081/webhooks/workos"
)]
pub(super) struct Export {
    #[command(flatten)]
    filter: Filter,
}

fn unpaged() -> Paging {
    Paging {
        limit: None,
        cursor: None,
    }
}

fn following(
    db: &Db,
    query: &EventQuery,
    after: Option<i64>,
) -> Result<Vec<(i64, EventView)>, Failure> {
    let read = db.read(|conn| events::following(conn, &Actor::cli(), query, after));
    Ok(read?)
}

/// Tells each event once.
pub(super) fn tail(args: Tail, context: &Context) -> Result<(), Failure> {
    let db = database::open(&context.config()?)?;
    let began = Instant::now();
    let query = args.filter.query(unpaged());
    // An outcome is asked of what has one: it is filtered when it is told.
    let wanted = (query.state.clone(), query.outcome.clone());
    let query = EventQuery {
        state: None,
        outcome: None,
        ..query
    };
    let newest = following(&db, &EventQuery::default(), None)?;
    let mut last = newest.first().map_or(0, |(place, _)| *place);
    let mut waiting: Vec<(String, Instant)> = Vec::new();
    let mut told = BTreeSet::new();
    while !context.output.is_closed() {
        for (place, event) in following(&db, &query, Some(last))? {
            last = place;
            waiting.push((event.id, Instant::now()));
        }
        let mut still = Vec::new();
        for (id, since) in waiting {
            let detail = db
                .read(|conn| events::show(conn, &Actor::cli(), &id))?
                .event;
            let open = detail.state == "ready";
            if open && since.elapsed() < PATIENCE {
                still.push((id, since));
                continue;
            }
            let matches = wanted.0.as_ref().is_none_or(|state| *state == detail.state)
                && (wanted.1.as_ref())
                    .is_none_or(|outcome| detail.outcome.as_ref() == Some(outcome));
            if matches && (!open || told.insert(id.clone())) {
                tell(context, &detail);
            }
            if open {
                still.push((id, since));
            } else {
                told.remove(&id);
            }
        }
        waiting = still;
        let over = args
            .seconds
            .is_some_and(|seconds| began.elapsed() >= Duration::from_secs(seconds));
        if over {
            break;
        }
        std::thread::sleep(EVERY);
    }
    Ok(())
}

fn tell(context: &Context, event: &EventView) {
    let out = &context.output;
    if out.is_json() {
        return out.json_line(event);
    }
    let why = event.error.as_deref().or(event.reason.as_deref());
    out.line(format!(
        "{}  {:<24} {:<9} {}  {}",
        event.received_at,
        plain(&event.event_type),
        event.outcome.as_deref().unwrap_or(&event.state),
        plain(&event.id),
        plain(why.unwrap_or_default()),
    ));
}

/// Writes every body that is kept.
pub(super) fn export(args: Export, context: &Context) -> Result<(), Failure> {
    let db = database::open(&context.config()?)?;
    let query = args.filter.query(unpaged());
    let (mut after, mut written, mut gone) = (0, 0_u64, 0_u64);
    loop {
        let rows = following(&db, &query, Some(after))?;
        let Some((place, _)) = rows.last() else {
            break;
        };
        after = *place;
        for (_, event) in &rows {
            let body = db.read(|conn| events::payload(conn, &Actor::cli(), &event.id))?;
            match body.as_deref().map(serde_json::from_str::<Value>) {
                Some(Ok(body)) => {
                    context.output.json_line(&body);
                    written += 1;
                }
                Some(Err(_)) | None => gone += 1,
            }
        }
        if context.output.is_closed() {
            break;
        }
    }
    context.output.note(format!(
        "{written} events written{}",
        match gone {
            0 => String::new(),
            gone => format!("; the bodies of {gone} are no longer kept"),
        }
    ));
    Ok(())
}
