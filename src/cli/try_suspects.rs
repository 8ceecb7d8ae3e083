//! `rollcall try-suspects`: the process of its own in which `serve` and `work` try events after an unclean
//! stop. Nobody else gives this command. It ends when its standard input does, which is when its parent ends.

use std::io::Read as _;

use super::{Context, Exit, Failure};
use crate::app::{self, Orders};

/// Try events in a process of its own (started by `serve` and `work`)
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  DATABASE_URL=sqlite://rollcall.db rollcall try-suspects --limit 1")]
pub struct Args {
    /// How many at most
    #[arg(long, default_value_t = 1)]
    limit: usize,
    /// These rows, each by itself
    #[arg(long, value_name = "ID")]
    only: Vec<i64>,
    /// One step of this job
    #[arg(long, value_name = "ID", requires = "token")]
    job: Option<String>,
    /// The claim that the parent has on the job
    #[arg(long, value_name = "NUMBER")]
    token: Option<i64>,
    /// Messaging is on for new organizations
    #[arg(long)]
    messaging_for_new: bool,
}

/// Tries them.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let heard = ["ROLLCALL_BATCH", "ROLLCALL_MAX_ATTEMPTS"];
    let measures = context.loaded_alone(&heard)?.config.worker;
    let url = std::env::var("DATABASE_URL").map_err(|_| {
        Failure::new(
            Exit::Configuration,
            "DATABASE_URL is not set: this command is started by `serve` and `work`, which set it",
        )
    })?;
    std::thread::spawn(end_with_the_parent);
    let orders = match (args.job, args.token) {
        (Some(job), Some(token)) => Orders::Job(job, token),
        _ if args.only.is_empty() => Orders::Events(args.limit),
        _ => Orders::Only(args.only),
    };
    let tried = tokio::task::spawn_blocking(move || {
        app::try_suspects(
            &url,
            &measures,
            args.messaging_for_new,
            &orders,
            &mut std::io::stdout(),
        )
    });
    tried
        .await
        .map_err(|why| Failure::new(Exit::SomeFailed, why.to_string()))??;
    Ok(Exit::Done)
}

/// What is in hand is rolled back: nobody is left to hear of it.
fn end_with_the_parent() {
    let mut nothing = [0_u8; 64];
    let mut input = std::io::stdin().lock();
    while input.read(&mut nothing).is_ok_and(|read| read > 0) {}
    std::process::exit(i32::from(Exit::Unavailable as u8));
}
