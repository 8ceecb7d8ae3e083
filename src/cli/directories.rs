//! `rollcall directories`: their state, what they brought, when they were last heard from; and what
//! becomes of the people of a deleted one.

use crate::operations::directories::{self, DirectoryDetail, DirectoryQuery, DirectoryView};
use crate::operations::holds::{self, Decision};

use super::database::{self, DryRun};
use super::holds::show as show_hold;
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};
use super::{enable, reconcile};

/// Look at directories; decide about the people of a deleted one
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Decide(Decide),
    Reconcile(reconcile::Args),
    Enable(enable::EnableArgs),
    RevokeLink(enable::RevokeArgs),
    Sync(enable::SyncArgs),
}

/// List directories, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall directories list")]
struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one directory
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall directories show directory_01H2…")]
struct Show {
    /// WorkOS's id of the directory
    #[arg(value_name = "ID")]
    id: String,
}

/// Decide about the people of a deleted directory
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall directories decide directory_01H2… relink
  rollcall directories decide directory_01H2… remove-all --dry-run
  rollcall directories decide directory_01H2… remove-all --yes")]
struct Decide {
    /// WorkOS's id of the directory
    #[arg(value_name = "ID")]
    id: String,
    /// What becomes of them
    #[arg(value_name = "DECISION")]
    decision: Choice,
    #[command(flatten)]
    dry_run: DryRun,
}

/// What an operator may decide.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Choice {
    /// Remove everybody whom no other directory speaks for
    RemoveAll,
    /// They stay; from now on log-ins update them
    Keep,
    /// They stay; a new directory will speak for them
    Relink,
}

impl From<Choice> for Decision {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::RemoveAll => Self::RemoveAll,
            Choice::Keep => Self::Keep,
            Choice::Relink => Self::Relink,
        }
    }
}

/// Does what was asked.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| {
                directories::show(conn, actor, &args.id)
            })?;
            show(context, &one);
        }
        Command::Decide(args) => decide(&args, context)?,
        Command::Enable(args) => return enable::enable(args, context).await,
        Command::RevokeLink(args) => return enable::revoke(args, context).await,
        Command::Sync(args) => return enable::sync_now(args, context).await,
        Command::Reconcile(args) => return reconcile::run(args, context).await,
    }
    Ok(Exit::Done)
}

fn decide(args: &Decide, context: &Context) -> Result<(), Failure> {
    if matches!(args.decision, Choice::RemoveAll) && !args.dry_run.dry_run {
        context.output.confirm(&format!(
            "Remove everybody of directory {} whom no other directory speaks for?",
            args.id
        ))?;
    }
    let detail = database::write(context, args.dry_run, |conn, actor, now| {
        holds::decide_directory(conn, actor, &args.id, args.decision.into(), now)
    })?;
    show_hold(context, &detail);
    Ok(())
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = DirectoryQuery {
        organization_id: args.organization,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| {
        directories::list(conn, actor, &query)
    })?;
    shown::page(
        context,
        &page,
        &["id", "type", "state", "users", "last event", "organization"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.directory_type.clone().into(),
                shown::state(&one.state),
                one.users.values().sum::<i64>().into(),
                one.last_event_at.into(),
                one.organization_id.as_str().into(),
            ]
        },
        "There is no directory yet: the first event from WorkOS brings one.",
    );
    Ok(())
}

fn show(context: &Context, one: &DirectoryDetail) {
    shown::one(context, one, |one| facts(&one.directory));
    let out = &context.output;
    if out.is_json() || one.unmatched_people.is_empty() {
        return;
    }
    out.line("");
    out.line("No linked directory has spoken for:");
    let rows = one.unmatched_people.iter().map(|person| {
        vec![
            person.profile_id.as_str().into(),
            person.display_name.as_str().into(),
            person.email.clone().into(),
            shown::state(&person.status),
            person.directory_user_id.as_str().into(),
            person.idp_id.clone().into(),
        ]
    });
    out.table(
        &[
            "profile",
            "name",
            "address",
            "status",
            "directory user",
            "idp id",
        ],
        rows.collect(),
    );
}

fn facts(one: &DirectoryView) -> Vec<(&'static str, Cell)> {
    let users: Vec<String> = one
        .users
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    vec![
        ("id", one.id.as_str().into()),
        ("name", one.name.clone().into()),
        ("type", one.directory_type.clone().into()),
        ("state", shown::state(&one.state)),
        ("linked", if one.linked { "yes" } else { "no" }.into()),
        (
            "users",
            (!users.is_empty()).then(|| users.join(", ")).into(),
        ),
        ("unmatched", (!one.linked).then_some(one.unmatched).into()),
        ("organization", one.organization_id.as_str().into()),
        ("first seen", one.first_seen_at.into()),
        ("last event", one.last_event_at.into()),
    ]
}
