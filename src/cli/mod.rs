//! The command line. One noun a file, each with its `Args` and its `run`; this file holds the tree
//! and nothing else. Data goes to standard output, talk to standard error, exit codes are those of
//! [`Exit`]. A new command is a `mod` line, a variant and a match arm.

mod admin_restorations;
mod audit;
mod client;
mod communities;
mod completions;
mod config;
mod conflicts;
mod context;
mod database;
mod deliveries;
mod demo;
mod destinations;
mod directories;
mod doctor;
mod enable;
mod events;
mod exit;
mod failures;
mod fields;
mod groups;
mod healthcheck;
mod holds;
mod jobs;
mod man;
mod migrate;
mod openapi;
mod organizations;
pub mod output;
mod profiles;
mod reconcile;
mod replay;
mod restored;
mod retention;
mod secret;
mod send;
mod serve;
mod settings;
mod shown;
mod signature;
mod stop;
mod stream;
#[cfg(test)]
mod tests;
mod tokens;
mod trial;
mod triggers;
mod try_suspects;
mod upstream;
mod webhook_secrets;
mod why;
mod work;

use clap::{CommandFactory, Parser, Subcommand};

pub use context::{Context, Globals};
pub use exit::{EXIT_CODES, Exit, Failure};
pub use settings::ListedSettings;

const SETTINGS_TOO: &str =
    "Every setting is also a flag of every command: see `rollcall config show --help`.";

/// Keeps the roll of who works there, from WorkOS Directory Sync
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, max_term_width = 100)]
#[command(after_help = SETTINGS_TOO, after_long_help = format!("{SETTINGS_TOO}\n\n{EXIT_CODES}"))]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Work(work::Args),
    Demo(demo::Args),
    Send(send::Args),
    Profiles(profiles::Args),
    Events(events::Args),
    Failures(failures::Args),
    Why(why::Args),
    Communities(communities::Args),
    Triggers(triggers::Args),
    Deliveries(deliveries::Args),
    Destinations(destinations::Args),
    Groups(groups::Args),
    Holds(holds::Args),
    Retention(retention::Args),
    Restored(restored::Args),
    Conflicts(conflicts::Args),
    Audit(audit::Args),
    Jobs(jobs::Args),
    Organizations(organizations::Args),
    Directories(directories::Args),
    CatchUp(upstream::CatchUpArgs),
    Gaps(upstream::GapsArgs),
    Webhooks(enable::WebhooksArgs),
    Tokens(tokens::Args),
    Doctor(doctor::Args),
    Migrate(migrate::Args),
    Signature(signature::Args),
    Config(config::Args),
    Healthcheck(healthcheck::Args),
    Openapi(openapi::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    TrySuspects(try_suspects::Args),
}

impl Command {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Serve(args) => serve::run(args, context).await,
            Self::Work(args) => work::run(args, context).await,
            Self::Demo(args) => demo::run(args, context).await,
            Self::Send(args) => send::run(args, context).await,
            Self::Profiles(args) => profiles::run(args, context).await,
            Self::Events(args) => events::run(args, context),
            Self::Failures(args) => failures::run(&args, context),
            Self::Why(args) => why::run(&args, context),
            Self::Communities(args) => communities::run(args, context),
            Self::Triggers(args) => triggers::run(args, context),
            Self::Deliveries(args) => deliveries::run(args, context),
            Self::Destinations(args) => destinations::run(args, context),
            Self::Groups(args) => groups::run(args, context),
            Self::Holds(args) => holds::run(args, context),
            Self::Retention(args) => retention::run(args, context),
            Self::Restored(args) => restored::run(&args, context),
            Self::Conflicts(args) => conflicts::run(args, context),
            Self::Audit(args) => audit::run(args, context),
            Self::Jobs(args) => jobs::run(args, context),
            Self::Organizations(args) => organizations::run(args, context),
            Self::Directories(args) => directories::run(args, context).await,
            Self::CatchUp(args) => upstream::catch_up(args, context).await,
            Self::Gaps(args) => upstream::gaps(args, context),
            Self::Webhooks(args) => enable::webhooks(args, context).await,
            Self::Tokens(args) => tokens::run(args, context),
            Self::Doctor(args) => doctor::run(&args, context).await,
            Self::Migrate(args) => migrate::run(&args, context),
            Self::Signature(args) => signature::run(args, context),
            Self::Config(args) => config::run(args, context),
            Self::Healthcheck(args) => healthcheck::run(args, context).await,
            Self::Openapi(args) => openapi::run(args, context),
            Self::Completions(args) => completions::run(args, context),
            Self::Man(args) => man::run(args, context),
            Self::TrySuspects(args) => try_suspects::run(args, context).await,
        }
    }
}

/// Parses the command line and runs the command; clap itself answers `--help` and wrong usage.
pub fn main() -> Exit {
    let cli = Cli::parse();
    let context = Context::new(cli.globals);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(why) => {
            return end(
                &context,
                Err(Failure::new(
                    Exit::Unavailable,
                    format!("no threads to run on: {why}"),
                )),
            );
        }
    };
    let done = runtime.block_on(cli.command.run(&context));
    let exit = end(&context, done);
    // Whatever was left may hang; it is not waited for.
    runtime.shutdown_background();
    if exit == Exit::WorkLeft {
        stop::leave(exit);
    }
    exit
}

fn end(context: &Context, done: Result<Exit, Failure>) -> Exit {
    let done = done.and_then(|exit| context.output.finish().map(|()| exit));
    done.unwrap_or_else(|failure| {
        context.output.failure(&failure);
        failure.exit
    })
}

/// The whole tree, for completions and manual pages.
fn tree() -> clap::Command {
    Cli::command()
}
