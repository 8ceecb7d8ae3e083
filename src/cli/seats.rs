//! `rollcall communities seats|grant|dismiss`: admin seats that a return did not give back by itself.

use crate::desk::seats::{self, SeatQuery, SeatView};

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown;
use super::{Context, Failure};

/// List admin seats that wait: their holders left, came back, and are plain members
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities seats
  rollcall communities seats --organization org_01H2… --json | jq -r '.data[].profile_id'")]
pub(super) struct Seats {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Rows at most (1-200) [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<i64>,
}

/// Whose seat, and where
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities seats
  rollcall communities grant community_0199… profile_0199…
  rollcall communities dismiss community_0199… profile_0199…")]
pub(super) struct Seat {
    /// The community
    #[arg(value_name = "ID")]
    id: String,
    /// The person
    #[arg(value_name = "PROFILE")]
    profile: String,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(super) fn list(args: Seats, context: &Context) -> Result<(), Failure> {
    let query = SeatQuery {
        organization_id: args.organization,
        limit: args.limit,
    };
    let page = database::read(context, |conn, actor| seats::list(conn, actor, &query))?;
    shown::page(
        context,
        &page,
        &["community", "name", "profile", "person", "was"],
        |one| {
            vec![
                one.community_id.as_str().into(),
                one.community_name.as_str().into(),
                one.profile_id.as_str().into(),
                one.display_name.as_str().into(),
                one.former_role.into(),
            ]
        },
        "No admin seat waits. One does when an admin leaves and comes back, unless the organization's restore_admin says otherwise.",
    );
    Ok(())
}

pub(super) fn grant(args: &Seat, context: &Context) -> Result<(), Failure> {
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        seats::grant(conn, actor, &args.id, &args.profile, now)
    })?;
    shown::one(context, &one, facts);
    context.output.note("They run it again.");
    Ok(())
}

pub(super) fn dismiss(args: &Seat, context: &Context) -> Result<(), Failure> {
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        seats::dismiss(conn, actor, &args.id, &args.profile, now)
    })?;
    shown::one(context, &one, facts);
    context.output.note("They stay a member.");
    Ok(())
}

fn facts(one: &SeatView) -> Vec<(&'static str, Cell)> {
    vec![
        ("community", one.community_id.as_str().into()),
        ("name", one.community_name.as_str().into()),
        ("profile", one.profile_id.as_str().into()),
        ("person", one.display_name.as_str().into()),
        ("was", one.former_role.into()),
    ]
}
