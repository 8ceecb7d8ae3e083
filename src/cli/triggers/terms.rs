//! `rollcall triggers settings` and `rollcall triggers opt-outs`: when people may be disturbed, and
//! who wants no messages at all.

use serde_json::{Map, Value};

use crate::cli::database::{self, DryRun};
use crate::cli::shown::{self, Paging};
use crate::cli::{Context, Exit, Failure};
use crate::domain::MessageSettings;
use crate::operations::messages;
use crate::operations::opt_outs::{self, NewOptOut, OptOutQuery, WhichOptOut};

/// Show or change an organization's settings for messages: zones, quiet hours, who counts as new
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Settings: timezone, timezone_attribute, community_timezones, send_time, quiet_hours, grace_days, late_hours,
burst_guard. NAME=null brings back the default.

Examples:
  rollcall triggers settings org_01H2…
  rollcall triggers settings org_01H2… timezone=Europe/Berlin send_time=08:30 grace_days=14
  rollcall triggers settings org_01H2… quiet_hours='{\"from\":\"20:00\",\"to\":\"07:30\"}'"
)]
pub(super) struct SettingsOf {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    id: String,
    /// A setting and its value: JSON, or a bare word
    #[arg(value_name = "NAME=VALUE")]
    settings: Vec<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Look at the addresses that want no messages; add one or take one off
#[derive(Debug, clap::Args)]
pub(super) struct OptOuts {
    #[command(subcommand)]
    command: OptOutCommand,
}

#[derive(Debug, clap::Subcommand)]
enum OptOutCommand {
    List(ListOptOuts),
    Add(AddOptOut),
    Remove(RemoveOptOut),
}

/// List the addresses, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall triggers opt-outs list --organization org_01H2…")]
struct ListOptOuts {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Add an address: nothing is sent to it any more, what is due is cancelled when its time comes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall triggers opt-outs add org_01H2… ada@example.com --reason \"asked by mail\""
)]
struct AddOptOut {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// The address
    #[arg(value_name = "EMAIL")]
    email: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Take an address off the list
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall triggers opt-outs remove org_01H2… ada@example.com")]
struct RemoveOptOut {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// The address
    #[arg(value_name = "EMAIL")]
    email: String,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(super) fn settings(args: &SettingsOf, context: &Context) -> Result<(), Failure> {
    let done = if args.settings.is_empty() {
        database::read(context, |conn, actor| messages::show(conn, actor, &args.id))?
    } else {
        let known = database::read(context, |conn, actor| messages::show(conn, actor, &args.id))?;
        let changed = changed(&known.messages, &args.settings)?;
        database::write(context, args.dry_run, |conn, actor, now| {
            messages::put(conn, actor, &args.id, changed.clone(), now)
        })?
    };
    shown::one(context, &done, |done| {
        let one = &done.messages;
        let quiet = one.quiet_hours.as_ref();
        vec![
            ("organization", done.organization_id.as_str().into()),
            ("timezone", one.timezone.as_str().into()),
            (
                "of a person",
                format!("attributes.{}", one.timezone_attribute).into(),
            ),
            (
                "of communities",
                one.community_timezones
                    .iter()
                    .map(|(id, zone)| format!("{id}: {zone}"))
                    .collect::<Vec<_>>()
                    .join("\n")
                    .into(),
            ),
            ("send time", one.send_time.as_str().into()),
            (
                "quiet hours",
                quiet
                    .map(|hours| format!("{} to {}", hours.from, hours.to))
                    .into(),
            ),
            ("grace days", i64::from(one.grace_days).into()),
            ("late hours", i64::from(one.late_hours).into()),
            (
                "burst guard",
                format!(
                    "{} people or {} % in an hour",
                    one.burst_guard.floor, one.burst_guard.percent
                )
                .into(),
            ),
        ]
    });
    Ok(())
}

/// The settings with `name=value` pairs put in.
fn changed(known: &MessageSettings, pairs: &[String]) -> Result<MessageSettings, Failure> {
    let refused = |why: String| Failure::new(Exit::Usage, why);
    let mut all = match serde_json::to_value(known) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    };
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            let why = format!("{pair:?} is no NAME=VALUE; try timezone=Europe/Berlin");
            return Err(refused(why));
        };
        match serde_json::from_str(text) {
            Ok(Value::Null) => all.remove(name),
            Ok(value) => all.insert(name.to_owned(), value),
            Err(_) => all.insert(name.to_owned(), Value::String(text.to_owned())),
        };
    }
    serde_json::from_value(Value::Object(all))
        .map_err(|why| refused(format!("these are no settings for messages: {why}")))
}

pub(super) fn opt_outs(args: OptOuts, context: &Context) -> Result<(), Failure> {
    match args.command {
        OptOutCommand::List(args) => list(args, context),
        OptOutCommand::Add(args) => {
            let new = NewOptOut {
                organization_id: args.organization,
                email: args.email,
                reason: args.reason,
            };
            let done = database::write(context, args.dry_run, |conn, actor, now| {
                opt_outs::add(conn, actor, &new, now)
            })?;
            shown::one(context, &done, |done| {
                vec![
                    ("organization", done.organization_id.as_str().into()),
                    ("address", done.email.as_str().into()),
                    ("reason", done.reason.clone().into()),
                    ("since", done.created_at.into()),
                ]
            });
            Ok(())
        }
        OptOutCommand::Remove(args) => {
            let which = WhichOptOut {
                organization_id: args.organization,
                email: args.email,
            };
            database::write(context, args.dry_run, |conn, actor, now| {
                opt_outs::remove(conn, actor, &which, now)
            })?;
            context.output.note("Taken off the list.");
            Ok(())
        }
    }
}

fn list(args: ListOptOuts, context: &Context) -> Result<(), Failure> {
    let query = OptOutQuery {
        organization_id: args.organization,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| opt_outs::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["address", "reason", "since", "by", "organization"],
        |one| {
            vec![
                one.email.as_str().into(),
                one.reason.clone().into(),
                one.created_at.into(),
                one.created_by.as_str().into(),
                one.organization_id.as_str().into(),
            ]
        },
        "No address is on the list.",
    );
    Ok(())
}
