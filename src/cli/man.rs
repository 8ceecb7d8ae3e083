//! `rollcall man`: manual pages, made from the same tree as the help.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{Context, Exit, Failure};

/// Print a manual page, or write all of them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall man | man -l -
  rollcall man signature verify | man -l -
  rollcall man --dir /usr/local/share/man/man1")]
pub struct Args {
    /// The command whose page is printed; none for the page of `rollcall` itself
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    command: Vec<String>,
    /// Write one page a command into this folder, which must exist
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints a page on standard output, or writes all pages into a folder.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let mut tree = super::tree();
    if let Some(dir) = args.dir {
        let writing = || format!("writing manual pages into {}", dir.display());
        clap_mangen::generate_to(tree, &dir).with_context(writing)?;
        return Ok(Exit::Done);
    }
    tree.build();
    let mut command = &tree;
    for name in &args.command {
        command = command.find_subcommand(name).ok_or_else(|| {
            Failure::new(
                Exit::NotFound,
                format!("there is no command `{}`", args.command.join(" ")),
            )
            .hint("`rollcall --help` lists the commands")
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .context("writing the manual page")?;
    context.output.raw(&page);
    Ok(Exit::Done)
}
