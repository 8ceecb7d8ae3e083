//! `rollcall organizations`: who is in them, whether their triggers may fire, their mapping.

use serde_json::{Map, Value};

use crate::desk::organizations::{self, ArmView, OrganizationQuery, OrganizationView};
use crate::desk::settings::{self, SettingsUpdate};

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
    Set(Set),
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

/// Change an organization's settings, and apply them to everybody at once
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Settings: directory_priority, restore_admin (ask, always, never), removal_guard.floor,
.percent and .access (suspend, keep), leave_guard.floor and .percent, swap_guard.floor and .percent, on_leave.when and
.access, exclude, on_directory_deleted (hold, remove), succession.order, .fallback_owner and .bots,
poll_cycle_minutes, employee_numbers (per_directory, shared), reconcile.mode (off, report, apply)
and .interval_hours, date_order (ymd, dmy, mdy: how the directories write dates with / . or -).
NAME=null brings back the default.

Examples:
  rollcall organizations set org_01H2… on_directory_deleted=remove restore_admin=always
  rollcall organizations set org_01H2… on_leave.access=false \\
    on_leave.when='{\"field\":\"attributes.employment_status\",\"op\":\"eq\",\"value\":\"Leave\"}'
  rollcall organizations set org_01H2… --dry-run \\
    exclude='[{\"name\":\"contractors\",\"when\":{\"field\":\"attributes.type\",\"op\":\"eq\",\"value\":\"Contractor\"}}]'"
)]
struct Set {
    /// WorkOS's id of the organization
    #[arg(value_name = "ID")]
    id: String,
    /// A setting and its value: JSON, or a bare word
    #[arg(value_name = "NAME=VALUE", required = true)]
    settings: Vec<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Set(args) => set(&args, context)?,
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

/// What arming means, on one screen: who is there, who is messaged, who will be.
fn tell(done: &ArmView, context: &Context) {
    shown::one(context, done, |done| {
        let mut all = facts(&done.organization);
        all.push(("there already", done.people.into()));
        all.push(("messaged now", done.messages_due.into()));
        if let Some(from) = &done.greeted_from {
            let triggers = match done.published.as_slice() {
                [] => "none is published".to_owned(),
                some => some.join(", "),
            };
            all.push(("published triggers", triggers.into()));
            all.push(("greeted", format!("who starts on {from} or later; without a start date, who is first heard of from now on").into()));
            all.push((
                "burst",
                format!(
                    "more than {} people welcomed in an hour wait for an operator",
                    done.burst_limit
                )
                .into(),
            ));
        }
        all
    });
    if done.organization.armed {
        context.output.note(format!(
            "Triggers fire from now on. {} people are there already; {} messages go out because of it.",
            done.people, done.messages_due
        ));
    } else {
        context
            .output
            .note("No trigger fires any more; what is due already still goes out.");
    }
}

fn set(args: &Set, context: &Context) -> Result<(), Failure> {
    let mut update = SettingsUpdate {
        settings: named(&args.settings)?,
        confirm: args.dry_run.dry_run,
    };
    let forecast = database::read_now(context, |conn, actor, now| {
        settings::foresee(conn, actor, &args.id, &update, now)
    })?;
    if !update.confirm {
        let (going, people) = forecast.going();
        if going > 0 {
            context
                .output
                .confirm(&format!("End the access of {going} of {people} people?"))?;
        }
        update.confirm = true;
    }
    let done = database::write(context, args.dry_run, |conn, actor, now| {
        settings::update(conn, actor, &args.id, &update, &forecast, now)
    })?;
    shown::one(context, &done, |done| {
        let mut all = facts(&done.organization);
        all.push(("people before", done.people_before.into()));
        all.push(("people after", done.people_after.into()));
        if let Some(job) = &done.job {
            all.push(("job", job.id.as_str().into()));
        }
        let kept = serde_json::to_value(&done.organization.settings).unwrap_or_default();
        let names = update.settings.keys();
        let told: Vec<String> = names
            .map(|name| format!("{name} = {}", kept[name]))
            .collect();
        all.push(("set", told.join("\n").into()));
        all
    });
    Ok(())
}

/// `name=value` and `name.part=value`, as `PATCH /v1/organizations/{id}` takes them.
fn named(all: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut settings = Map::new();
    for one in all {
        let Some((path, text)) = one.split_once('=') else {
            return Err(Failure::new(
                Exit::Usage,
                format!("{one:?} is no NAME=VALUE; try restore_admin=always"),
            ));
        };
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        match path.split_once('.') {
            None => {
                settings.insert(path.to_owned(), value);
            }
            Some((name, part)) => {
                let whole = settings
                    .entry(name.to_owned())
                    .or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(parts) = whole {
                    parts.insert(part.to_owned(), value);
                }
            }
        }
    }
    Ok(settings)
}
