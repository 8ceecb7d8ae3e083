//! `rollcall groups`: what directories call their groups, and the places in them that wait.

use crate::operations::groups::{self, GroupQuery};

use super::database;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at groups, and at places in them that wait for their user or group
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    PendingMembers(PendingMembers),
}

/// List groups by name, with the names they had before
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall groups list --organization org_01H2…")]
struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// List places in groups that have waited for over a day: nobody has told of their user or group
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall groups pending-members --json | jq -r '.data[].directory_user_id'"
)]
struct PendingMembers {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::PendingMembers(args) => pending_members(args, context)?,
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = GroupQuery {
        organization_id: args.organization,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| groups::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["id", "name", "before", "state", "members", "organization"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.name.as_str().into(),
                one.former_names.join(", ").into(),
                shown::state(one.state),
                one.members.into(),
                one.organization_id.as_str().into(),
            ]
        },
        "No directory has told of a group yet.",
    );
    Ok(())
}

fn pending_members(args: PendingMembers, context: &Context) -> Result<(), Failure> {
    let query = GroupQuery {
        organization_id: args.organization,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read_now(context, |conn, actor, now| {
        groups::waiting(conn, actor, &query, now)
    })?;
    shown::page(
        context,
        &page,
        &[
            "group",
            "name",
            "user",
            "waits for",
            "since",
            "organization",
        ],
        |one| {
            vec![
                one.group_id.as_str().into(),
                one.group_name.clone().into(),
                one.directory_user_id.as_str().into(),
                one.waits_for.into(),
                one.since.into(),
                one.organization_id.as_str().into(),
            ]
        },
        "No place in a group has waited for over a day.",
    );
    Ok(())
}
