//! `rollcall doctor`: looks at everything an installation stands on and says what to do.

use secrecy::ExposeSecret;

use crate::app::{channels_to_reach, webhook_secrets};
use crate::config::Config;
use crate::db::DatabaseUrl;
use crate::operations::doctor::{self, Check, SecretShape, Setup, Verdict};
use crate::workos::Secrets;

use super::database;
use super::output::plain;
use super::shown;
use super::{Context, Exit, Failure};

/// Look whether everything is well, and say what to do where it is not; changes nothing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 1 when something is broken; a warning is no failure.

Examples:
  rollcall doctor
  rollcall doctor --json | jq '.[] | select(.result != \"ok\")'"
)]
pub struct Args {}

/// Looks, and tells.
pub async fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let mut setup = setup_of(&config)?;
    setup.reached = match channels_to_reach(&config) {
        Ok(channels) => channels.reach().await,
        Err(why) => vec![("mail server", Err(format!("{why:#}")))],
    };
    let checks = examine(&config, &setup)?;
    let out = &context.output;
    if out.is_json() {
        out.json(&checks);
    } else {
        let rows = checks.iter().map(|check| {
            vec![
                check.name.into(),
                shown::state(word(check.result)),
                check.finding.as_str().into(),
            ]
        });
        out.table(&["check", "status", "finding"], rows.collect());
        for check in &checks {
            if let Some(advice) = &check.advice {
                out.note(format!("{}: {}", check.name, plain(advice)));
            }
        }
    }
    let broken = checks.iter().any(|check| check.result == Verdict::Fail);
    Ok(if broken { Exit::SomeFailed } else { Exit::Done })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Warn => "warn",
        Verdict::Fail => "fail",
    }
}

/// What verifies deliveries: the configured secrets, and that of an endpoint that Rollcall registered
/// itself, where the database can be asked.
fn secrets_of(config: &Config) -> Option<Result<Vec<SecretShape>, String>> {
    let configured = config.webhook.secrets.as_ref();
    let configured = match configured.map(|text| Secrets::parse(text.expose_secret())) {
        Some(Err(why)) => return Some(Err(why.to_string())),
        Some(Ok(all)) => Some(all),
        None => None,
    };
    let db = database::open_any(config).ok();
    let all = db.and_then(|db| webhook_secrets(config, &db).ok());
    let shape = |(label, odd): (&str, _)| SecretShape {
        label: label.to_owned(),
        odd,
    };
    all.filter(|all| !all.is_empty())
        .or(configured)
        .map(|all| Ok(all.shapes().map(shape).collect()))
}

fn setup_of(config: &Config) -> Result<Setup, Failure> {
    let sqlite_file = match DatabaseUrl::parse(&database::url_of(config)?)? {
        DatabaseUrl::Sqlite(path) => Some(path),
        DatabaseUrl::Postgres(_) => None,
    };
    Ok(Setup {
        webhook_secrets: secrets_of(config),
        tolerance: config.webhook.tolerance,
        mail: config.mail.smtp_url.is_some() && config.mail.from.is_some(),
        sqlite_file,
        clock_ahead: None,
        reached: Vec::new(),
    })
}

fn examine(config: &Config, setup: &Setup) -> Result<Vec<Check>, Failure> {
    let mut checks = doctor::of_setup(setup);
    let db = match database::open_any(config) {
        Ok(db) => db,
        Err(why) => {
            let advice = why.hint.unwrap_or_else(|| {
                "check DATABASE_URL, and that the server is up and lets this machine in".to_owned()
            });
            checks.push(Check::fail("database", why.message, advice));
            return Ok(checks);
        }
    };
    let setup = &Setup {
        clock_ahead: Some(db.clock_ahead()),
        ..setup.clone()
    };
    let place = format!("{:?}", db.url());
    checks.push(doctor::reachable(db.backend(), &place));
    if let Some(pages) = doctor::of_pages(&db)? {
        let damaged = pages.result == Verdict::Fail;
        checks.push(pages);
        if damaged {
            // The rest reads the same pages, and may fall over them.
            return Ok(checks);
        }
    }
    if let Some(locked) = db.read(doctor::of_locks)? {
        // The rest reads the same tables, and would wait for them.
        checks.push(locked);
        return Ok(checks);
    }
    let state = database::state_of(&db)?;
    // Before everything ran, what is missing is no news.
    let unreadable = if state.pending.is_empty() {
        database::unreadable(&db)?
    } else {
        Vec::new()
    };
    let migrations = doctor::of_migrations(&state, &unreadable);
    let ours = migrations.result == Verdict::Ok;
    checks.push(migrations);
    if ours {
        let now = db.clock().now();
        checks.extend(db.read(|conn| doctor::of_database(conn, setup, now))?);
    }

    Ok(checks)
}
