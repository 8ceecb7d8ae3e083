//! `rollcall holds`: removals that wait because too many came at once or because a directory was
//! deleted, and identities that changed for too many people at once; shown with everybody they are about, then approved or rejected as one batch.

use crate::operations::holds::{self, HoldDetail, HoldQuery, HoldView, IDENTITY_SWAP};
use crate::operations::undo;

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at removals and changed identities that wait for a decision; approve or reject them
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Approve(Approve),
    Reject(Reject),
    Undo(Undo),
}

/// List holds, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall holds list --state open
  rollcall holds list --state open --json | jq -r '.data[].id'")]
struct List {
    /// open, approved, rejected or undone
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one hold and everybody it is about
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall holds show hold_0199…")]
struct Show {
    /// The hold
    #[arg(value_name = "ID")]
    id: String,
}

/// Let happen what waits in a hold: removals, of a deleted directory everybody whom no other one
/// speaks for, changed identities
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall holds approve hold_0199… --dry-run
  rollcall holds approve hold_0199… --yes")]
struct Approve {
    /// The hold
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Let nothing of it happen, and take back what the same batch did already: people, memberships,
/// admin roles, cancelled messages, identities
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall holds reject hold_0199…")]
struct Reject {
    /// The hold
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Take an approval back: everybody of the batch is as before, with memberships, admin roles and
/// cancelled messages
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall holds undo hold_0199… --dry-run
  rollcall holds undo hold_0199…")]
struct Undo {
    /// The hold
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let detail = database::read(context, |conn, actor| holds::show(conn, actor, &args.id))?;
            show(context, &detail);
        }
        Command::Approve(args) => approve(&args, context)?,
        Command::Reject(args) => {
            let detail = database::write(context, args.dry_run, |conn, actor, now| {
                holds::reject(conn, actor, &args.id, now)
            })?;
            show(context, &detail);
        }
        Command::Undo(args) => {
            let detail = database::write(context, args.dry_run, |conn, actor, now| {
                undo::undo(conn, actor, &args.id, now)
            })?;
            show(context, &detail);
        }
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = HoldQuery {
        organization_id: args.organization,
        state: args.state,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| holds::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &[
            "id",
            "kind",
            "state",
            "waiting",
            "applied",
            "opened",
            "organization",
        ],
        |one| {
            vec![
                one.id.as_str().into(),
                one.kind.as_str().into(),
                shown::state(&one.state),
                one.waiting.into(),
                one.applied.into(),
                one.opened_at.into(),
                one.organization_id.as_str().into(),
            ]
        },
        "Nothing waits for a decision. Removals are held when too many come within an hour or a directory is deleted; changed identities when too many come within an hour.",
    );
    Ok(())
}

fn approve(args: &Approve, context: &Context) -> Result<(), Failure> {
    let before = database::read(context, |conn, actor| holds::show(conn, actor, &args.id))?;
    let waiting = before.hold.waiting;
    if waiting > 0 && !args.dry_run.dry_run {
        let what = match before.hold.kind.as_str() {
            IDENTITY_SWAP => "Change the identity of",
            _ => "Remove",
        };
        let organization = &before.hold.organization_id;
        context
            .output
            .confirm(&format!("{what} {waiting} people of {organization}?"))?;
    }
    let detail = database::write(context, args.dry_run, |conn, actor, now| {
        holds::approve(conn, actor, &args.id, now)
    })?;
    show(context, &detail);
    if detail.hold.directory_id.is_none() && !args.dry_run.dry_run {
        context
            .output
            .note("It is done by `rollcall serve` or `rollcall work`.");
    }
    Ok(())
}

/// A hold with its people, for whatever decided about it.
pub(super) fn show(context: &Context, detail: &HoldDetail) {
    shown::one(context, detail, |detail| facts(&detail.hold));
    let out = &context.output;
    if out.is_json() || detail.people.is_empty() {
        return;
    }
    out.line("");
    let rows = detail.people.iter().map(|person| {
        vec![
            person.profile_id.as_str().into(),
            person.display_name.clone().into(),
            shown::maybe_state(person.status.as_deref()),
            if person.applied { "applied" } else { "waits" }.into(),
            person.event_id.as_str().into(),
        ]
    });
    out.table(
        &["profile", "name", "status", "change", "event"],
        rows.collect(),
    );
}

fn facts(one: &HoldView) -> Vec<(&'static str, Cell)> {
    vec![
        ("id", one.id.as_str().into()),
        ("kind", one.kind.as_str().into()),
        ("state", shown::state(&one.state)),
        ("reason", one.reason.as_str().into()),
        ("waiting", one.waiting.into()),
        ("applied", one.applied.into()),
        ("organization", one.organization_id.as_str().into()),
        ("directory", one.directory_id.clone().into()),
        ("group", one.group_id.clone().into()),
        (
            "probable rename",
            one.probable_rename
                .as_ref()
                .map(|to| {
                    format!(
                        "to {} ({}): {} of {} members are the same",
                        to.name, to.group_id, to.same_members, to.of
                    )
                })
                .into(),
        ),
        ("settles", one.due_at.into()),
        ("opened", one.opened_at.into()),
        ("decided", one.decided_at.into()),
        ("by", one.decided_by.clone().into()),
    ]
}
