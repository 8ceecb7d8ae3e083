//! A small real SMTP server for tests: it listens on loopback, keeps what it is handed, and fails
//! where it is told to. It serves from threads of its own, so that it works beside any runtime.
//!
//! ```ignore
//! let mail = SmtpSink::start();
//! mail.next(SmtpStep::Recipient, SmtpAct::Reply("451 4.3.0 try later"));
//! // … point Rollcall at mail.url() …
//! let mails = mail.wait_for(1).await;
//! ```
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test server may panic"
)]

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

/// Where in the conversation an act takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SmtpStep {
    /// In place of the 220.
    Greeting,
    Hello,
    Auth,
    From,
    Recipient,
    Data,
    /// After the final dot. `Drop` and `Stall` here keep the mail: it was taken, only nobody is told.
    Text,
    Reset,
}

/// What the server does there. Without one, it does what a good server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpAct {
    /// What a good server does (to let some pass before a later act).
    Accept,
    /// Answers this line instead (without CRLF).
    Reply(&'static str),
    /// Never answers; the connection stays open until the client goes.
    Stall,
    /// Hangs up without a word.
    Drop,
    /// Does what a good server does, and hangs up.
    AcceptThenDrop,
}

/// A mail that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body with CRLF line ends, dots undoubled.
    pub text: String,
}

impl TakenMail {
    /// The value of a header, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.text.split_once("\r\n\r\n")?;
        let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let wanted = format!("{}:", name.to_ascii_lowercase());
        let line = head
            .lines()
            .find(|line| line.to_ascii_lowercase().starts_with(&wanted))?;
        Some(line[wanted.len()..].trim().to_owned())
    }

    /// All after the headers, as sent (still encoded).
    pub fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }
}

/// The server. Stops when dropped.
pub struct SmtpSink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    taken: watch::Sender<Vec<TakenMail>>,
}

#[derive(Default)]
struct State {
    acts: HashMap<SmtpStep, VecDeque<SmtpAct>>,
    commands: Vec<String>,
    connections: usize,
    /// Wanted, where set.
    login: Option<(String, String)>,
    any_line_end: bool,
    stopped: bool,
}

impl SmtpSink {
    /// Listens on a free loopback port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            taken: watch::channel(Vec::new()).0,
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.state().stopped {
                    return;
                }
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || {
                    let _ = stream.and_then(|stream| Conversation::new(stream, &serving)?.hold());
                });
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `smtp://127.0.0.1:port`, for `ROLLCALL_SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Queues an act for the next time this step comes.
    pub fn next(&self, step: SmtpStep, act: SmtpAct) {
        self.shared
            .state()
            .acts
            .entry(step)
            .or_default()
            .push_back(act);
    }

    /// Wants AUTH PLAIN with these from now on.
    pub fn require_login(&self, user: &str, password: &str) {
        self.shared.state().login = Some((user.to_owned(), password.to_owned()));
    }

    /// Takes a lone CR or LF for a line end in the text, as some servers do (the smuggling trap).
    pub fn take_any_line_end(&self) {
        self.shared.state().any_line_end = true;
    }

    /// The mails taken so far.
    pub fn mails(&self) -> Vec<TakenMail> {
        self.shared.taken.borrow().clone()
    }

    /// Every command line received, in order.
    pub fn commands(&self) -> Vec<String> {
        self.shared.state().commands.clone()
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits (at most ten seconds) until this many mails were taken, and gives them all.
    pub async fn wait_for(&self, count: usize) -> Vec<TakenMail> {
        let mut taken = self.shared.taken.subscribe();
        let waiting = taken.wait_for(|mails| mails.len() >= count);
        match tokio::time::timeout(Duration::from_secs(10), waiting).await {
            Ok(mails) => mails.unwrap().clone(),
            Err(_) => panic!("{count} mails awaited, {} taken", self.mails().len()),
        }
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// One connection.
struct Conversation<'a> {
    shared: &'a Shared,
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    logged_in: bool,
}

/// Whether the conversation goes on.
type Going = std::io::Result<bool>;

impl<'a> Conversation<'a> {
    fn new(stream: TcpStream, shared: &'a Shared) -> std::io::Result<Self> {
        shared.state().connections += 1;
        Ok(Self {
            shared,
            writer: stream.try_clone()?,
            reader: BufReader::new(stream),
            logged_in: false,
        })
    }

    fn hold(&mut self) -> std::io::Result<()> {
        if !self.act(SmtpStep::Greeting, "220 sink ESMTP")? {
            return Ok(());
        }
        let (mut from, mut to) = (String::new(), Vec::new());
        let mut line = String::new();
        while {
            line.clear();
            self.reader.read_line(&mut line)?
        } > 0
        {
            let command = line.trim_end().to_owned();
            self.shared.state().commands.push(command.clone());
            let upper = command.to_ascii_uppercase();
            let going = if upper.starts_with("EHLO") {
                self.hello()?
            } else if let Some(login) = upper
                .starts_with("AUTH PLAIN ")
                .then(|| command[11..].to_owned())
            {
                self.auth(&login)?
            } else if upper.starts_with("MAIL FROM:") {
                (from, to) = (bracketed(&command), Vec::new());
                self.from()?
            } else if upper.starts_with("RCPT TO:") {
                to.push(bracketed(&command));
                self.act(SmtpStep::Recipient, "250 2.1.5 ok")?
            } else {
                match upper.as_str() {
                    "DATA" => self.data(&from, &to)?,
                    "RSET" => self.act(SmtpStep::Reset, "250 2.0.0 ok")?,
                    "NOOP" => self.say("250 2.0.0 ok")?,
                    "QUIT" => return self.say("221 2.0.0 bye").map(drop),
                    _ => self.say("502 5.5.2 unknown command")?,
                }
            };
            if !going {
                return Ok(());
            }
        }
        Ok(())
    }

    fn hello(&mut self) -> Going {
        let auth = if self.shared.state().login.is_some() {
            "\r\n250-AUTH PLAIN"
        } else {
            ""
        };
        self.act(
            SmtpStep::Hello,
            &format!("250-sink{auth}\r\n250-SMTPUTF8\r\n250 8BITMIME"),
        )
    }

    fn auth(&mut self, login: &str) -> Going {
        use base64::Engine as _;
        let given = base64::engine::general_purpose::STANDARD
            .decode(login)
            .unwrap_or_default();
        let wanted = self
            .shared
            .state()
            .login
            .clone()
            .map(|(user, password)| format!("\0{user}\0{password}"));
        self.logged_in = wanted.is_some_and(|wanted| wanted.as_bytes() == given);
        let usual = ["535 5.7.8 wrong", "235 2.7.0 welcome"][usize::from(self.logged_in)];
        self.act(SmtpStep::Auth, usual)
    }

    fn from(&mut self) -> Going {
        let welcome = self.logged_in || self.shared.state().login.is_none();
        let usual = ["530 5.7.0 log in first", "250 2.1.0 ok"][usize::from(welcome)];
        self.act(SmtpStep::From, usual)
    }

    fn data(&mut self, from: &str, to: &[String]) -> Going {
        let (act, going) = self.acted(SmtpStep::Data, "354 go ahead")?;
        if act != SmtpAct::Accept {
            return Ok(going);
        }
        let Some(text) = self.text()? else {
            return Ok(false);
        };
        if !matches!(self.peek(SmtpStep::Text), SmtpAct::Reply(_)) {
            let mail = TakenMail {
                from: from.to_owned(),
                to: to.to_vec(),
                text,
            };
            self.shared.taken.send_modify(|mails| mails.push(mail));
        }
        self.act(SmtpStep::Text, "250 2.0.0 taken")
    }

    /// Reads to the lone dot; `None` when the client went away before it.
    fn text(&mut self) -> std::io::Result<Option<String>> {
        let any_line_end = self.shared.state().any_line_end;
        let mut text = Vec::new();
        while let Some(line) = self.text_line(any_line_end)? {
            if line == b"." {
                return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
            }
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            text.extend_from_slice(b"\r\n");
        }
        Ok(None)
    }

    /// One line without its end: CRLF, or any lone CR or LF too.
    fn text_line(&mut self, any_line_end: bool) -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut byte = [0_u8];
        while self.reader.read(&mut byte)? == 1 {
            line.push(byte[0]);
            if any_line_end && byte[0] == b'\r' && self.reader.fill_buf()?.first() == Some(&b'\n') {
                self.reader.consume(1);
            }
            let ended = if any_line_end {
                matches!(byte[0], b'\r' | b'\n')
            } else {
                line.ends_with(b"\r\n")
            };
            if ended {
                line.truncate(line.len() - if any_line_end { 1 } else { 2 });
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn peek(&self, step: SmtpStep) -> SmtpAct {
        self.shared
            .state()
            .acts
            .get(&step)
            .and_then(|acts| acts.front().copied())
            .unwrap_or(SmtpAct::Accept)
    }

    fn act(&mut self, step: SmtpStep, usual: &str) -> Going {
        self.acted(step, usual).map(|(_, going)| going)
    }

    fn acted(&mut self, step: SmtpStep, usual: &str) -> std::io::Result<(SmtpAct, bool)> {
        let act = self
            .shared
            .state()
            .acts
            .get_mut(&step)
            .and_then(VecDeque::pop_front)
            .unwrap_or(SmtpAct::Accept);
        let going = match act {
            SmtpAct::Accept => self.say(usual)?,
            SmtpAct::Reply(line) => self.say(line)?,
            SmtpAct::Drop => false,
            SmtpAct::AcceptThenDrop => self.say(usual).map(|_| false)?,
            SmtpAct::Stall => {
                std::io::copy(&mut self.reader, &mut std::io::sink())?;
                false
            }
        };
        Ok((act, going))
    }

    fn say(&mut self, line: &str) -> Going {
        self.writer.write_all(format!("{line}\r\n").as_bytes())?;
        Ok(!line.starts_with("421"))
    }
}

fn bracketed(command: &str) -> String {
    let inside = command
        .split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    inside
        .map(|(address, _)| address.to_owned())
        .unwrap_or_default()
}
