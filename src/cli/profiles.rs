//! `rollcall profiles`: who works there, one person, and everything that happened to them; erasing
//! somebody, and keeping somebody from being erased.

use crate::operations::erasure::{self, ErasureView, LegalHoldBody, LegalHoldView};
use crate::operations::profiles::{self, EntryKind, ProfileQuery, ProfileView};

use super::database::{self, DryRun};
use super::output::{Cell, plain};
use super::shown::{self, Paging};
use super::{Context, Exit, Failure, enable};

/// Look at people: lists, one person, their history; erase somebody
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    History(History),
    Resync(enable::ResyncArgs),
    Erase(Erase),
    LegalHold(Hold),
}

/// List people, those first seen last on top; the active ones unless --status says otherwise
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall profiles list
  rollcall profiles list --query lovelace --status all
  rollcall profiles list --json | jq -r '.data[].email'")]
struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// active, on_leave, pending, removed, erased, or all [default: active]
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Text in name, address, title or department
    #[arg(short, long = "query", value_name = "TEXT")]
    q: Option<String>,
    /// Those of one department, as written
    #[arg(long, value_name = "NAME")]
    department: Option<String>,
    /// Those in one community
    #[arg(long, value_name = "ID")]
    community: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one person
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall profiles show profile_0199…
  rollcall profiles show profile_0199… --json | jq .communities")]
struct Show {
    /// The profile
    #[arg(value_name = "ID")]
    id: String,
}

/// Tell everything that happened to one person, in order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall profiles history profile_0199…
  rollcall profiles history profile_0199… --json | jq -r '.data[] | [.at, .sentence] | @tsv'")]
struct History {
    /// The profile
    #[arg(value_name = "ID")]
    id: String,
}

/// Erase a person for good: their data goes from profile, history, events and messages. Asks first
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What stays: that it was done and by whom, and keyed hashes by which a late event is known and dropped.
A legal hold refuses it. Backups are not reached.

Examples:
  rollcall profiles erase profile_0199… --dry-run
  rollcall profiles erase profile_0199… --yes"
)]
struct Erase {
    /// The profile
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Keep a person's data from erasure and retention until released; without an option, show the hold
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall profiles legal-hold profile_0199… --reason 'case 4711'
  rollcall profiles legal-hold profile_0199…
  rollcall profiles legal-hold profile_0199… --release")]
struct Hold {
    /// The profile
    #[arg(value_name = "ID")]
    id: String,
    /// Place a hold, and say why
    #[arg(long, value_name = "TEXT", conflicts_with = "release")]
    reason: Option<String>,
    /// Release the hold
    #[arg(long)]
    release: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Shows what was asked for.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| profiles::show(conn, actor, &args.id))?;
            shown::one(context, &one, facts);
        }
        Command::History(args) => history(&args, context)?,
        Command::Resync(args) => return enable::resync(args, context).await,
        Command::Erase(args) => erase(&args, context)?,
        Command::LegalHold(args) => legal_hold(&args, context)?,
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = ProfileQuery {
        organization_id: args.organization,
        status: args.status,
        q: args.q,
        department: args.department,
        community_id: args.community,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| profiles::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["id", "name", "email", "status", "title", "department"],
        |one| {
            vec![
                one.id.as_str().into(),
                one.display_name.as_str().into(),
                one.email.clone().into(),
                shown::state(&one.status),
                one.title.clone().into(),
                one.department.clone().into(),
            ]
        },
        "Nobody matches. --status all shows those who left, too; `rollcall events list` shows what WorkOS sent.",
    );
    Ok(())
}

fn facts(one: &ProfileView) -> Vec<(&'static str, Cell)> {
    let seats: Vec<String> = one
        .communities
        .iter()
        .map(|seat| format!("{} ({})", seat.name, seat.role))
        .collect();
    let links: Vec<String> = one
        .links
        .iter()
        .map(|link| {
            format!(
                "{} ({}, {})",
                link.directory_user_id, link.directory_id, link.state
            )
        })
        .collect();
    let attributes: Vec<String> = one
        .attributes
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={value}"),
        })
        .collect();
    let manager = one.manager_name.clone().or(one.manager_email.clone());
    let joined = |all: Vec<String>| Cell::from((!all.is_empty()).then(|| all.join(", ")));
    vec![
        ("id", one.id.as_str().into()),
        ("name", one.display_name.as_str().into()),
        ("status", shown::state(&one.status)),
        ("access", if one.access { "yes" } else { "no" }.into()),
        ("email", one.email.clone().into()),
        ("title", one.title.clone().into()),
        ("department", one.department.clone().into()),
        ("pronouns", one.pronouns.clone().into()),
        ("start date", one.start_date.clone().into()),
        ("manager", manager.into()),
        ("number", one.employee_number.clone().into()),
        ("roles", joined(one.roles.clone())),
        ("attributes", joined(attributes)),
        ("communities", joined(seats)),
        ("links", joined(links)),
        ("warnings", joined(one.warnings.clone())),
        ("organization", one.organization_id.as_str().into()),
        ("first seen", one.first_seen_at.into()),
        ("updated", one.updated_at.into()),
        ("removed", one.removed_at.into()),
        ("reason", one.removed_reason.clone().into()),
        (
            "legal hold",
            if one.legal_hold { "yes" } else { "no" }.into(),
        ),
    ]
}

fn history(args: &History, context: &Context) -> Result<(), Failure> {
    let told = database::read(context, |conn, actor| {
        profiles::history(conn, actor, &args.id, &profiles::HistoryQuery::default())
    })?;
    let out = &context.output;
    if out.is_json() {
        out.json(&told);
        return Ok(());
    }
    let profile = &told.profile;
    out.line(format!(
        "{} is {}.",
        plain(&profile.display_name),
        profile.status
    ));
    if told.truncated {
        out.note("The newest 2,000 events are told; older ones are left out.");
    }
    for entry in &told.data {
        let mark = match entry.kind {
            EntryKind::Event => "",
            EntryKind::Change => "  · ",
            EntryKind::Delivery => "  > ",
            EntryKind::Operator => "",
        };
        let at = out.time(entry.at);
        out.line(format!("{at:<24}  {mark}{}", plain(&entry.sentence)));
    }
    Ok(())
}

fn erase(args: &Erase, context: &Context) -> Result<(), Failure> {
    let before = database::read(context, |conn, actor| profiles::show(conn, actor, &args.id))?;
    if !args.dry_run.dry_run {
        context.output.confirm(&format!(
            "Erase {} ({}) for good?",
            plain(&before.display_name),
            before.status
        ))?;
    }
    let db = database::open(&context.config()?)?;
    let one = database::write_in(&db, context, args.dry_run, |conn, actor, now| {
        erasure::erase(conn, actor, &args.id, now)
    })?;
    if !args.dry_run.dry_run {
        db.empty_log()?;
    }
    shown::one(context, &one, erased);
    Ok(())
}

fn erased(one: &ErasureView) -> Vec<(&'static str, Cell)> {
    vec![
        ("id", one.profile.id.as_str().into()),
        ("status", shown::state(&one.profile.status)),
        ("events", one.events_erased.into()),
        ("messages", one.messages_erased.into()),
    ]
}

fn legal_hold(args: &Hold, context: &Context) -> Result<(), Failure> {
    let hold = match (&args.reason, args.release) {
        (Some(reason), _) => {
            let body = LegalHoldBody {
                reason: reason.clone(),
            };
            database::write(context, args.dry_run, |conn, actor, now| {
                erasure::place_legal_hold(conn, actor, &args.id, &body, now)
            })?
        }
        (None, true) => database::write(context, args.dry_run, |conn, actor, now| {
            erasure::release_legal_hold(conn, actor, &args.id, now)
        })?,
        (None, false) => database::read(context, |conn, actor| {
            erasure::show_legal_hold(conn, actor, &args.id)
        })?,
    };
    shown::one(context, &hold, held);
    if args.release && !args.dry_run.dry_run {
        context.output.note("Released.");
    }
    Ok(())
}

fn held(one: &LegalHoldView) -> Vec<(&'static str, Cell)> {
    vec![
        ("profile", one.profile_id.as_str().into()),
        ("reason", one.reason.as_str().into()),
        ("placed by", one.placed_by.as_str().into()),
        ("placed", one.placed_at.into()),
        ("organization", one.organization_id.as_str().into()),
    ]
}
