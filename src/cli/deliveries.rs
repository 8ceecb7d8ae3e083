//! `rollcall deliveries`: which messages went, wait, failed or are unknown; one sent again or
//! cancelled by hand.

use crate::clock::Clock;
use crate::desk::deliveries::{self, DeliveryQuery, DeliveryView};

use super::database::{self, DryRun};
use super::output::{Cell, plain};
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at messages; send one again or cancel it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(Box<List>),
    Show(Show),
    Retry(Retry),
    Cancel(Cancel),
}

/// List messages, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall deliveries list
  rollcall deliveries list --state failed --json | jq -r '.data[].reason'")]
struct List {
    /// due, parked (its destination is stopped), claimed, attempting, sent, cancelled, failed or unknown
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Those about one person
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// Those of one trigger
    #[arg(long, value_name = "ID")]
    trigger: Option<String>,
    /// email, slack or webhook
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Those to one destination (`rollcall destinations list`)
    #[arg(long, value_name = "ID")]
    destination: Option<String>,
    /// Text in recipient, subject or text
    #[arg(short, long = "query", value_name = "TEXT")]
    q: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one message with its text and attempts
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall deliveries show delivery_0199…")]
struct Show {
    /// The delivery
    #[arg(value_name = "ID")]
    id: String,
}

/// Send a failed or unknown message (or a webhook that was sent) again; of an unknown one look first
/// whether it arrived
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall deliveries retry delivery_0199…")]
struct Retry {
    /// The delivery
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Cancel a message that has not left
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall deliveries cancel delivery_0199…")]
struct Cancel {
    /// The delivery
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(*args, context)?,
        Command::Show(args) => show(&args, context)?,
        Command::Retry(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                deliveries::retry(conn, actor, &args.id, now)
            })?;
            shown::one(context, &one, facts);
            if !args.dry_run.dry_run {
                context
                    .output
                    .note("It is sent by `rollcall serve` or `rollcall work`.");
            }
        }
        Command::Cancel(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                deliveries::cancel(conn, actor, &args.id, now)
            })?;
            shown::one(context, &one, facts);
        }
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = DeliveryQuery {
        organization_id: args.organization,
        state: args.state,
        profile_id: args.profile,
        trigger_id: args.trigger,
        channel: args.channel,
        destination: args.destination,
        q: args.q,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| deliveries::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["id", "channel", "state", "due", "to", "subject", "reason"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.channel.as_str().into(),
                shown::state(&one.state),
                one.due_at.into(),
                one.recipient.clone().into(),
                one.subject.clone().into(),
                one.reason.clone().into(),
            ]
        },
        "No messages match. They come from published triggers (`rollcall triggers list`) of armed organizations (`rollcall organizations arm`).",
    );
    Ok(())
}

fn facts(one: &DeliveryView) -> Vec<(&'static str, Cell)> {
    vec![
        ("id", one.id.as_str().into()),
        ("state", shown::state(&one.state)),
        ("reason", one.reason.clone().into()),
        ("channel", one.channel.as_str().into()),
        ("destination", one.destination.as_str().into()),
        ("to", one.recipient.clone().into()),
        ("subject", one.subject.clone().into()),
        ("person", one.profile_id.as_str().into()),
        ("trigger", one.trigger_id.as_str().into()),
        ("step", i64::from(one.step).into()),
        ("on", one.on.as_str().into()),
        ("event", one.event_id.clone().into()),
        ("attempts", i64::from(one.attempts).into()),
        ("due", one.due_at.into()),
        ("settled", one.settled_at.into()),
    ]
}

fn show(args: &Show, context: &Context) -> Result<(), Failure> {
    let now = Clock::System.now();
    let detail = database::read(context, |conn, actor| {
        deliveries::show(conn, actor, &args.id, now)
    })?;
    shown::one(context, &detail, |detail| facts(&detail.delivery));
    let out = &context.output;
    if out.is_json() {
        return Ok(());
    }
    if !detail.attempt_log.is_empty() {
        out.line("");
        let rows = detail.attempt_log.iter().map(|attempt| {
            vec![
                attempt.at.into(),
                shown::state(&attempt.outcome),
                attempt.detail.clone().into(),
            ]
        });
        out.table(&["at", "attempt", "detail"], rows.collect());
    }
    if let Some(text) = &detail.text {
        out.line("");
        if detail.preview {
            out.note("Nothing has left yet. As it would leave now:");
        }
        text.lines().for_each(|line| out.line(plain(line)));
    }
    Ok(())
}
