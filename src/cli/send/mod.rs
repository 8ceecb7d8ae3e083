//! `rollcall send`: posts bodies to a webhook endpoint, signed as WorkOS signs them, shaped and
//! spoilt as asked. What the shape becomes is decided by pure functions before anything is sent;
//! `--dry-run` prints it.

mod edit;
mod fresh;
mod input;
mod order;
mod post;
mod summary;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use url::Url;

pub use input::read_whole;

use self::edit::{Assignment, EditError, Path};
use self::input::Body;
use self::order::SplitMix;
use self::post::{Outcome, Target};
use self::summary::Summary;
use super::healthcheck::reachable;
use super::{Context, Exit, Failure, client, output, secret};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;

/// The endpoint's path on a service of ours.
const ENDPOINT: &str = "/webhooks/workos";

/// Post events to a webhook endpoint, signed as WorkOS signs them
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "A .json file is one body and is sent byte by byte; a .jsonl file holds one body a line; a \
folder stands for all of both in it, sorted by name; - is standard input. Ends with 1 when an event was not taken, \
with 69 when the service cannot be reached.

Examples:
  rollcall send fixtures/dsync.user.created/okta.json
  rollcall send fixtures/scenarios/first-import.jsonl --fresh
  rollcall send fixtures --fresh --shuffle 7 --duplicate 20 --concurrency 8
  rollcall send event.json --fresh --set data.email=ann@example.com --remove data.custom_attributes
  rollcall send week.jsonl --fresh --dry-run | jq .created_at
  jq -c '.events[]' export.json | rollcall send - --to https://roll.example.com --json"
)]
pub struct Args {
    /// Files, folders, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    sources: Vec<PathBuf>,
    /// The endpoint; an origin alone gets /webhooks/workos [default: the configured listen address]
    #[arg(long, value_name = "URL")]
    to: Option<Url>,
    /// The endpoint's secret; else the configuration's first one, else that of `serve --dev`
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// New event ids, and created_at moved so that the last event is now; all else stays
    #[arg(long)]
    fresh: bool,
    /// Send everything this many times; with --fresh each time as new, later events
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Send at most this many a second
    #[arg(long, value_name = "N", value_parser = rate)]
    rate: Option<f64>,
    /// Have this many on the way at once; more than 1 does not keep their order
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Send in a random order that this number decides
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Send this many percent of the events once more
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    duplicate: u8,
    /// Set a value in every body: data.email=x@y.example; JSON where it reads as JSON, else text
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<Assignment>,
    /// Take a value out of every body: data.custom_attributes
    #[arg(long, value_name = "PATH")]
    remove: Vec<Path>,
    /// Print what would be sent, one body a line, and send nothing
    #[arg(long)]
    dry_run: bool,
}

/// Sends, and tells what came of it.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let bodies = shape(&input::read_all(&args.sources)?, &args, Clock::System.now())?;
    if args.dry_run {
        bodies
            .iter()
            .for_each(|body| context.output.line(on_one_line(body)));
        return Ok(Exit::Done);
    }
    let config = context.config()?;
    let url = endpoint(args.to.as_ref(), &config)?;
    let secrets = secret::find(args.secret.as_deref(), &config)?;
    let target = Target {
        client: client::http_client(&url)?,
        url: url.clone(),
        secrets,
    };

    let (begun, total) = (Instant::now(), bodies.len());
    let mut outcomes = post::start(target, bodies, usize::from(args.concurrency), args.rate);
    let bar = context.output.progress(total as u64, "sending");
    let (mut summary, mut last) = (Summary::default(), None);
    while let Some(outcome) = outcomes.recv().await {
        summary.count(&outcome);
        bar.step();
        last = Some(outcome);
    }
    bar.finish();
    summary.close(total, begun.elapsed());
    tell(&summary, last.filter(|_| total == 1), context);
    end(&summary, &url)
}

/// The bodies as they are to be sent, in their order: told again and afresh, edited, some twice,
/// shuffled.
fn shape(bodies: &[Body], args: &Args, now: Timestamp) -> Result<Vec<Body>, Failure> {
    let told = fresh::rounds(bodies, args.repeat as usize, args.fresh.then_some(now))
        .map_err(unshapable)?;
    let mut random = SplitMix::new(args.shuffle.unwrap_or(0));
    let edited = if args.set.is_empty() && args.remove.is_empty() {
        told
    } else {
        told.iter()
            .map(|body| body.edited(|text| edited(text, args)))
            .collect::<Result<_, _>>()
            .map_err(unshapable)?
    };
    let mut shaped = order::with_duplicates(edited, args.duplicate, &mut random);
    if args.shuffle.is_some() {
        random.shuffle(&mut shaped);
    }
    Ok(shaped)
}

fn edited(text: &str, args: &Args) -> Result<String, EditError> {
    let set = args
        .set
        .iter()
        .try_fold(text.to_owned(), |text, assignment| {
            edit::set(&text, &assignment.path, &assignment.json)
        })?;
    args.remove
        .iter()
        .try_fold(set, |text, path| edit::remove(&text, path))
}

fn unshapable((from, why): (String, EditError)) -> Failure {
    Failure::new(Exit::Usage, format!("{from} cannot be changed: {why}"))
        .hint("without --fresh, --set and --remove a body is sent as it is, JSON or not")
}

/// Where to: what was said, else our own service's address.
fn endpoint(to: Option<&Url>, config: &Config) -> Result<Url, Failure> {
    let ours = || Url::parse(&format!("http://{}", reachable(config.http.listen)));
    let mut url = match to {
        Some(url) => url.clone(),
        None => ours().map_err(|why| Failure::new(Exit::Configuration, why.to_string()))?,
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "--to has the scheme {}://, which is neither http:// nor https://",
                url.scheme()
            ),
        ));
    }
    if url.path() == "/" {
        url.set_path(ENDPOINT);
    }
    Ok(url)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate >= 0.001 => Ok(rate),
        _ => Err("write how many a second, such as 50 or 0.5".to_owned()),
    }
}

/// Line ends inside JSON are only ever space between its parts.
fn on_one_line(body: &Body) -> String {
    String::from_utf8_lossy(&body.bytes)
        .trim()
        .replace(['\n', '\r'], " ")
}

/// The answer itself, where one event was sent.
#[derive(Serialize)]
struct Single<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    answer: serde_json::Value,
}

fn tell(summary: &Summary, only: Option<Outcome>, context: &Context) {
    let out = &context.output;
    match only {
        Some(Outcome::Answered { status, body, .. }) if out.is_json() => {
            let body: serde_json::Value =
                serde_json::from_str(&body).unwrap_or_else(|_| body.into());
            out.json(&Single {
                summary,
                answer: serde_json::json!({ "status": status, "body": body }),
            });
        }
        Some(Outcome::Answered { status, body, .. }) => {
            out.line(format!("{status} {}", output::plain(body.trim())))
        }
        _ if out.is_json() => out.json(summary),
        _ => summary.lines().into_iter().for_each(|line| out.line(line)),
    }
}

fn end(summary: &Summary, url: &Url) -> Result<Exit, Failure> {
    let problem = summary.problem.as_deref().unwrap_or("no answer");
    if summary.unsent > 0 {
        // Without what else a URL may hold: a user's password.
        let place = format!("{}{}", url.origin().ascii_serialization(), url.path());
        return Err(Failure::new(
            Exit::Unavailable,
            format!("{place} cannot be reached: {problem}"),
        )
        .hint(
            "is the service running (`rollcall serve`), and is this its address? --to says another",
        ));
    }
    if summary.unanswered > 0 {
        return Err(Failure::new(
            Exit::SomeFailed,
            format!("{} events got no answer: {problem}", summary.unanswered),
        ));
    }
    Ok(if summary.is_whole() {
        Exit::Done
    } else {
        Exit::SomeFailed
    })
}

#[cfg(test)]
mod tests;
