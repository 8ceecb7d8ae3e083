//! `rollcall migrate`: brings the database up to this version, or says whether it is.

use serde::Serialize;

use crate::db::{edited_sentence, unreadable_sentence};

use super::database;
use super::{Context, Exit, Failure};

/// Bring the database up to this version; a SQLite file is made where there is none
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Several processes may migrate at once; one does it, the others wait. A database from a newer
version is refused and left as it is.

Examples:
  rollcall migrate
  rollcall migrate --check || echo 'not up to this version'"
)]
pub struct Args {
    /// Change nothing; end with 1 when something has to be run
    #[arg(long, visible_alias = "dry-run")]
    check: bool,
}

#[derive(Serialize)]
struct Done {
    ran: Vec<String>,
}

/// Migrates, or checks.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.check {
        return check(context);
    }
    let (db, ran) = database::open_and_migrate(&context.config()?)?;
    let out = &context.output;
    if out.is_json() {
        out.json(&Done { ran });
    } else if ran.is_empty() {
        out.note(format!(
            "Nothing to do: {:?} is up to this version.",
            db.url()
        ));
    } else {
        ran.iter().for_each(|name| out.line(format!("ran {name}")));
    }
    Ok(Exit::Done)
}

fn check(context: &Context) -> Result<Exit, Failure> {
    let db = database::open_any(&context.config()?)?;
    let state = database::state_of(&db)?;
    // What a pending migration would add is not missing yet.
    let unreadable = if state.pending.is_empty() {
        database::unreadable(&db)?
    } else {
        Vec::new()
    };
    let out = &context.output;
    if out.is_json() {
        out.json(&serde_json::json!({
            "pending": state.pending,
            "unknown": state.unknown,
            "edited": state.edited,
            "unreadable_tables": unreadable,
        }));
    } else {
        for name in &state.pending {
            out.line(format!("pending {name}"));
        }
        for name in &state.unknown {
            out.line(format!("unknown {name}: a newer Rollcall ran it"));
        }
        if !state.edited.is_empty() {
            out.line(edited_sentence(&state.edited));
        }
        if !unreadable.is_empty() {
            out.line(unreadable_sentence(&unreadable));
        }
    }
    let current = state.pending.is_empty()
        && state.unknown.is_empty()
        && state.edited.is_empty()
        && unreadable.is_empty();
    Ok(if current {
        if !out.is_json() {
            out.note("The database is up to this version.");
        }
        Exit::Done
    } else {
        Exit::SomeFailed
    })
}
