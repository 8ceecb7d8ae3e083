//! `rollcall triggers`: who hears what, when; made from a file, tried on a real person.

mod apply;
mod terms;

use std::path::PathBuf;

use crate::config::Config;
use crate::operations::triggers::{self, Policy, PreviewView, TriggerQuery, TriggerView};

use super::database::{self, DryRun};
use super::output::{Cell, plain};
use super::send::read_whole;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at triggers; make or delete one, try one on a person
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
    Preview(Preview),
    Test(super::trial::Args),
    Apply(apply::Apply),
    Versions(Versions),
    Settings(terms::SettingsOf),
    OptOuts(terms::OptOuts),
}

/// List triggers, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall triggers list --organization org_01H2…")]
struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one trigger
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall triggers show trigger_0199… --json | jq .steps")]
struct Show {
    /// The trigger
    #[arg(value_name = "ID")]
    id: String,
}

/// Make a trigger from a JSON file, the body of POST /v1/triggers
#[derive(Debug, clap::Args)]
#[command(
    after_help = "All that is wrong with the file is told at once. It fires when its status is \"published\" and
messaging is on (`rollcall organizations messaging enable`).

Examples:
  rollcall triggers create welcome.json
  echo '{\"organization_id\":\"org_01H2…\",\"name\":\"Welcome\",\"on\":\"profile.activated\",\"status\":\"published\",
    \"steps\":[{\"channel\":\"email\",\"to\":\"person\",\"subject\":\"Welcome {{ first_name }}\",\"text\":\"Good to have you.\"}]}' \\
    | rollcall triggers create -"
)]
struct Create {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Delete a trigger; what it made due is cancelled when its time comes
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall triggers delete trigger_0199…")]
struct Delete {
    /// The trigger
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Fill in a trigger's messages for a real person; nothing is sent
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall triggers preview trigger_0199… profile_0199…")]
struct Preview {
    /// The trigger
    #[arg(value_name = "ID")]
    id: String,
    /// The person
    #[arg(value_name = "PROFILE")]
    profile: String,
}

/// List every version a trigger had, newest first; deliveries name theirs
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall triggers versions trigger_0199… --json | jq '.data[0].steps'"
)]
struct Versions {
    /// The trigger
    #[arg(value_name = "ID")]
    id: String,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| triggers::show(conn, actor, &args.id))?;
            show(context, &one);
        }
        Command::Create(args) => create(&args, context)?,
        Command::Delete(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                triggers::delete(conn, actor, &args.id, now)
            })?;
            show(context, &one);
            context.output.note("Deleted.");
        }
        Command::Preview(args) => preview(&args, context)?,
        Command::Test(args) => return super::trial::run(&args, context),
        Command::Apply(args) => apply::run(&args, context)?,
        Command::Versions(args) => versions(&args, context)?,
        Command::Settings(args) => terms::settings(&args, context)?,
        Command::OptOuts(args) => terms::opt_outs(args, context)?,
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = TriggerQuery {
        organization_id: args.organization,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| triggers::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &[
            "id",
            "name",
            "on",
            "status",
            "steps",
            "version",
            "organization",
        ],
        |one| {
            let definition = &one.definition;
            vec![
                one.id.as_str().into(),
                definition.name.as_str().into(),
                definition.on.name().into(),
                shown::state(definition.status.name()),
                definition.steps.len().into(),
                i64::from(one.version).into(),
                definition.organization_id.as_str().into(),
            ]
        },
        "There is no trigger yet. `rollcall triggers create --help` shows one to begin with.",
    );
    Ok(())
}

fn show(context: &Context, one: &TriggerView) {
    shown::one(context, one, facts);
    if context.output.is_json() {
        return;
    }
    let rows = one
        .definition
        .steps
        .iter()
        .enumerate()
        .map(|(place, step)| {
            vec![
                place.into(),
                step.channel.name().into(),
                step.to.to_string().into(),
                step.subject.clone().or_else(|| step.text.clone()).into(),
            ]
        });
    context.output.line("");
    context
        .output
        .table(&["step", "channel", "to", "says"], rows.collect());
}

fn facts(one: &TriggerView) -> Vec<(&'static str, Cell)> {
    let when = one
        .definition
        .when
        .as_ref()
        .and_then(|when| serde_json::to_string(when).ok());
    vec![
        ("id", one.id.as_str().into()),
        ("name", one.definition.name.as_str().into()),
        (
            "organization",
            one.definition.organization_id.as_str().into(),
        ),
        ("on", one.definition.on.name().into()),
        ("when", when.into()),
        ("status", shown::state(one.definition.status.name())),
        ("version", i64::from(one.version).into()),
        ("created", one.created_at.into()),
        ("updated", one.updated_at.into()),
    ]
}

/// What this installation can do, as triggers are judged by it when they are saved.
fn policy(config: &Config) -> Policy {
    Policy {
        allow_private_targets: config.triggers.allow_private_targets,
        slack_bot: config.slack.bot_token.is_some(),
    }
}

fn create(args: &Create, context: &Context) -> Result<(), Failure> {
    let body = serde_json::from_slice(&read_whole(&args.file)?).map_err(|why| {
        Failure::new(
            Exit::Usage,
            format!("{} is not JSON: {why}", args.file.display()),
        )
        .hint("`rollcall triggers create --help` shows a trigger")
    })?;
    let config = context.config()?;
    let policy = policy(&config);
    let db = database::open(&config)?;
    let one = database::write_in(&db, context, args.dry_run, |conn, actor, now| {
        let wanted = triggers::wanted(actor, &body, policy)?;
        triggers::create(conn, actor, &wanted, now)
    })?;
    show(context, &one);
    Ok(())
}

fn versions(args: &Versions, context: &Context) -> Result<(), Failure> {
    let page = database::read(context, |conn, actor| {
        triggers::versions(conn, actor, &args.id)
    })?;
    shown::page(
        context,
        &page,
        &["version", "name", "on", "status", "steps", "since", "by"],
        |one| {
            vec![
                i64::from(one.version).into(),
                one.definition.name.as_str().into(),
                one.definition.on.name().into(),
                shown::state(one.definition.status.name()),
                one.definition.steps.len().into(),
                one.created_at.into(),
                one.created_by.clone().into(),
            ]
        },
        "No version was kept.",
    );
    Ok(())
}

fn preview(args: &Preview, context: &Context) -> Result<(), Failure> {
    let shown = database::read_now(context, |conn, actor, now| {
        triggers::preview(conn, actor, &args.id, &args.profile, now)
    })?;
    if context.output.is_json() {
        context.output.json(&shown);
    } else {
        tell(&shown, context);
    }
    Ok(())
}

fn tell(shown: &PreviewView, context: &Context) {
    let out = &context.output;
    if !shown.matches {
        out.note("This person does not fit the trigger's condition: nothing would be sent.");
    }
    for step in &shown.steps {
        let to = step.recipient.as_deref().unwrap_or("nobody");
        out.line(format!(
            "Step {}: {} to {}, due {} ({})",
            step.step,
            step.channel,
            plain(to),
            step.due_at,
            shown.timezone
        ));
        if let Some(problem) = &step.problem {
            out.line(format!("  no message: {}", plain(problem)));
        }
        if let Some(subject) = &step.subject {
            out.line(format!("  subject: {}", plain(subject)));
        }
        let payload = step.payload.as_ref().map(ToString::to_string);
        for line in step
            .text
            .iter()
            .chain(&payload)
            .flat_map(|text| text.lines())
        {
            out.line(format!("  {}", plain(line)));
        }
    }
}
