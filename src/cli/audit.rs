//! `rollcall audit`: what operators did, to what, when, and under which name.

use crate::clock::Timestamp;
use crate::operations::acts::{self, AuditQuery};

use super::database;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at what operators did
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
}

/// List operators' acts, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall audit list --since 2026-11-23
  rollcall audit list --actor Ann --act trigger
  rollcall audit list --target profile_5f0c… --json | jq '.data[] | {at, actor, act, detail}'")]
struct List {
    /// Who: a token's name, bootstrap, or cli:<user>
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// What: one act such as trigger.updated, or a kind of them such as trigger
    #[arg(long, value_name = "ACT")]
    act: Option<String>,
    /// To what: an id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// At or after that day or instant
    #[arg(long, value_name = "WHEN", value_parser = shown::instant)]
    since: Option<Timestamp>,
    /// Before that day or instant
    #[arg(long, value_name = "WHEN", value_parser = shown::instant)]
    until: Option<Timestamp>,
    /// Those in one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Shows what was asked for.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let Command::List(args) = args.command;
    let query = AuditQuery {
        organization_id: args.organization,
        actor: args.actor,
        act: args.act,
        target: args.target,
        since: args.since,
        until: args.until,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| acts::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["at", "who", "what", "to what", "detail"],
        |one| {
            vec![
                one.at.into(),
                one.actor.as_str().into(),
                one.act.as_str().into(),
                one.target.as_str().into(),
                one.detail.clone().into(),
            ]
        },
        "No operator has done anything that matches.",
    );
    Ok(Exit::Done)
}
