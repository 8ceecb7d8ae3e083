//! `rollcall demo`: what a newcomer runs first. The service of `serve --dev` on a fresh database of
//! its own, a company whose events come in as signed webhooks over HTTP, and a running commentary in
//! which every claim was read back. Also a smoke test: it ends with 1 where a claim does not hold.

mod company;
mod look;
mod opening;
mod place;
mod play;
mod stage;
mod tell;

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};

use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use self::place::Place;
use self::play::Play;
use self::stage::Stage;
use self::tell::Teller;
use super::serve::{DEV_TOKEN_FILE, not_started};
use super::stop::stop_signal;
use super::{Context, Exit, Failure, client};
use crate::app::{App, Options};
use crate::clock::Clock;
use crate::operations::{Actor, Role};
use crate::stop::{Ended, wait_for};
use crate::workos::Secrets;

/// See what Rollcall does: a company's weeks in a second, over real HTTP
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Needs no configuration and no network, and touches no other database than its own in \
.rollcall/demo. Goes on serving until Ctrl-C; ends by itself with --exit, or where standard output is no terminal. \
Ends with 1 when something was not as it should be.

Examples:
  rollcall demo
  rollcall demo --exit
  rollcall demo --listen 127.0.0.1:9000"
)]
pub struct Args {
    /// End after the story instead of serving on
    #[arg(long)]
    exit: bool,
}

/// Plays, shows, and serves on.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let stays = !args.exit && std::io::stdout().is_terminal();
    let tell = Teller::new(&context.output, stays);
    let place = place::prepare(context)?;
    tell.title("Rollcall: who works there, from WorkOS Directory Sync");
    tell.plain("");
    tell.say(
        "service",
        &format!("{}, everything below goes through it", place.origin()),
    );
    tell.say("database", &format!("{} (fresh)", place.database()));
    let interrupted = stop_signal(place.config.http.shutdown)?;
    let (say_stop, stop) = watch::channel(false);
    let (stage, served) = start(&place, stop)?;
    let told = tokio::select! {
        told = story(&stage, &tell, context) => told,
        () = wait_for(interrupted.clone()) => Ok(None),
    };
    if let Ok(Some(id)) = &told {
        further(&stage, &tell, &place, id, stays).await;
        if stays {
            tell.plain("\nServing on; stop with Ctrl-C.");
            wait_for(interrupted).await;
        }
    }
    let _ = say_stop.send(true);
    let ended = served
        .await
        .map_err(|why| Failure::new(Exit::SomeFailed, why.to_string()))?
        .map_err(|why| not_started(&why))?;
    told.map(|_| ended.into())
}

/// The service, and how the demo sees it.
fn start(
    place: &Place,
    stop: watch::Receiver<bool>,
) -> Result<(Stage, JoinHandle<anyhow::Result<Ended>>), Failure> {
    let config = place.config.clone();
    let secrets = config
        .webhook
        .secrets
        .as_ref()
        .map(|all| Secrets::parse(all.expose_secret()));
    let secrets = secrets
        .transpose()
        .map_err(|why| Failure::new(Exit::Configuration, why.to_string()))?
        .unwrap_or_default();
    let origin = place.origin();
    let url =
        Url::parse(&origin).map_err(|why| Failure::new(Exit::Configuration, why.to_string()))?;
    let options = Options {
        dev: true,
        ..Options::default()
    };
    let app = App::open(config, Clock::System, options).map_err(|why| not_started(&why))?;
    let stage = Stage {
        db: app.db.clone(),
        actor: Actor {
            name: "demo".to_owned(),
            role: Role::Admin,
            organization_id: None,
            sensitive: true,
        },
        client: client::http_client(&url)?,
        origin,
        secrets,
    };
    let listener: TcpListener = place
        .listener
        .try_clone()
        .map_err(|why| Failure::new(Exit::Unavailable, why.to_string()))?;
    Ok((stage, tokio::spawn(app.serve(listener, stop))))
}

/// Plays and shows; answers whom it was about, unless it was interrupted.
async fn story(
    stage: &Stage,
    tell: &Teller<'_>,
    context: &Context,
) -> Result<Option<String>, Failure> {
    let id = Play::open(stage, tell).await?.act().await?;
    look::show_people(stage, tell, &context.output)?;
    look::show_history(stage, tell, &id)?;
    look::show_messages(stage, tell, &stage.messages(&id).await?)?;
    let (kept, broken, took) = tell.counts();
    if broken > 0 {
        return Err(Failure::new(
            Exit::SomeFailed,
            format!(
                "{broken} of {} claims of this demo do not hold; they are marked above",
                kept + broken
            ),
        )
        .hint("this is a defect of Rollcall: please report it with this output"));
    }
    tell.title(&format!(
        "{kept} claims, each read back from the service: all of them hold ({:.1} s)",
        took.as_secs_f64()
    ));
    Ok(Some(id))
}

/// Where to look further: only what this build has, and what is still there.
async fn further(stage: &Stage, tell: &Teller<'_>, place: &Place, id: &str, stays: bool) {
    let origin = &stage.origin;
    tell.title("Look further");
    tell.plain("");
    if stays && stage.has("/console").await {
        tell.command("console", &format!("{origin}/console"));
        tell.command("token", DEV_TOKEN_FILE);
    }
    let known = super::tree();
    let mut label = "commands";
    for (noun, rest) in [
        ("profiles", format!("history {id}")),
        ("events", "list".to_owned()),
        ("deliveries", "list".to_owned()),
    ] {
        if known.find_subcommand(noun).is_none() {
            continue;
        }
        if !label.is_empty() {
            let url = place.database();
            tell.command(label, &format!("export DATABASE_URL={url}"));
        }
        label = "";
        tell.command(label, &format!("rollcall {noun} {rest}"));
    }
    if stays {
        let token = format!("Authorization: Bearer $(cat {DEV_TOKEN_FILE})");
        tell.command(
            "api",
            &format!("curl -H \"{token}\" {origin}/v1/profiles?limit=2"),
        );
        let story = "fixtures/scenarios/normal-week.jsonl";
        tell.command("more", &format!("rollcall send {story} --to {origin}"));
    }
}

/// An address that nobody uses: the usual one, or any.
fn free(usual: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(usual).or_else(|_| TcpListener::bind(SocketAddr::new(usual.ip(), 0)))
}
