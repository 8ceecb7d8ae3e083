//! What the benches share: their few flags, databases to measure on with durability as in production,
//! a line about the machine, and percentiles.
#![allow(dead_code, reason = "each bench uses a part")]

pub mod events;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use diesel::connection::SimpleConnection;
use diesel::sql_types::Text;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl, sql_query};
use rollcall::db::{Backend, Conn, Db, DbError};

/// `--seconds 5 --events 5000 --people 100000 --only sqlite|postgres`.
pub struct Args {
    pub seconds: f64,
    pub events: usize,
    pub people: usize,
    pub only: Option<String>,
}

impl Args {
    /// Reads the flags; `--bench` is cargo's.
    pub fn read() -> Result<Self> {
        Self::of(std::env::args().skip(1))
    }

    /// Reads these.
    pub fn of(said: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut args = Self {
            seconds: 5.0,
            events: 5_000,
            people: 100_000,
            only: None,
        };
        let mut said = said.into_iter().filter(|word| word != "--bench");
        while let Some(flag) = said.next() {
            let value = said
                .next()
                .with_context(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--seconds" => args.seconds = value.parse()?,
                "--events" => args.events = value.parse()?,
                "--people" => args.people = value.parse()?,
                "--only" => args.only = Some(value),
                other => {
                    bail!(
                        "{other} is not known; there are --seconds N, --events N, --people N and --only sqlite|postgres"
                    )
                }
            }
        }
        Ok(args)
    }
}

/// A database server or folder; each measurement gets a fresh database of it.
pub enum Place {
    Sqlite(tempfile::TempDir),
    Postgres {
        url: String,
        _server: Option<Server>,
    },
}

/// A `.ci/postgres`, which serves until the pipe to its standard input closes.
pub struct Server(Child);

impl Place {
    /// Where to measure, as the flags say.
    pub fn all(args: &Args) -> Result<Vec<Self>> {
        let wanted = |name: &str| args.only.as_deref().is_none_or(|only| only == name);
        let mut places = Vec::new();
        if wanted("sqlite") {
            // Beside the build: /tmp may be memory, which commits to nothing.
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            std::fs::create_dir_all(folder)?;
            places.push(Self::Sqlite(tempfile::tempdir_in(folder)?));
        }
        if wanted("postgres") {
            places.push(Self::postgres()?);
        }
        Ok(places)
    }

    fn postgres() -> Result<Self> {
        if let Ok(url) = std::env::var("TEST_DATABASE_URL")
            && !url.is_empty()
        {
            return Ok(Self::Postgres { url, _server: None });
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres");
        let mut process = Command::new("bash")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(".ci/postgres could not be run")?;
        let mut url = String::new();
        let stdout = process.stdout.take().context("stdout is piped")?;
        BufReader::new(stdout).read_line(&mut url)?;
        let url = url.trim_end().to_owned();
        if url.is_empty() {
            bail!("no PostgreSQL to measure on; --only sqlite measures without");
        }
        // The script's server is made for tests and keeps nothing; here commits must count.
        let mut admin = PgConnection::establish(&url)?;
        for setting in [
            "fsync = on",
            "full_page_writes = on",
            "synchronous_commit = on",
        ] {
            admin.batch_execute(&format!("ALTER SYSTEM SET {setting}"))?;
        }
        sql_query("SELECT pg_reload_conf()").execute(&mut admin)?;
        Ok(Self::Postgres {
            url,
            _server: Some(Server(process)),
        })
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    /// The URL of a fresh, empty database.
    pub fn fresh(&self, name: &str) -> Result<String> {
        match self {
            Self::Sqlite(folder) => Ok(format!(
                "sqlite://{}",
                folder.path().join(format!("{name}.db")).display()
            )),
            Self::Postgres { url, .. } => {
                let name = format!("rollcall_bench_{name}");
                let mut admin = PgConnection::establish(url)?;
                admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))?;
                admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))?;
                Ok(with_database(url, &name))
            }
        }
    }
}

/// The same server, another database: `postgres://user@/postgres?host=...` has no host that a URL
/// library would take.
fn with_database(url: &str, name: &str) -> String {
    let (place, query) = url
        .split_once('?')
        .map_or((url, String::new()), |(place, query)| {
            (place, format!("?{query}"))
        });
    let start = place.find("://").map_or(0, |at| at + 3);
    let end = place
        .rfind('/')
        .filter(|at| *at >= start)
        .unwrap_or(place.len());
    format!("{}/{name}{query}", &place[..end])
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    value: String,
}

/// What the database says of its durability, read from a connection that writes.
pub fn durability(db: &Db) -> Result<String> {
    let names = match db.backend() {
        Backend::Sqlite => ["sqlite_version()", "journal_mode", "synchronous"],
        Backend::Postgres => ["server_version", "fsync", "synchronous_commit"],
    };
    let told: Vec<String> = db.maintain(|conn: &mut Conn| -> Result<Vec<String>, DbError> {
        names.iter().map(|name| setting(conn, name)).collect()
    })?;
    Ok(told.join(", "))
}

fn setting(conn: &mut Conn, name: &str) -> Result<String, DbError> {
    let row: Setting = match conn {
        Conn::Sqlite(conn) if name.ends_with("()") => {
            sql_query(format!("SELECT {name} AS value")).get_result(conn)?
        }
        Conn::Sqlite(conn) => sql_query(format!(
            "SELECT CAST({name} AS TEXT) AS value FROM pragma_{name}"
        ))
        .get_result(conn)?,
        Conn::Postgres(conn) => {
            sql_query(format!("SELECT current_setting('{name}') AS value")).get_result(conn)?
        }
    };
    Ok(format!("{name} {}", row.value))
}

/// One line about the machine: figures mean little without it.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap_or_default();
        line.split(':').nth(1).unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = after(&read("/proc/cpuinfo"), "model name");
    let allowed = after(&read("/proc/self/status"), "Cpus_allowed_list");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!(
        "{cores} cores ({model}), allowed on {allowed}; clients, server and database share them; load {load} at the start"
    )
}

/// The most memory that a process ever held, in KiB, while it is there.
pub fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// KiB as MiB.
pub fn mebibytes(kibibytes: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    let kibibytes = kibibytes as f64;
    kibibytes / 1_024.0
}

/// A part of sorted latencies, in milliseconds.
pub fn percentile(sorted: &[Duration], part: f64) -> f64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let at = ((sorted.len() as f64 - 1.0) * part).round() as usize;
    sorted
        .get(at)
        .map_or(0.0, |one| one.as_secs_f64() * 1_000.0)
}
