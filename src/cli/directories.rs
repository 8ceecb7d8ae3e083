//! `rollcall directories`: their state, what they brought, when they were last heard from.

use crate::desk::directories::{self, DirectoryQuery, DirectoryView};

use super::database;
use super::output::Cell;
use super::shown;
use super::{Context, Exit, Failure};

/// Look at directories
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
}

/// List directories, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall directories list")]
struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Rows at most (1-200) [default: 200]
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
}

/// Show one directory
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall directories show directory_01H2…")]
struct Show {
    /// WorkOS's id of the directory
    #[arg(value_name = "ID")]
    id: String,
}

/// Shows what was asked for.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| {
                directories::show(conn, actor, &args.id)
            })?;
            shown::one(context, &one, facts);
        }
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = DirectoryQuery {
        organization_id: args.organization,
        limit: args.limit,
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
        ("organization", one.organization_id.as_str().into()),
        ("first seen", one.first_seen_at.into()),
        ("last event", one.last_event_at.into()),
    ]
}
