//! `rollcall tokens`: who may use `/v1` and the console. A token is printed once, when it is made.

use crate::operations::tokens::{self, NewToken};
use crate::operations::{Page, Role};

use super::database::{self, DryRun};
use super::shown;
use super::{Context, Exit, Failure};

/// Make, list and revoke the tokens of the API and the console
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print it, this once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a fresh machine this makes the SQLite file, so that automation can begin.

Examples:
  rollcall tokens create --name deploy --role admin
  rollcall tokens create --name payroll --role viewer --sensitive
  TOKEN=$(rollcall tokens create --name ci --role viewer --json | jq -r .token)"
)]
struct Create {
    /// What the audit shows for what is done with it
    #[arg(long, value_name = "NAME")]
    name: String,
    /// viewer looks; operator also replays, retries, changes communities and triggers; admin may all
    #[arg(long, value_name = "ROLE", value_parser = role)]
    role: Role,
    /// Limit it to one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Show it the fields that a mapping calls sensitive; admins see them anyway
    #[arg(long)]
    sensitive: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// List the tokens, revoked ones too; never the tokens themselves
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall tokens list")]
struct List {}

/// End a token at once
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall tokens revoke ci")]
struct Revoke {
    /// Its id or name
    #[arg(value_name = "ID|NAME")]
    token: String,
    #[command(flatten)]
    dry_run: DryRun,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "write viewer, operator or admin".to_owned())
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::Create(args) => create(&args, context)?,
        Command::List(_) => list(context)?,
        Command::Revoke(args) => revoke(&args, context)?,
    }
    Ok(Exit::Done)
}

fn create(args: &Create, context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    // A dry run changes nothing, so it makes no file either.
    let db = if args.dry_run.dry_run {
        database::open(&config)?
    } else {
        database::open_or_make(&config)?
    };
    let made = database::write_in(&db, context, args.dry_run, |conn, actor, now| {
        let organization = args.organization.as_deref();
        let made = tokens::create(
            conn,
            actor,
            &args.name,
            args.role,
            organization,
            args.sensitive,
            now,
        )?;
        Ok(if args.dry_run.dry_run {
            NewToken {
                token: "(not made)".to_owned(),
                ..made
            }
        } else {
            made
        })
    })?;
    if context.output.is_json() {
        context.output.json(&made);
    } else {
        context.output.line(&made.token);
        context.output.note(format!(
            "The token of {} with the role {}. It is shown this once: keep it where secrets are kept. Use it as `Authorization: Bearer <token>`.",
            made.name, made.role
        ));
    }
    Ok(())
}

fn list(context: &Context) -> Result<(), Failure> {
    let data = database::read(context, tokens::list)?;
    let page = Page {
        data,
        next_cursor: None,
    };
    shown::page(
        context,
        &page,
        &[
            "id",
            "name",
            "role",
            "organization",
            "sensitive",
            "created",
            "revoked",
        ],
        |one| {
            vec![
                one.id.as_str().into(),
                one.name.as_str().into(),
                one.role.as_str().into(),
                one.organization_id.clone().into(),
                if one.sensitive { "yes" } else { "no" }.into(),
                one.created_at.into(),
                one.revoked_at.into(),
            ]
        },
        "There is no token yet. `rollcall tokens create --name <NAME> --role <ROLE>` makes one.",
    );
    Ok(())
}

fn revoke(args: &Revoke, context: &Context) -> Result<(), Failure> {
    database::write(context, args.dry_run, |conn, actor, now| {
        tokens::revoke(conn, actor, &args.token, now)
    })?;
    if context.output.is_json() {
        context
            .output
            .json(&serde_json::json!({ "token": args.token, "revoked": true }));
    } else {
        context.output.line(format!("{} is revoked", args.token));
    }
    Ok(())
}
