//! The HTTP server: its listeners, what each connection and head may take, and the routes of API and console.
//! Its own graceful stop is not used: it drops connections that wait for a worker, lets idle ones keep it, and
//! refuses everybody else meanwhile. Here the server runs until all else has ended, and closes with an answer to all.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, middleware::from_fn, web};
use anyhow::Context as _;
use futures_util::future::join_all;
use socket2::Socket;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Http;
use crate::console::{self, Console, Secure};
use crate::http::{self, Bounds, Connections, HttpState};

use super::limits;

/// How long a handshake may take that had begun when nobody was let in any more.
const HANDSHAKE: Duration = Duration::from_millis(25);
/// And the answer to whoever came at the last moment.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// And the other side's closing, after an answer that it was not waited for.
const PARTING: Duration = Duration::from_millis(500);
/// Between two looks whether somebody is still being answered.
const LOOK: Duration = Duration::from_millis(5);

/// The running server.
pub(super) struct Running {
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
    listeners: Vec<TcpListener>,
    connections: Connections,
}

/// Serves on all of the listeners.
pub(super) fn start_http(
    listeners: impl Iterator<Item = TcpListener>,
    state: web::Data<HttpState>,
    console: web::Data<Console>,
    settings: &Http,
) -> anyhow::Result<Running> {
    let most = limits::connections(settings.connections);
    let connections = Connections::new(Bounds {
        most,
        per_peer: settings.connections_per_peer.min(most),
        time: settings.client_time,
        trusted: settings.trusted_proxies.clone(),
    });
    let doorkeeper = connections.clone();
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(console.clone())
            .wrap(from_fn(http::observe))
            .configure(console::routes)
            .configure(http::routes)
    })
    .on_connect(move |stream, about| doorkeeper.accepted(stream, about))
    // Ours comes first: the server's own would leave the excess waiting without an answer.
    .max_connections(most.saturating_mul(2))
    .client_request_timeout(settings.client_time)
    .disable_signals();
    let mut kept = Vec::new();
    for listener in listeners {
        kept.push(
            listener
                .try_clone()
                .context("could not keep the listener")?,
        );
        server = server
            .listen(listener)
            .context("could not serve on the listener")?;
    }
    let server = server.run();
    Ok(Running {
        handle: server.handle(),
        task: tokio::spawn(server),
        listeners: kept,
        connections,
    })
}

impl Running {
    /// Lets nobody in any more, answers whoever is there, and ends the server.
    pub(super) async fn close(self, by: Instant) {
        self.listeners.iter().for_each(let_nobody_in);
        sleep(HANDSHAKE).await;
        let answered = async {
            while self.connections.is_answering() {
                sleep(LOOK).await;
            }
        };
        // Whoever is slower is closed in the middle of its answer.
        let _ = timeout_at(by.min(Instant::now() + LAST_ANSWERS), answered).await;
        let answered = self.connections.turn_away_everybody();
        self.handle.stop(false).await;
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the HTTP server ended with an error");
        }
        drop(self.listeners);
        let parted = join_all(answered.into_iter().map(part));
        let _ = timeout_at(by.min(Instant::now() + PARTING), parted).await;
    }
}

/// Takes what still comes until the other side has closed, too.
async fn part(socket: Socket) {
    let Ok(mut stream) = TcpStream::from_std(socket.into()) else {
        return;
    };
    let mut nothing = [0_u8; 4096];
    while stream.read(&mut nothing).await.is_ok_and(|read| read > 0) {}
}

/// Has the system ignore who asks to connect from now on: they ask again a second later, and find nobody. Were
/// the listener closed as it is, whoever stands in its queue would be connected and thrown out without a word.
#[cfg(target_os = "linux")]
fn let_nobody_in(listener: &TcpListener) {
    use socket2::{SockFilter, SockRef};
    // In a segment's header (RFC 9293): the byte of the flags, SYN, and ACK.
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    // Load the byte; keep these two bits; drop what has SYN alone; let all else pass.
    let filter = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x54, 0, 0, SYN | ACK),
        SockFilter::new(0x15, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    if let Err(error) = SockRef::from(listener).attach_filter(&filter) {
        tracing::debug!(%error, "whoever connects in the very last moment may be closed without an answer");
    }
}

#[cfg(not(target_os = "linux"))]
fn let_nobody_in(_: &TcpListener) {}

/// Binds the address, so that a taken port is told before anything starts.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("could not listen on {address}: is another Rollcall running? Choose another with --listen"))
}

impl super::App {
    /// Whether the console's cookie wants HTTPS.
    pub(super) fn secure_cookie(&self) -> Secure {
        let http = &self.config.http;
        match &http.public_url {
            Some(url) if url.starts_with("http://") => Secure::Never,
            Some(_) => Secure::Always,
            None if http.listen.ip().is_loopback() && http.trusted_proxies.is_empty() => {
                Secure::WhereForwarded
            }
            None => Secure::Always,
        }
    }
}
