//! `rollcall work`: works off the outbox and sends deliveries, without taking webhooks.

use super::serve::not_started;
use super::stop::stop_signal;
use super::{Context, Exit, Failure, ListedSettings};
use crate::app::{self, App, Options};
use crate::clock::Clock;

/// Work off events and send messages, without listening
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Several may run at once on PostgreSQL, and one beside `serve` on a SQLite file.

Examples:
  rollcall work
  rollcall work --once"
)]
pub struct Args {
    /// Work off everything that is due, then end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    _settings: ListedSettings,
}

/// Works until SIGTERM or Ctrl-C, or until nothing is due.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let config = context.service_config()?;
    let options = Options {
        program: app::this_program(),
        ..Options::default()
    };
    let limit = config.http.shutdown;
    let app = App::open(config, Clock::System, options).map_err(|why| not_started(&why))?;
    let stop = stop_signal(limit)?;
    if args.once {
        let done = app.work_once(stop).await;
        let (events, ended) = done.map_err(|why| not_started(&why))?;
        context.output.note(format!("worked off {events} events"));
        return Ok(ended.into());
    }
    context.output.note("working; stop with Ctrl-C");
    let ended = app.work(stop).await;
    ended.map(Exit::from).map_err(|why| not_started(&why))
}
