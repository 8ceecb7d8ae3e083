//! `rollcall conflicts`: directory users whose person cannot be told from what the directory says,
//! addresses kept aside, and people who may be somebody who left; and the decision who they are.

use crate::operations::conflicts::{self, Answer, ConflictQuery, ConflictView, Decide as Decision};

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Exit, Failure};

/// Look at people whom only a person can tell apart; decide who they are
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(List),
    Show(Show),
    Decide(Decide),
}

/// List what is to be decided, what was last spoken of first
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall conflicts list
  rollcall conflicts list --kind possible_rehire --json | jq -r '.data[].directory_user_id'")]
struct List {
    /// conflict, address or possible_rehire
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Show one directory user: what is asked about it, whom it might be, what was decided
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall conflicts show directory_user_01H2…")]
struct Show {
    /// WorkOS's id of the directory user
    #[arg(value_name = "ID")]
    id: String,
}

/// Decide who a directory user is; a later decision replaces an earlier one
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall conflicts decide directory_user_01H2… same-as --profile profile_5f0c…
  rollcall conflicts decide directory_user_01H2… new-person --dry-run")]
struct Decide {
    /// WorkOS's id of the directory user
    #[arg(value_name = "ID")]
    id: String,
    /// Who it is
    #[arg(value_name = "DECISION")]
    decision: Choice,
    /// The person it is the same as
    #[arg(long, value_name = "ID", required_if_eq("decision", "same-as"))]
    profile: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    /// The person of --profile: the two profiles become one
    SameAs,
    /// None of the candidates: a person of its own
    NewPerson,
}

/// Does what was asked.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::List(args) => list(args, context)?,
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| {
                conflicts::show(conn, actor, &args.id)
            })?;
            show(context, &one);
        }
        Command::Decide(args) => {
            let decision = Decision {
                decision: match args.decision {
                    Choice::SameAs => Answer::SameAs,
                    Choice::NewPerson => Answer::NewPerson,
                },
                profile_id: args.profile,
            };
            let one = database::write(context, args.dry_run, |conn, actor, now| {
                conflicts::decide(conn, actor, &args.id, &decision, now)
            })?;
            show(context, &one);
        }
    }
    Ok(Exit::Done)
}

fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = ConflictQuery {
        organization_id: args.organization,
        kind: args.kind,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| conflicts::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &[
            "directory user",
            "kind",
            "over",
            "name",
            "might be",
            "last event",
            "organization",
        ],
        |one| {
            let might_be: Vec<&str> = one
                .candidates
                .iter()
                .map(|other| other.profile_id.as_str())
                .collect();
            let name = one.profile.as_ref();
            vec![
                one.directory_user_id.as_str().into(),
                one.kind.unwrap_or("decided").into(),
                one.over.clone().into(),
                name.and_then(|somebody| somebody.display_name.clone())
                    .into(),
                might_be.join(", ").into(),
                one.last_event_at.into(),
                one.organization_id.as_str().into(),
            ]
        },
        "Nothing is to be decided: everybody is told apart by what the directories say.",
    );
    Ok(())
}

fn show(context: &Context, one: &ConflictView) {
    shown::one(context, one, facts);
    let out = &context.output;
    if out.is_json() || one.candidates.is_empty() {
        return;
    }
    out.line("");
    let rows = one.candidates.iter().map(|other| {
        vec![
            other.profile_id.as_str().into(),
            other.display_name.clone().into(),
            other.email.clone().into(),
            other.department.clone().into(),
            shown::maybe_state(other.status.as_deref()),
            other.removed_at.into(),
        ]
    });
    out.table(
        &[
            "might be",
            "name",
            "address",
            "department",
            "status",
            "left",
        ],
        rows.collect(),
    );
}

fn facts(one: &ConflictView) -> Vec<(&'static str, Cell)> {
    let profile = one.profile.as_ref();
    let decided: Vec<String> = one
        .decisions
        .iter()
        .map(|decision| {
            let word = if decision.same { "same as" } else { "not" };
            let (other, by) = (&decision.other_directory_user_id, &decision.decided_by);
            format!("{word} {other} (by {by})")
        })
        .collect();
    vec![
        ("directory user", one.directory_user_id.as_str().into()),
        ("state", shown::state(one.state)),
        ("kind", one.kind.map(str::to_owned).into()),
        ("over", one.over.clone().into()),
        (
            "profile",
            profile.map(|somebody| somebody.profile_id.clone()).into(),
        ),
        (
            "name",
            profile
                .and_then(|somebody| somebody.display_name.clone())
                .into(),
        ),
        (
            "address",
            profile.and_then(|somebody| somebody.email.clone()).into(),
        ),
        (
            "decided",
            (!decided.is_empty()).then(|| decided.join(", ")).into(),
        ),
        ("directory", one.directory_id.as_str().into()),
        ("organization", one.organization_id.as_str().into()),
        ("last event", one.last_event_at.into()),
    ]
}
