//! The real `rollcall` binary as a child process: started on a free port with nothing of this
//! environment but what the test says, stopped politely or killed, its words kept.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::http::{Caller, SECRET, TOKEN};
use super::wait::eventually;

/// A command that is not started yet, in a folder of its own.
pub fn rollcall(database: &str, folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("DATABASE_URL", database)
        .env("WORKOS_WEBHOOK_SECRET", SECRET)
        .env("ROLLCALL_ADMIN_TOKEN", TOKEN)
        .env("ROLLCALL_LISTEN", "127.0.0.1:0")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What starting `kill`, and waiting for a core, may take on a busy machine.
const BUSY: Duration = Duration::from_millis(500);
/// The same command, with the signal ignored that comes with a limit on the size of files: writing fails as it
/// does on a full disk.
pub fn ignores_full_disks(command: &Command) -> Command {
    let mut shell = Command::new("bash");
    shell
        .args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#])
        .arg(command.get_program());
    shell.env_clear().envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    shell
}

/// A running process. Killed when dropped.
pub struct Service {
    child: Child,
    words: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Service {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let words = Arc::<Mutex<String>>::default();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let readers = vec![keep(out, &words), keep(err, &words)];
        Self {
            child,
            words,
            readers,
        }
    }

    /// Starts `rollcall serve` and waits until it says where it listens.
    pub async fn serve(mut command: Command, more: &[&str]) -> (Self, Caller) {
        command.arg("serve").args(more);
        let service = Self::start(command);
        let address = eventually("serve says where it listens", async || {
            let words = service.words();
            let (_, rest) = words.split_once("listens on http://")?;
            let (address, _) = rest.split_once('\n')?;
            address.trim().parse::<SocketAddr>().ok()
        })
        .await;
        (service, Caller::new(address))
    }

    /// Everything it said so far, on both streams.
    pub fn words(&self) -> String {
        self.words.lock().unwrap().clone()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// SIGTERM, and how it ends: within the limit, whatever hangs.
    pub async fn stopped_within(&mut self, limit: Duration) -> (ExitStatus, String) {
        let began = Instant::now();
        self.terminate();
        let (status, words) = self.ended().await;
        let took = began.elapsed();
        assert!(took < limit + BUSY, "it took {took:?}:\n{words}");
        (status, words)
    }

    /// Any signal, as `kill` names it.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Limits the size of the files that it may write from now on (Linux).
    pub fn limit_files(&self, bytes: &str) {
        let pid = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        let done = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(done.unwrap().success());
    }

    /// Freezes it.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// How many files and connections it has open (Linux).
    pub fn open_files(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).unwrap().count()
    }

    /// How much memory it has, in KiB (Linux).
    pub fn memory(&self) -> usize {
        let file = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.unwrap().trim().parse().unwrap()
    }

    /// Limits how many files and connections it may have open from now on (Linux).
    pub fn limit_open_files(&self, most: usize) {
        let pid = self.child.id().to_string();
        let limit = format!("--nofile={most}:");
        let done = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(done.unwrap().success());
    }

    /// Waits for its end; answers how it ended and everything it said.
    pub async fn ended(&mut self) -> (ExitStatus, String) {
        let status = eventually("the process ends", async || self.child.try_wait().unwrap()).await;
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.words())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the process said:\n{}", self.words());
        }
    }
}

fn keep(
    from: impl std::io::Read + Send + 'static,
    words: &Arc<Mutex<String>>,
) -> std::thread::JoinHandle<()> {
    let words = Arc::clone(words);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut words = words.lock().unwrap();
            words.push_str(&line);
            words.push('\n');
        }
    })
}
