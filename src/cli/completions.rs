//! `rollcall completions`: what a shell sources to complete commands and flags.

use clap_complete::Shell;

use super::{Context, Exit, Failure};

/// Print a shell's completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall completions bash > /etc/bash_completion.d/rollcall
  rollcall completions zsh > \"${fpath[1]}/_rollcall\"
  rollcall completions fish > ~/.config/fish/completions/rollcall.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script on standard output.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::tree(), "rollcall", &mut script);
    context.output.raw(&script);
    Ok(Exit::Done)
}
