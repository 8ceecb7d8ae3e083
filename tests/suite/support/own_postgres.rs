//! A PostgreSQL server of the test's own, to be stopped, frozen, copied and promoted. Started by `.ci/postgres`,
//! whose folder this goes on with; gone when dropped.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::postgres::Server;

/// A server, and perhaps its standby.
pub struct OwnPostgres {
    server: Option<Server>,
    binaries: PathBuf,
    folder: PathBuf,
    standby: bool,
}

impl OwnPostgres {
    /// Starts it.
    pub fn start() -> Self {
        let server = Server::start();
        let (_, folder) = server.url.rsplit_once("host=").unwrap();
        let folder = PathBuf::from(folder.replace("%2F", "/"));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/postgres");
        let found = Command::new("bash").args([script, "--find"]).output();
        let binaries = String::from_utf8(found.unwrap().stdout).unwrap();
        Self {
            server: Some(server),
            binaries: binaries.trim().into(),
            folder,
            standby: false,
        }
    }

    /// What `DATABASE_URL` would be.
    pub fn url(&self) -> String {
        self.server.as_ref().unwrap().url.clone()
    }

    /// The same with the standby beside it.
    pub fn url_of_both(&self) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@/postgres?host={folder},{folder}%2Fother")
    }

    /// Ends the server as a crash does: without a word to anybody.
    pub fn crash(&self) {
        self.control("data", &["-m", "immediate", "-w", "stop"]);
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.control("data", &["-w", "-t", "60", "start"]);
    }

    /// Stops and starts as an upgrade does.
    pub fn restart(&self) {
        self.control("data", &["-m", "fast", "-w", "-t", "60", "restart"]);
    }

    /// Freezes every process of the server: connections stay open and nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets them go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// A standby that has every commit before it is acknowledged.
    pub fn add_standby(&mut self) {
        let folder = self.folder.display();
        let socket = self.folder.join("other");
        self.run("mkdir", &[&socket.display().to_string()]);
        let copy = format!("{folder}/standby");
        let from = folder.to_string();
        self.run(
            "pg_basebackup",
            &[
                "-D", &copy, "-h", &from, "-U", "postgres", "-R", "-X", "stream", "-c", "fast",
            ],
        );
        self.standby = true;
        let socket = format!("-k {}", socket.display());
        self.control("standby", &["-o", &socket, "-w", "-t", "60", "start"]);
        let mut admin = super::postgres::connect(&self.url());
        super::postgres::run(
            &mut admin,
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        );
        super::postgres::run(&mut admin, "SELECT pg_reload_conf()");
    }

    /// The standby takes over.
    pub fn promote(&self) {
        self.control("standby", &["-w", "-t", "60", "promote"]);
    }

    /// A database whose files lie in that folder, which is made.
    pub fn database_in(&self, folder: &std::path::Path, name: &str) {
        self.run("mkdir", &[&folder.display().to_string()]);
        let mut admin = super::postgres::connect(&self.url());
        let space = format!("CREATE TABLESPACE {name} LOCATION '{}'", folder.display());
        super::postgres::run(&mut admin, &space);
        let database = format!("CREATE DATABASE {name} TABLESPACE {name}");
        super::postgres::run(&mut admin, &database);
    }

    fn control(&self, data: &str, arguments: &[&str]) {
        let folder = self.folder.display();
        let (data, log) = (format!("{folder}/{data}"), format!("{folder}/{data}.log"));
        let mut all = vec!["-D", &data, "-l", &log];
        all.extend(arguments);
        self.run("pg_ctl", &all);
    }

    /// As the owner of the files: the server refuses to be run by root.
    fn run(&self, program: &str, arguments: &[&str]) {
        let binary = self.binaries.join(program);
        let program = if binary.exists() {
            binary.display().to_string()
        } else {
            program.to_owned()
        };
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir(&self.folder);
        // A server that starts keeps what it inherits: nobody may wait for its end of a pipe.
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "{command:?}");
    }

    fn signal(&self, signal: &str) {
        let file = self.folder.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        let postmaster = text.lines().next().unwrap().trim().to_owned();
        let mut all = vec![signal.to_owned(), postmaster.clone()];
        for entry in std::fs::read_dir("/proc").unwrap() {
            let path = entry.unwrap().path();
            let Ok(stat) = std::fs::read_to_string(path.join("stat")) else {
                continue;
            };
            // `pid (name) state parent …`
            let parent = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1));
            if parent == Some(&postmaster) {
                all.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
        // One that ended meanwhile is no reason to fail.
        Command::new("kill").args(all).status().unwrap();
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if self.folder.join("data/postmaster.pid").exists() {
            self.thaw();
        }
        if self.standby {
            let standby = self.folder.join("standby/postmaster.pid");
            if standby.exists() {
                self.control("standby", &["-m", "immediate", "-w", "stop"]);
            }
        }
        if let Some(server) = self.server.take() {
            server.end();
        }
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.starts_with(b"0\n")
}
