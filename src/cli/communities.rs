//! `rollcall communities`: made and deleted, with people put in and taken out by hand or by rules.

use std::path::PathBuf;

use serde_json::Value;

use crate::operations::communities::{
    self, CommunityQuery, CommunityView, MemberView, NewCommunity,
};

use super::admin_restorations;
use super::database::{self, DryRun};
use super::output::Cell;
use super::send::read_whole;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at communities; make or delete one, put people in or take them out, by hand or by rules
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Create(Create),
    Delete(Delete),
    Rules(Rules),
    Members(Members),
    Add(Add),
    Remove(Remove),
    AdminRestorations(admin_restorations::List),
    /// Restore the admin role of somebody who returned
    RestoreAdmin(admin_restorations::AdminRole),
    /// Dismiss an admin role: its former holder stays a member
    DismissAdmin(admin_restorations::AdminRole),
}

/// List communities, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities list --organization org_01H2…
  rollcall communities list --orphaned")]
struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Only those that nobody runs any more
    #[arg(long)]
    orphaned: bool,
    #[command(flatten)]
    paging: Paging,
}

/// Show one community
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall communities show community_0199…")]
struct Show {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
}

/// Make a community
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities create --organization org_01H2… --name Runners
  rollcall communities create --organization org_01H2… --name Runners --json | jq -r .id")]
struct Create {
    /// Whose it is: WorkOS's id of the organization
    #[arg(long, value_name = "ID")]
    organization: String,
    /// What people call it
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Delete a community; everybody in it leaves it. Asks when somebody is in it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities delete community_0199… --dry-run
  rollcall communities delete community_0199… --yes")]
struct Delete {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Replace a community's rules with those of a JSON file, and apply them to everybody at once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file is the body of PUT /v1/communities/{id}/rules: a list of rules. [] ends them all.

Examples:
  rollcall communities rules community_0199… rules.json --dry-run
  echo '[{\"when\":{\"field\":\"department\",\"op\":\"eq\",\"value\":\"Sales\"},\"role\":\"member\"}]' \\
    | rollcall communities rules community_0199… -"
)]
struct Rules {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    dry_run: DryRun,
}

/// List who is in a community
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall communities members community_0199…")]
struct Members {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
}

/// Put somebody into a community, or change their role
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities add community_0199… profile_0199…
  rollcall communities add community_0199… profile_0199… --role admin")]
struct Add {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
    /// The person
    #[arg(value_name = "PROFILE")]
    profile: String,
    /// member or admin
    #[arg(long, value_name = "ROLE", default_value = "member")]
    role: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Take somebody out of a community who was put in by hand
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall communities remove community_0199… profile_0199…")]
struct Remove {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
    /// The person
    #[arg(value_name = "PROFILE")]
    profile: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| {
                communities::show(conn, actor, &args.id)
            })?;
            shown::one(context, &one, facts);
        }
        Command::Create(args) => create(args, context)?,
        Command::Delete(args) => delete(&args, context)?,
        Command::Rules(args) => rules(&args, context)?,
        Command::Members(args) => members(&args, context)?,
        Command::Add(args) => add(&args, context)?,
        Command::Remove(args) => remove(&args, context)?,
        Command::AdminRestorations(args) => admin_restorations::list(args, context)?,
        Command::RestoreAdmin(args) => admin_restorations::restore(&args, context)?,
        Command::DismissAdmin(args) => admin_restorations::dismiss(&args, context)?,
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = CommunityQuery {
        organization_id: args.organization,
        orphaned: args.orphaned.then_some(true),
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let none = if args.orphaned {
        "Every community that had an admin has one."
    } else {
        "There is no community yet. `rollcall communities create --organization <ID> --name <NAME>` makes one."
    };
    let page = database::read(context, |conn, actor| {
        communities::list(conn, actor, &query)
    })?;
    shown::page(
        context,
        &page,
        &[
            "id",
            "name",
            "members",
            "admins",
            "orphaned",
            "organization",
        ],
        |one| {
            vec![
                one.id.as_str().into(),
                one.name.as_str().into(),
                one.members.into(),
                one.admins.into(),
                one.orphaned_at.into(),
                one.organization_id.as_str().into(),
            ]
        },
        none,
    );
    Ok(())
}

fn facts(one: &CommunityView) -> Vec<(&'static str, Cell)> {
    vec![
        ("id", one.id.as_str().into()),
        ("name", one.name.as_str().into()),
        ("organization", one.organization_id.as_str().into()),
        ("members", one.members.into()),
        ("admins", one.admins.into()),
        ("rules", one.rules.len().into()),
        ("created", one.created_at.into()),
        ("updated", one.updated_at.into()),
        ("orphaned", one.orphaned_at.into()),
    ]
}

fn create(args: Create, context: &Context) -> Result<(), Failure> {
    let new = NewCommunity {
        organization_id: args.organization,
        name: args.name,
        rules: Vec::new(),
    };
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        communities::create(conn, actor, &new, now)
    })?;
    shown::one(context, &one, facts);
    Ok(())
}

fn delete(args: &Delete, context: &Context) -> Result<(), Failure> {
    let one = database::read(context, |conn, actor| {
        communities::show(conn, actor, &args.id)
    })?;
    let inside = one.members + one.admins;
    if inside > 0 && !args.dry_run.dry_run {
        context.output.confirm(&format!(
            "Delete the community {:?} with {inside} memberships?",
            one.name
        ))?;
    }
    let gone = database::write(context, args.dry_run, |conn, actor, now| {
        communities::delete(conn, actor, &args.id, now)
    })?;
    shown::one(context, &gone, facts);
    context
        .output
        .note(format!("Deleted; {inside} memberships ended."));
    Ok(())
}

fn rules(args: &Rules, context: &Context) -> Result<(), Failure> {
    let body: Value = serde_json::from_slice(&read_whole(&args.file)?)
        .map_err(|why| not_rules(format!("{} is not JSON: {why}", args.file.display())))?;
    let new = match body {
        Value::Array(rules) => rules,
        Value::Object(mut named) => match named.remove("rules") {
            Some(Value::Array(rules)) => rules,
            _ => {
                return Err(not_rules(format!(
                    "{} has no list `rules`",
                    args.file.display()
                )));
            }
        },
        _ => {
            return Err(not_rules(format!(
                "{} is not a list of rules",
                args.file.display()
            )));
        }
    };
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        communities::put_rules(conn, actor, &args.id, &new, now)
    })?;
    shown::one(context, &one, facts);
    Ok(())
}

fn not_rules(what: String) -> Failure {
    Failure::new(Exit::Usage, what).hint("`rollcall communities rules --help` shows a rule")
}

fn members(args: &Members, context: &Context) -> Result<(), Failure> {
    let page = database::read(context, |conn, actor| {
        communities::members(conn, actor, &args.id)
    })?;
    shown::page(
        context,
        &page,
        &["profile", "name", "role", "source", "since"],
        |one| {
            vec![
                one.profile_id.as_str().into(),
                one.display_name.as_str().into(),
                shown::state(&one.role),
                one.source.as_str().into(),
                one.granted_at.into(),
            ]
        },
        "Nobody is in it. `rollcall communities add <ID> <PROFILE>` puts somebody in.",
    );
    Ok(())
}

fn add(args: &Add, context: &Context) -> Result<(), Failure> {
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        let seat = communities::parse_role(&args.role)?;
        communities::put_member(conn, actor, &args.id, &args.profile, seat, now)
    })?;
    shown::one(context, &one, member_facts);
    Ok(())
}

fn member_facts(one: &MemberView) -> Vec<(&'static str, Cell)> {
    vec![
        ("profile", one.profile_id.as_str().into()),
        ("name", one.display_name.as_str().into()),
        ("role", shown::state(&one.role)),
        ("source", one.source.as_str().into()),
        ("since", one.granted_at.into()),
    ]
}

fn remove(args: &Remove, context: &Context) -> Result<(), Failure> {
    database::write(context, args.dry_run, |conn, actor, now| {
        communities::remove_member(conn, actor, &args.id, &args.profile, now)
    })?;
    if context.output.is_json() {
        let removed = serde_json::json!({ "community_id": args.id, "profile_id": args.profile, "removed": true });
        context.output.json(&removed);
    } else {
        context
            .output
            .line(format!("{} is out of {}", args.profile, args.id));
    }
    Ok(())
}
