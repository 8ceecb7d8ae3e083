//! `rollcall triggers test`: the messages of a trigger, really sent, marked as a test.

use crate::app;
use crate::operations::trial::{self, TrialOrder, TrialView};
use crate::stop::Cut;

use super::database::{self, DryRun};
use super::{Context, Exit, Failure, shown};

/// Send a trigger's messages for a real person, marked as a test; says what came of each
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What is for the person or their manager goes to --to, where given; rooms and applications are
reached as the trigger says. Ends with 1 where a message was not taken.

Examples:
  rollcall triggers test trigger_0199… profile_0199… --to me@example.com
  rollcall triggers test trigger_0199… profile_0199… --step 1 --json | jq -r '.data[].outcome'"
)]
pub struct Args {
    /// The trigger
    #[arg(value_name = "ID")]
    id: String,
    /// The person it is filled in for
    #[arg(value_name = "PROFILE")]
    profile: String,
    /// Only this step, counted from 0
    #[arg(long, value_name = "N")]
    step: Option<usize>,
    /// An e-mail address in place of the person's
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Sends, and tells.
pub fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let db = database::open(&config)?;
    let channels = app::channels(&config, &db, db.clock().now(), false, Cut::default())
        .map_err(|why| Failure::new(Exit::Configuration, why.to_string()))?;
    let order = TrialOrder {
        profile_id: args.profile.clone(),
        step: args.step,
        to: args.to.clone(),
    };
    let trials = database::write_in(&db, context, args.dry_run, |conn, actor, now| {
        trial::prepare(conn, actor, &args.id, &order, now)
    })?;
    if args.dry_run.dry_run {
        let count = trials.len();
        context
            .output
            .note(format!("{count} messages would be tried."));
        return Ok(Exit::Done);
    }
    let sending = trial::run(&channels, trials);
    let done = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(sending));
    tell(&done, context);
    let taken = done.iter().all(|one| one.outcome == "sent");
    Ok(if taken { Exit::Done } else { Exit::SomeFailed })
}

fn tell(done: &[TrialView], context: &Context) {
    if context.output.is_json() {
        return context.output.json(&serde_json::json!({ "data": done }));
    }
    let rows = done.iter().map(|one| {
        vec![
            one.step.into(),
            one.channel.into(),
            one.recipient.as_str().into(),
            shown::state(one.outcome),
            one.reason.as_str().into(),
        ]
    });
    context.output.table(
        &["step", "channel", "to", "outcome", "reason"],
        rows.collect(),
    );
}
