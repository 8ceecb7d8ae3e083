//! `rollcall serve`: the service. With `--dev` everything a developer needs is made up and kept in
//! `.rollcall/`: database, webhook secret, admin token; messages are captured, not sent.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::secret::DEV_SECRET_FILE;
use super::stop::stop_signal;
use super::{Context, Exit, Failure, ListedSettings};
use crate::app::{self, App, Options};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::DatabaseUrl;
use crate::operations::tokens::random_token;

/// Where `--dev` keeps what it made up.
const DEV_FOLDER: &str = ".rollcall";
pub(super) const DEV_TOKEN_FILE: &str = ".rollcall/admin-token";

/// Take webhooks, keep the roll, send messages
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall serve --dev
  WORKOS_WEBHOOK_SECRET=... rollcall serve --listen 0.0.0.0:8080
  DATABASE_URL=postgres://... WORKOS_WEBHOOK_SECRET=... rollcall serve --no-worker")]
pub struct Args {
    /// Make up what is missing and keep it in .rollcall/; capture messages instead of sending them
    #[arg(long)]
    dev: bool,
    /// Store webhooks only; `rollcall work` elsewhere works them off
    #[arg(long)]
    no_worker: bool,
    /// Do not run pending migrations; refuse to start on them
    #[arg(long)]
    no_migrate: bool,
    #[command(flatten)]
    _settings: ListedSettings,
}

/// Serves until SIGTERM or Ctrl-C; a second one ends at once.
pub async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let mut config = context.service_config()?;
    if args.dev {
        prepare_dev(&mut config)?;
    }
    if config.webhook.secrets.is_none() && !has_registered(&config) {
        return Err(Failure::new(
            Exit::Configuration,
            "WORKOS_WEBHOOK_SECRET is not set, so no delivery could be verified and `serve` does not start",
        )
        .hint("WorkOS shows the secret when a webhook endpoint is created (Dashboard > Webhooks); to try things out, `rollcall serve --dev` makes one up"));
    }
    let _only_one = lock_database(&config.database.url)?;
    let listener = app::bind(config.http.listen)
        .map_err(|why| Failure::new(Exit::Unavailable, format!("{why:#}")))?;
    let address = listener.local_addr().unwrap_or(config.http.listen);
    let options = Options {
        dev: args.dev,
        no_worker: args.no_worker,
        no_migrate: args.no_migrate,
        program: app::this_program(),
    };
    let place = DatabaseUrl::parse(&config.database.url)
        .map(|url| url.place())
        .unwrap_or_default();
    let token = config.access.admin_token.clone();
    let limit = config.http.shutdown;
    let app = App::open(config, Clock::System, options).map_err(|why| not_started(&why))?;
    let stop = stop_signal(limit)?;
    announce(context, args.dev, address, &place, token.is_some());
    let ended = app.serve(listener, stop).await;
    ended.map(Exit::from).map_err(|why| not_started(&why))
}

/// Whether `rollcall webhooks register` kept a secret in this database.
fn has_registered(config: &Config) -> bool {
    let Ok(db) = super::database::open_any(config) else {
        return false;
    };
    let kept = db.read(crate::operations::enable::kept_webhook_secret);
    kept.is_ok_and(|kept| kept.is_some())
}

/// A start that failed: the database's words, as unavailable.
pub(super) fn not_started(why: &anyhow::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("{why:#}"))
        .hint("`rollcall doctor` looks for the cause")
}

/// A second `serve` on one SQLite file would answer for the same events twice over: it is told.
pub(super) fn lock_database(url: &str) -> Result<Option<File>, Failure> {
    let Ok(DatabaseUrl::Sqlite(path)) = DatabaseUrl::parse(url) else {
        return Ok(None);
    };
    let mut name = path.clone().into_os_string();
    name.push(".serving");
    let lock = PathBuf::from(name);
    let failed = |why: std::io::Error| {
        Failure::new(
            Exit::Unavailable,
            format!(
                "cannot write beside the database ({}): {why}",
                lock.display()
            ),
        )
        .hint("the folder must exist and be writable by this user")
    };
    let file = File::options()
        .create(true)
        .append(true)
        .open(&lock)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Err(Failure::new(
            Exit::Unavailable,
            format!("another `rollcall serve` is running on {}", path.display()),
        )
        .hint("stop it first, or give this one a database of its own; for several at once use PostgreSQL")),
        Err(std::fs::TryLockError::Error(why)) => Err(failed(why)),
    }
}

/// Fills in what is missing for a developer.
pub(super) fn prepare_dev(config: &mut Config) -> Result<(), Failure> {
    if !config.http.listen.ip().is_loopback() {
        return Err(Failure::new(
            Exit::Configuration,
            format!("`serve --dev` listens on loopback only, and the address is {}", config.http.listen),
        )
        .hint("its secret and token lie in a file and messages are captured: not for a network; leave --listen out"));
    }
    make_folder()?;
    if config.database.url == "sqlite://rollcall.db" {
        config.database.url = format!("sqlite://{DEV_FOLDER}/rollcall.db");
    }
    if config.webhook.secrets.is_none() && !has_registered(config) {
        config.webhook.secrets = Some(kept(DEV_SECRET_FILE)?);
    }
    if config.access.admin_token.is_none() {
        config.access.admin_token = Some(kept(DEV_TOKEN_FILE)?);
    }
    Ok(())
}

fn make_folder() -> Result<(), Failure> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    // Whatever the umask, and also where an earlier version has made it: secrets lie in it.
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(DEV_FOLDER)
        .and_then(|()| std::fs::set_permissions(DEV_FOLDER, std::fs::Permissions::from_mode(0o700)))
        .map_err(|why| {
            Failure::new(
                Exit::Unavailable,
                format!("cannot make the folder {DEV_FOLDER}: {why}"),
            )
        })
}

/// The secret in a file, made up the first time; readable by its owner only.
fn kept(file: &str) -> Result<SecretString, Failure> {
    let failed = |why: std::io::Error| {
        Failure::new(
            Exit::Unavailable,
            format!("cannot keep a secret in {file}: {why}"),
        )
    };
    if let Ok(text) = std::fs::read_to_string(Path::new(file))
        && !text.trim().is_empty()
    {
        return Ok(SecretString::from(text.trim()));
    }
    let secret = random_token().map_err(|why| Failure::new(Exit::Unavailable, why.to_string()))?;
    write_private(file, &secret).map_err(failed)?;
    Ok(SecretString::from(secret))
}

fn write_private(file: &str, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut out = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    out.write_all(text.as_bytes())
}

fn announce(context: &Context, dev: bool, address: SocketAddr, place: &str, token: bool) {
    let say = |line: &str| context.output.note(line);
    say(&format!(
        "Rollcall {} listens on http://{address}",
        env!("CARGO_PKG_VERSION")
    ));
    say(&format!("  webhooks   http://{address}/webhooks/workos"));
    if dev {
        say(&format!(
            "  secret     {DEV_SECRET_FILE}   (rollcall send finds it by itself)"
        ));
        say(&format!("  console    http://{address}/console"));
        say(&format!("  token      {DEV_TOKEN_FILE}"));
        say("  try        rollcall send fixtures/scenarios/first-import.jsonl");
    } else if !token {
        say("  tokens     make one with: rollcall tokens create --name ops --role admin");
    }
    say(&format!("  database   {place}"));
}
