//! `rollcall deliveries`: which messages went, wait, failed or are unknown; one sent again or
//! cancelled by hand.

use crate::db::Urgency;
use crate::operations::Actor;
use crate::operations::deliveries::{self, DeliveryQuery, DeliveryView};
use crate::operations::resend::{self, ResendBody, ResendView};

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
    /// due, paused (its destination is stopped), claimed, attempting, sent, cancelled, failed or unknown
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
#[command(
    after_help = "With --failed a job does it; what may have gone (unknown) is sent again one by one only.

Examples:
  rollcall deliveries retry delivery_0199…
  rollcall deliveries retry --failed --channel webhook --reason 'answered 500' --dry-run"
)]
struct Retry {
    /// The delivery
    #[arg(
        value_name = "ID",
        required_unless_present = "failed",
        conflicts_with = "failed"
    )]
    id: Option<String>,
    /// Every failed one that the other options leave
    #[arg(long)]
    failed: bool,
    /// Failed ones of email, slack or webhook
    #[arg(long, value_name = "CHANNEL", requires = "failed")]
    channel: Option<String>,
    /// Failed ones to one recipient, as `rollcall failures` shows it
    #[arg(long, value_name = "RECIPIENT", requires = "failed")]
    to: Option<String>,
    /// Failed ones with this text in their reason
    #[arg(long, value_name = "TEXT", requires = "failed")]
    reason: Option<String>,
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
        Command::Retry(args) => return retry(&args, context),
        Command::Cancel(args) => {
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                deliveries::cancel(conn, actor, &args.id, now)
            })?;
            shown::one(context, &one, facts);
        }
    }
    Ok(Exit::Done)
}

fn retry(args: &Retry, context: &Context) -> Result<Exit, Failure> {
    let Some(id) = &args.id else {
        return retry_failed(args, context);
    };
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        deliveries::retry(conn, actor, id, now)
    })?;
    shown::one(context, &one, facts);
    if !args.dry_run.dry_run {
        say_who_sends(context);
    }
    Ok(Exit::Done)
}

fn say_who_sends(context: &Context) {
    let out = &context.output;
    out.note("It is sent by `rollcall serve` or `rollcall work`.");
}

fn retry_failed(args: &Retry, context: &Context) -> Result<Exit, Failure> {
    let mut body = ResendBody {
        organization_id: None,
        channel: args.channel.clone(),
        recipient: args.to.clone(),
        reason: args.reason.clone(),
        dry_run: true,
    };
    let db = database::open(&context.config()?)?;
    let now = db.clock().now();
    let actor = Actor::cli();
    let ask = |body: &ResendBody| -> Result<ResendView, Failure> {
        Ok(db.write(Urgency::Normal, |conn| {
            resend::resend(conn, &actor, body, now)
        })?)
    };
    let mut view = ask(&body)?;
    if !args.dry_run.dry_run && view.matched > 0 {
        context.output.confirm(&format!(
            "{} failed messages match and will be sent again.",
            view.matched
        ))?;
        body.dry_run = false;
        view = ask(&body)?;
    }
    shown::one(context, &view, |view| {
        vec![
            ("matched", view.matched.into()),
            ("job", view.job_id.clone().into()),
        ]
    });
    if let Some(job) = &view.job_id {
        context.output.note(format!(
            "`rollcall jobs show {job} --follow` says how far it is."
        ));
        say_who_sends(context);
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
        "No messages match. They come from published triggers (`rollcall triggers list`) of organizations with messaging on (`rollcall organizations messaging enable`).",
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
    let detail = database::read_now(context, |conn, actor, now| {
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
