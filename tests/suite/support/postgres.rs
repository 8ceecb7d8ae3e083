//! PostgreSQL for tests: one server, and a database of its own for each test, copied from a
//! template that was migrated once. The server is the one that `TEST_DATABASE_URL` names (as under
//! `.ci/test`, where all test processes share it), else a throw-away one that this process starts
//! with `.ci/postgres` and that ends with it. Without either a test fails; none is skipped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};

/// A running `.ci/postgres`: it serves until the pipe to its standard input closes.
pub struct Server {
    pub url: String,
    process: Child,
}

impl Server {
    /// Lets go of it, and waits until it is gone without a trace.
    pub fn end(mut self) {
        drop(self.process.stdin.take());
        let ended = self.process.wait();
        assert!(ended.is_ok_and(|status| status.success()));
    }

    /// Starts one.
    pub fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres");
        let mut process = Command::new("bash")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{script} could not be run by bash: {error}"));
        let mut url = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout)
            .read_line(&mut url)
            .expect("the URL is text");
        if url.is_empty() {
            let mut why = String::new();
            let mut stderr = process.stderr.take().expect("stderr is piped");
            stderr.read_to_string(&mut why).expect("the reason is text");
            panic!("no PostgreSQL to test with: {why}");
        }
        Self {
            url: url.trim_end().to_owned(),
            process,
        }
    }
}

/// The server's maintenance database, as a superuser.
///
/// # Panics
/// When there is no server and none can be started; the message has the command that installs it.
pub fn admin_url() -> String {
    // Never dropped: the system closes the pipe when this process ends, however it ends.
    static SERVER: OnceLock<Server> = OnceLock::new();
    match std::env::var("TEST_DATABASE_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => SERVER.get_or_init(Server::start).url.clone(),
    }
}

/// A database that lives as long as this value.
pub struct TestDatabase {
    /// What `DATABASE_URL` would be.
    pub url: String,
    name: String,
}

impl TestDatabase {
    /// A copy of it; nobody may be connected.
    pub fn copy(&self) -> Self {
        create_database(Some(&self.name))
    }

    /// Throws everybody out and lets nobody in: the database is away.
    pub fn close(&self) {
        let name = &self.name;
        let admin = &mut admin();
        run(
            admin,
            &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        );
        // Waits for their end: one that is still there would take a word or two more.
        let all = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname =";
        run(admin, &format!("{all} '{name}'"));
    }

    /// Lets everybody in again.
    pub fn open(&self) {
        let name = &self.name;
        run(
            &mut admin(),
            &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"),
        );
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Forced, because pools and child processes of a failed test may still be connected.
        let gone = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        if let Err(error) = admin().batch_execute(&gone) {
            eprintln!("the test database {} is left behind: {error}", self.name);
        }
    }
}

/// A new database: empty, or a copy of what [`template`] named.
pub fn create_database(template: Option<&str>) -> TestDatabase {
    let name = format!("rollcall_test_{}", uuid::Uuid::now_v7().simple());
    let template = template.unwrap_or("template0");
    run(
        &mut admin(),
        &format!("CREATE DATABASE {name} TEMPLATE {template}"),
    );
    TestDatabase {
        url: with_database(&admin_url(), &name),
        name,
    }
}

/// The name of a template database that `migrate`, given its URL, has filled; it is filled once per
/// server and `key`, also when many processes ask at the same time. The key stands for the content:
/// a hash of the migrations, in letters and digits.
///
/// `migrate` must have closed its connections when it returns.
pub fn template(key: &str, migrate: impl FnOnce(&str)) -> String {
    assert!(
        key.len() <= 32
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
        "a template's key is part of a database name: up to 32 of a-z and 0-9, not {key:?}"
    );
    let name = format!("rollcall_template_{key}");
    let admin = &mut admin();
    run(
        admin,
        &format!("SELECT pg_advisory_lock(hashtext('{name}'))"),
    );
    if !exists(admin, &name) {
        // Renamed only when it is whole, so that a migration that fails leaves no half template.
        let draft = format!("{name}_draft");
        run(
            admin,
            &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)"),
        );
        run(
            admin,
            &format!("CREATE DATABASE {draft} TEMPLATE template0"),
        );
        migrate(&with_database(&admin_url(), &draft));
        run(admin, &format!("ALTER DATABASE {draft} RENAME TO {name}"));
        // A single connection would keep it from being copied.
        run(
            admin,
            &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        );
    }
    // The lock goes with this connection.
    name
}

fn admin() -> PgConnection {
    let url = admin_url();
    PgConnection::establish(&url).unwrap_or_else(|error| {
        panic!("the PostgreSQL of TEST_DATABASE_URL ({url}) does not answer: {error}")
    })
}

/// A connection.
pub fn connect(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Runs statements.
pub fn run(conn: &mut PgConnection, sql: &str) {
    conn.batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn exists(conn: &mut PgConnection, name: &str) -> bool {
    count(
        conn,
        &format!("SELECT count(*) AS n FROM pg_database WHERE datname = '{name}'"),
    ) == 1
}

fn count(conn: &mut PgConnection, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    let row: Row = diesel::sql_query(sql)
        .get_result(conn)
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    row.n
}

/// The same server, another database: replaces the path of a URL such as
/// `postgres://postgres@/postgres?host=%2Ftmp%2Fpg`, whose empty host is libpq's and no URL parser's.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = match url.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (url, String::new()),
    };
    let (scheme, rest) = address
        .split_once("://")
        .unwrap_or_else(|| panic!("TEST_DATABASE_URL is no postgres:// URL"));
    let server = rest.split_once('/').map_or(rest, |(server, _)| server);
    format!("{scheme}://{server}/{name}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_one_template_are_separate_and_gone_when_dropped() {
        let migrate = |url: &str| run(&mut connect(url), "CREATE TABLE roll (name text)");
        let template = template("supportselftest", migrate);
        let (one, other) = (
            create_database(Some(&template)),
            create_database(Some(&template)),
        );
        assert_ne!(one.url, other.url);

        let mut left_open = connect(&one.url);
        run(&mut left_open, "INSERT INTO roll VALUES ('Ada')");
        let rows = "SELECT count(*) AS n FROM roll";
        assert_eq!(count(&mut left_open, rows), 1);
        assert_eq!(count(&mut connect(&other.url), rows), 0);

        let (one, other) = (drop_and_name(one), drop_and_name(other));
        assert!(!exists(&mut admin(), &one));
        assert!(!exists(&mut admin(), &other));
    }

    fn drop_and_name(database: TestDatabase) -> String {
        database.name.clone()
    }

    #[test]
    fn a_template_is_filled_once_however_many_ask() {
        let key = uuid::Uuid::now_v7().simple().to_string();
        let times = std::sync::atomic::AtomicUsize::new(0);
        let names: Vec<String> = std::thread::scope(|scope| {
            let ask = || {
                template(&key, |_| {
                    times.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                })
            };
            let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            askers
                .into_iter()
                .map(|asker| asker.join().unwrap())
                .collect()
        });
        assert_eq!(times.into_inner(), 1);
        assert!(names.iter().all(|name| *name == names[0]));
        run(&mut admin(), &format!("DROP DATABASE {}", names[0]));
    }

    #[test]
    fn a_migration_that_fails_leaves_no_template_behind() {
        let key = uuid::Uuid::now_v7().simple().to_string();
        let failed = std::panic::catch_unwind(|| template(&key, |_| panic!("a broken migration")));
        assert!(failed.is_err());
        assert!(!exists(&mut admin(), &format!("rollcall_template_{key}")));
        let name = template(&key, |_| ());
        run(&mut admin(), &format!("DROP DATABASE {name}"));
    }

    #[test]
    fn a_throw_away_server_ends_when_its_owner_lets_go() {
        let server = Server::start();
        let url = server.url.clone();
        run(&mut connect(&url), "SELECT 1");
        server.end();
        assert!(PgConnection::establish(&url).is_err());
        let folder = url.rsplit_once("host=").unwrap().1.replace("%2F", "/");
        assert!(!std::path::Path::new(&folder).exists());
    }

    #[test]
    fn a_database_url_keeps_its_server_whatever_its_form() {
        let cases = [
            (
                "postgres://postgres@/postgres?host=%2Ftmp%2Fpg",
                "postgres://postgres@/t?host=%2Ftmp%2Fpg",
            ),
            (
                "postgresql://u:p@h:5433/x?sslmode=require",
                "postgresql://u:p@h:5433/t?sslmode=require",
            ),
            ("postgres://h", "postgres://h/t"),
        ];
        for (url, wanted) in cases {
            assert_eq!(with_database(url, "t"), wanted);
        }
    }
}
