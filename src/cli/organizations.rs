//! `rollcall organizations`: who is in them, whether their triggers may fire, their mapping.

use serde_json::{Map, Value};

use crate::operations::organizations::{self, MessagingView, OrganizationQuery, OrganizationView};
use crate::operations::settings::{self, SettingsUpdate};

use super::database::{self, DryRun};
use super::fields;
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// List organizations, turn messaging on or off, change settings and attribute mappings
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Messaging(Messaging),
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

/// Turn an organization's messages to people on or off
#[derive(Debug, clap::Args)]
struct Messaging {
    #[command(subcommand)]
    command: Switch,
}

#[derive(Debug, clap::Subcommand)]
enum Switch {
    Enable(Enable),
    Disable(Disable),
}

/// Turn messaging on: triggers fire from now on; people who are already there get no message
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Do this after the first import: people who arrive later are welcomed, imported people are not.

Examples:
  rollcall organizations messaging enable org_01H2… --dry-run
  rollcall organizations messaging enable org_01H2…"
)]
struct Enable {
    /// WorkOS's id of the organization
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Turn messaging off: triggers stop firing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is due already still goes out; `rollcall deliveries cancel` stops single messages.

Example:\n  rollcall organizations messaging disable org_01H2…"
)]
struct Disable {
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
        Command::Messaging(Messaging {
            command: Switch::Enable(args),
        }) => {
            let enabled = database::write(context, args.dry_run, |conn, actor, now| {
                organizations::enable_messaging(conn, actor, &args.id, now)
            })?;
            tell(&enabled, context);
        }
        Command::Messaging(Messaging {
            command: Switch::Disable(args),
        }) => {
            let disabled = database::write(context, args.dry_run, |conn, actor, now| {
                organizations::disable_messaging(conn, actor, &args.id, now)
            })?;
            tell(&disabled, context);
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
        &["id", "name", "people", "messaging since"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.name.clone().into(),
                one.profiles.values().sum::<i64>().into(),
                one.messaging_enabled_at.into(),
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
        (
            "messaging",
            if one.messaging_enabled { "on" } else { "off" }.into(),
        ),
        ("messaging since", one.messaging_enabled_at.into()),
        ("first seen", one.first_seen_at.into()),
    ]
}

/// What the switch means, on one screen: who is there, who is messaged, who will be.
fn tell(done: &MessagingView, context: &Context) {
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
    if done.organization.messaging_enabled {
        context.output.note(format!(
            "Messaging is on. {} people are already there; {} messages are due because of it.",
            done.people, done.messages_due
        ));
    } else {
        context
            .output
            .note("Messaging is off. Messages that are already due still go out.");
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
