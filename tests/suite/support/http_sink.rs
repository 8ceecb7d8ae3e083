//! A small real HTTP server for tests: it listens on loopback, keeps every request whole, and
//! answers as it is told: Slack's answers, `Retry-After`, silence after the body, a reset. It serves
//! from threads of its own, so that it works beside any runtime. One request per connection.
//!
//! ```ignore
//! let sink = HttpSink::start();
//! sink.next("/hook", HttpAct::answer(429, "").header("Retry-After", "30"));
//! // … let Rollcall post to sink.url("/hook") …
//! let requests = sink.wait_for(1).await;
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

/// What the server does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpAct {
    /// Answers.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Takes its time, and then answers 200.
    AnswerAfter(Duration),
    /// Reads all of it and never answers; the connection stays open until the client goes.
    Stall,
    /// Reads all of it and hangs up.
    Drop,
    /// Promises a longer answer than it gives, and hangs up.
    HalfAnswer { status: u16 },
}

impl HttpAct {
    /// An answer.
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same with one header more.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenRequest {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl TakenRequest {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The server. Stops when dropped.
pub struct HttpSink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    taken: watch::Sender<Vec<TakenRequest>>,
}

#[derive(Default)]
struct State {
    next: HashMap<String, VecDeque<HttpAct>>,
    always: HashMap<String, HttpAct>,
    stopped: bool,
}

impl HttpSink {
    /// Listens on a free loopback port. Whatever is not told otherwise is answered 200 `ok`.
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
                    // An error is the client's hanging up.
                    let _ = stream.and_then(|stream| serve(stream, &serving));
                });
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port` + path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Queues an act for the next request to this path (without query).
    pub fn next(&self, path: &str, act: HttpAct) {
        self.shared
            .state()
            .next
            .entry(path.to_owned())
            .or_default()
            .push_back(act);
    }

    /// What happens at this path when nothing is queued.
    pub fn always(&self, path: &str, act: HttpAct) {
        self.shared.state().always.insert(path.to_owned(), act);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<TakenRequest> {
        self.shared.taken.borrow().clone()
    }

    /// Waits (at most ten seconds) until this many requests came, and gives them all.
    pub async fn wait_for(&self, count: usize) -> Vec<TakenRequest> {
        let mut taken = self.shared.taken.subscribe();
        let waiting = taken.wait_for(|requests| requests.len() >= count);
        match tokio::time::timeout(Duration::from_secs(10), waiting).await {
            Ok(requests) => requests.unwrap().clone(),
            Err(_) => panic!("{count} requests awaited, {} came", self.requests().len()),
        }
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn act(&self, path: &str) -> HttpAct {
        let mut state = self.state();
        let queued = state.next.get_mut(path).and_then(VecDeque::pop_front);
        queued
            .or_else(|| state.always.get(path).cloned())
            .unwrap_or_else(|| HttpAct::answer(200, "ok"))
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    let Some(request) = read(&mut reader)? else {
        return Ok(());
    };
    let act = shared.act(request.path());
    shared.taken.send_modify(|requests| requests.push(request));
    match act {
        HttpAct::Answer {
            status,
            headers,
            body,
        } => {
            let headers: String = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let head = format!(
                "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            writer.write_all(format!("{head}{body}").as_bytes())
        }
        HttpAct::AnswerAfter(time) => {
            // The receiver is a slow one.
            std::thread::sleep(time);
            writer.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        HttpAct::Stall => std::io::copy(&mut reader, &mut std::io::sink()).map(drop),
        HttpAct::Drop => Ok(()),
        HttpAct::HalfAnswer { status } => writer.write_all(
            format!("HTTP/1.1 {status} X\r\nContent-Length: 100\r\n\r\n{{\"ok\"").as_bytes(),
        ),
    }
}

/// `None` when the connection closed before a whole request came.
pub(super) fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<TakenRequest>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut parts = line.split_whitespace();
    let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
        return Ok(None);
    };
    let mut request = TakenRequest {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}
