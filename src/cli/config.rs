//! `rollcall config`: which settings hold, where each comes from, and what there is to set.

use super::output::Cell;
use super::{Context, Exit, Failure, ListedSettings};
use crate::config::{Origin, reference};

/// Show the configuration and where each value comes from
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Example(Example),
    Reference(Reference),
}

/// Print every setting with its value and origin, secrets masked
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A flag wins over the environment, the environment over rollcall.toml, the file over the \
default. Empty environment values count as not set.

Examples:
  rollcall config show
  rollcall config show --json | jq -r '.[] | select(.origin != \"default\") | .name'
  ROLLCALL_WORKERS=4 rollcall config show --listen 0.0.0.0:8080"
)]
pub struct Show {
    #[command(flatten)]
    settings: ListedSettings,
}

/// Print a commented rollcall.toml with every setting at its default
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall config example > rollcall.toml")]
pub struct Example {}

/// Print the table of all settings, their names and defaults, as Markdown
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall config reference")]
pub struct Reference {}

/// Prints what was asked for; a configuration with problems is told as those.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::Show(_) => show(context)?,
        Command::Example(_) => context.output.raw(reference::example().as_bytes()),
        Command::Reference(_) => context.output.raw(reference::markdown().as_bytes()),
    }
    Ok(Exit::Done)
}

fn show(context: &Context) -> Result<(), Failure> {
    let rows = context.loaded()?.rows;
    if context.output.is_json() {
        context.output.json(&rows);
        return Ok(());
    }
    let cells = rows.into_iter().map(|row| {
        let origin = if row.origin == Origin::Unset {
            Cell::Nothing
        } else {
            row.origin.to_string().into()
        };
        vec![row.name.into(), row.value.into(), origin]
    });
    context
        .output
        .table(&["setting", "value", "origin"], cells.collect());
    Ok(())
}
