//! `rollcall communities admin-restorations|restore-admin|dismiss-admin`: admin roles of people who returned.

use crate::operations::admin_restorations::{self, AdminRestorationQuery, AdminRestorationView};

use super::database::{self, DryRun};
use super::output::Cell;
use super::shown::{self, Paging};
use super::{Context, Failure};

/// List admins who left and returned as members; decide whether to restore the role
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities admin-restorations
  rollcall communities admin-restorations --organization org_01H2… --json | jq -r '.data[].profile_id'")]
pub(super) struct List {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    #[command(flatten)]
    paging: Paging,
}

/// Which admin role
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall communities admin-restorations
  rollcall communities restore-admin community_0199….profile_0199…
  rollcall communities dismiss-admin community_0199….profile_0199…")]
pub(super) struct AdminRole {
    /// Its id in the list
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(super) fn list(args: List, context: &Context) -> Result<(), Failure> {
    let query = AdminRestorationQuery {
        organization_id: args.organization,
        limit: args.paging.limit,
        cursor: args.paging.cursor,
    };
    let page = database::read(context, |conn, actor| {
        admin_restorations::list(conn, actor, &query)
    })?;
    shown::page(
        context,
        &page,
        &["id", "community", "person", "was"],
        |restoration| {
            vec![
                restoration.id.as_str().into(),
                restoration.community_name.as_str().into(),
                restoration.display_name.as_str().into(),
                restoration.former_role.into(),
            ]
        },
        "No admin role waits to be restored. One does when an admin leaves and returns, unless the organization's restore_admin says otherwise.",
    );
    Ok(())
}

pub(super) fn restore(args: &AdminRole, context: &Context) -> Result<(), Failure> {
    let restoration = database::write(context, args.dry_run, |conn, actor, now| {
        admin_restorations::restore(conn, actor, &args.id, now)
    })?;
    shown::one(context, &restoration, facts);
    context.output.note("Admin role restored.");
    Ok(())
}

pub(super) fn dismiss(args: &AdminRole, context: &Context) -> Result<(), Failure> {
    let restoration = database::write(context, args.dry_run, |conn, actor, now| {
        admin_restorations::dismiss(conn, actor, &args.id, now)
    })?;
    shown::one(context, &restoration, facts);
    context.output.note("Dismissed. They stay a member.");
    Ok(())
}

fn facts(restoration: &AdminRestorationView) -> Vec<(&'static str, Cell)> {
    vec![
        ("community", restoration.community_id.as_str().into()),
        ("name", restoration.community_name.as_str().into()),
        ("profile", restoration.profile_id.as_str().into()),
        ("person", restoration.display_name.as_str().into()),
        ("was", restoration.former_role.into()),
    ]
}
