//! `rollcall why`: why somebody is in a community, or may come in, and what to do about it.

use crate::operations::why;

use super::output::{Cell, plain};
use super::{Context, Exit, Failure, database, shown};

/// Say why somebody is in a community or not, and may come in or not; and the next step
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall why alice@example.com
  rollcall why alice@example.com --community Sales
  rollcall why profile_0199… --json | jq -r '.because[], .waiting[]'")]
pub struct Args {
    /// Their address, their profile's id, or a name that only one has
    #[arg(value_name = "WHO")]
    who: String,
    /// One community, by name or id, instead of all they are or were in
    #[arg(long, value_name = "NAME")]
    community: Option<String>,
}

/// Asks, and tells.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let view = database::read_now(context, |conn, actor, now| {
        why::why(conn, actor, &args.who, args.community.as_deref(), now)
    })?;
    let out = &context.output;
    if out.is_json() {
        out.json(&view);
        return Ok(Exit::Done);
    }
    shown::one(context, &view, |view| {
        let access = if view.access { "allowed" } else { "refused" };
        vec![
            ("person", view.display_name.as_str().into()),
            ("profile", view.profile_id.as_str().into()),
            ("status", shown::state(&view.status)),
            (
                "access",
                Cell::from(format!("{access} ({})", view.access_reason)),
            ),
        ]
    });
    for (head, all) in [
        ("Because", &view.because),
        ("Waiting", &view.waiting),
        ("Next", &view.next),
    ] {
        out.line("");
        out.line(format!("{head}:"));
        for line in all {
            out.line(format!("  {}", plain(line)));
        }
    }
    Ok(Exit::Done)
}
