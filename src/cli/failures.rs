//! `rollcall failures`: what went wrong, one row a cause, with the command that puts it right.

use crate::operations::failures::{self, FailureView};

use super::output::{Cell, plain};
use super::{Context, Exit, Failure, database, shown};

/// See what went wrong, grouped by cause, and how to put it right
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall failures
  rollcall failures --json | jq '.data[] | {cause, count, replay}'")]
pub struct Args {
    /// Those of one organization
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

/// Lists the causes, and says the next step for each.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let page = database::read_now(context, |conn, actor, now| {
        failures::list(conn, actor, args.organization.as_deref(), now)
    })?;
    shown::page(
        context,
        &page,
        &["count", "what", "state", "cause", "last", "example"],
        row,
        "Nothing has failed.",
    );
    if !context.output.is_json() {
        for one in &page.data {
            context.output.line("");
            context
                .output
                .line(format!("{} × {}", one.count, plain(&one.cause)));
            context.output.line(format!("  {}", plain(&next_step(one))));
        }
    }
    Ok(Exit::Done)
}

fn row(one: &FailureView) -> Vec<Cell> {
    vec![
        one.count.into(),
        one.kind.as_str().into(),
        shown::state(&one.state),
        one.cause.clone().into(),
        one.last_at.into(),
        one.example.clone().into(),
    ]
}

fn next_step(one: &FailureView) -> String {
    if let Some(filter) = &one.resend {
        let mut command = format!(
            "rollcall deliveries retry --failed --channel {}",
            filter.channel
        );
        for (flag, value) in [
            ("--to", filter.recipient.as_deref()),
            ("--reason", Some(filter.reason.as_str())),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                command += &format!(" {flag} {}", quoted(value));
            }
        }
        return format!("{}: {command}", one.what_to_do);
    }
    match &one.replay {
        Some(filter) if filter.error.is_empty() => format!(
            "rollcall events replay --state {} --type {} --dry-run",
            filter.state, filter.event_type
        ),
        Some(filter) => format!(
            "rollcall events replay --state {} --type {} --error {} --dry-run",
            filter.state,
            filter.event_type,
            quoted(&filter.error)
        ),
        None => one.what_to_do.to_owned(),
    }
}

/// As a shell takes it for one word, whatever is in it: these are words of servers that refused us.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_a_server_said_is_no_command() {
        assert_eq!(quoted("550 $(reboot) `it`"), "'550 $(reboot) `it`'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
