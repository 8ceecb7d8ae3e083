//! `rollcall organizations`: who is in them, whether their triggers may fire, their mapping.

use crate::desk::organizations::{self, ArmView, OrganizationQuery, OrganizationView};

use super::database::{self, DryRun};
use super::fields;
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at organizations; let their triggers fire or stop them; set their attribute mapping
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Arm(Arm),
    Disarm(Disarm),
    Fields(fields::Args),
}

/// List organizations, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall organizations list")]
struct List {
    #[command(flatten)]
    paging: Paging,
}

/// Show one organization
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall organizations show org_01H2… --json | jq .profiles")]
struct Show {
    /// WorkOS's id of the organization
    #[arg(value_name = "ID")]
    id: String,
}

/// Let an organization's triggers fire from now on; nobody who is there already is messaged
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Arm after the first import: who comes later is greeted, who was imported is not.

Examples:
  rollcall organizations arm org_01H2… --dry-run
  rollcall organizations arm org_01H2…"
)]
struct Arm {
    /// WorkOS's id of the organization
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Stop an organization's triggers from firing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is due already still goes out; `rollcall deliveries cancel` stops single messages.

Example:\n  rollcall organizations disarm org_01H2…"
)]
struct Disarm {
    /// WorkOS's id of the organization
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
            let one = database::read(context, |conn, actor| {
                organizations::show(conn, actor, &args.id)
            })?;
            shown::one(context, &one, facts);
        }
        Command::Arm(args) => {
            let armed = database::write(context, args.dry_run, |conn, actor, now| {
                organizations::arm(conn, actor, &args.id, now)
            })?;
            tell(&armed, context);
        }
        Command::Disarm(args) => {
            let disarmed = database::write(context, args.dry_run, |conn, actor, now| {
                organizations::disarm(conn, actor, &args.id, now)
            })?;
            tell(&disarmed, context);
        }
        Command::Fields(args) => return fields::run(args, context),
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = OrganizationQuery {
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| {
        organizations::list(conn, actor, &query)
    })?;
    shown::page(
        context,
        &page,
        &["id", "name", "people", "armed"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.name.clone().into(),
                one.profiles.values().sum::<i64>().into(),
                one.armed_at.into(),
            ]
        },
        "There is no organization yet: the first event from WorkOS brings one.",
    );
    Ok(())
}

fn facts(one: &OrganizationView) -> Vec<(&'static str, Cell)> {
    let people: Vec<String> = one
        .profiles
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    vec![
        ("id", one.id.as_str().into()),
        ("name", one.name.clone().into()),
        (
            "people",
            (!people.is_empty()).then(|| people.join(", ")).into(),
        ),
        ("armed", if one.armed { "yes" } else { "no" }.into()),
        ("armed since", one.armed_at.into()),
        ("first seen", one.first_seen_at.into()),
    ]
}

fn tell(done: &ArmView, context: &Context) {
    shown::one(context, done, |done| facts(&done.organization));
    if done.organization.armed {
        context.output.note(format!(
            "Triggers fire from now on. {} people are there already; {} of them are messaged because of it.",
            done.people, done.messages_due
        ));
    } else {
        context
            .output
            .note("No trigger fires any more; what is due already still goes out.");
    }
}
