//! The address that is listened on, who may send to it, and how long a stop may take.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Reader, http_url, network, whole};
use super::setting::Setting;

/// The HTTP side of the service.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port to listen on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Networks that webhooks may come from; empty means any.
    pub allowed_sources: Vec<IpNet>,
    /// Reverse proxies whose `X-Forwarded-For` is believed; empty means none.
    pub trusted_proxies: Vec<IpNet>,
    /// Largest request body in bytes; beyond it the answer is 413 (R8).
    pub body_limit: usize,
    /// How long a stop may take, all in all.
    pub shutdown: Duration,
    /// Where people reach the console; decides whether its cookie wants HTTPS.
    pub public_url: Option<String>,
    /// A listener of its own for `/metrics` and `/health/ready`.
    pub metrics_listen: Option<SocketAddr>,
    /// How long a client may take for the head of a request, for its body, and to take the answer.
    pub client_time: Duration,
    /// Connections at once, in all and from one peer.
    pub connections: usize,
    /// From one peer.
    pub connections_per_peer: usize,
    /// Requests a second under `/v1` for each token; 0: no limit.
    pub api_rate: u32,
    /// How old an answer of `/metrics` and `/health/ready` may be. No setting: tests want it fresh.
    pub snapshot: Duration,
}

const LISTEN: Setting = Setting::new("ROLLCALL_LISTEN", "listen", "http.listen")
    .help(
        "ADDRESS",
        "IP address and port to listen on: `127.0.0.1:8080`, `0.0.0.0:8080`, `[::1]:8080`.",
    )
    .default("127.0.0.1:8080");

const ALLOWED_SOURCES: Setting = Setting::new(
    "ROLLCALL_ALLOWED_SOURCES",
    "allowed-sources",
    "http.allowed_sources",
)
.help(
    "NETWORKS",
    "Addresses or networks, comma-separated, that webhooks may come from; others get 403. WorkOS publishes \
         its addresses and changes them, so any source is allowed unless set.",
);

const TRUSTED_PROXIES: Setting = Setting::new(
    "ROLLCALL_TRUSTED_PROXIES",
    "trusted-proxies",
    "http.trusted_proxies",
)
.help(
    "NETWORKS",
    "Reverse proxies, comma-separated, whose `X-Forwarded-For` names the real source. Needed with \
         ROLLCALL_ALLOWED_SOURCES behind a proxy.",
);

const BODY_LIMIT: Setting = Setting::new("ROLLCALL_BODY_LIMIT", "body-limit", "http.body_limit")
    .help(
        "BYTES",
        "Largest request body in bytes; a larger one gets 413 and is not kept.",
    )
    .default("1048576");

const SHUTDOWN: Setting = Setting::new(
    "ROLLCALL_SHUTDOWN_SECONDS",
    "shutdown-seconds",
    "http.shutdown_seconds",
)
.help(
    "SECONDS",
    "How long a stop may take, all in all, whatever hangs: what is in hand is finished, and what is not finished by \
         then is left for the next start (exit code 75). 1 to 3600; a supervisor must wait longer before it kills.",
)
.default("20");

const PUBLIC_URL: Setting = Setting::new("ROLLCALL_PUBLIC_URL", "public-url", "http.public_url")
    .help(
        "URL",
        "Where people reach the console: `https://rollcall.example.com`. With `https` the console's cookie is sent \
         over HTTPS only, with `http` over either. Unset: HTTPS only, unless Rollcall listens on loopback \
         and no proxy is in front.",
    );

const METRICS_LISTEN: Setting = Setting::new(
    "ROLLCALL_METRICS_LISTEN",
    "metrics-listen",
    "http.metrics_listen",
)
.help(
    "ADDRESS",
    "IP address and port of a second listener: `/metrics` and `/health/ready` are then answered there and not \
         on ROLLCALL_LISTEN.",
);

const CLIENT_SECONDS: Setting = Setting::new(
    "ROLLCALL_CLIENT_SECONDS",
    "client-seconds",
    "http.client_seconds",
)
.help(
    "SECONDS",
    "How long a client may take to send the head of a request, to send its body, and to take the answer. 1 to 600.",
)
.default("30");

const CONNECTIONS: Setting = Setting::new(
    "ROLLCALL_MAX_CONNECTIONS",
    "max-connections",
    "http.max_connections",
)
.help(
    "NUMBER",
    "Connections at once; one more is answered 503. Each is an open file of the process.",
)
.default("4096");

const PER_PEER: Setting = Setting::new(
    "ROLLCALL_MAX_CONNECTIONS_PER_PEER",
    "max-connections-per-peer",
    "http.max_connections_per_peer",
)
.help(
    "NUMBER",
    "Connections at once from one address (IPv6: one /64); one more is answered 503. Does not bound \
         ROLLCALL_TRUSTED_PROXIES.",
)
.default("1024");

const API_RATE: Setting = Setting::new("ROLLCALL_API_RATE", "api-rate", "http.api_rate")
    .help(
        "NUMBER",
        "Requests a second under `/v1` for each token, four seconds' worth at once; more are answered 429. \
         `/v1/access` may be asked twenty times as often. 0: no limit.",
    )
    .default("500");

/// A second: scrapers and load balancers ask less often.
const SNAPSHOT: Duration = Duration::from_secs(1);

pub(super) const SETTINGS: &[Setting] = &[
    LISTEN,
    ALLOWED_SOURCES,
    TRUSTED_PROXIES,
    BODY_LIMIT,
    SHUTDOWN,
    PUBLIC_URL,
    METRICS_LISTEN,
    CLIENT_SECONDS,
    CONNECTIONS,
    PER_PEER,
    API_RATE,
];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Http> {
    let listen = from.value(&LISTEN, address);
    let allowed_sources = from.list(&ALLOWED_SOURCES, network);
    let trusted_proxies = from.list(&TRUSTED_PROXIES, network);
    let body_limit = from.value(&BODY_LIMIT, |text| whole(text, 1_024, 64 << 20));
    let shutdown = from.value(&SHUTDOWN, |text| whole(text, 1, 3_600));
    let public_url = from.value(&PUBLIC_URL, http_url);
    let metrics_listen = from.value(&METRICS_LISTEN, address);
    let client_time = from.value(&CLIENT_SECONDS, |text| whole(text, 1, 600));
    let connections = from.value(&CONNECTIONS, |text| whole(text, 8, 1 << 20));
    let per_peer = from.value(&PER_PEER, |text| whole(text, 1, 1 << 20));
    let api_rate = from.value(&API_RATE, |text| whole(text, 0, 1_000_000));
    Some(Http {
        listen: listen?,
        allowed_sources,
        trusted_proxies,
        body_limit: usize::try_from(body_limit?).ok()?,
        shutdown: Duration::from_secs(shutdown?),
        public_url,
        metrics_listen,
        client_time: Duration::from_secs(client_time?),
        connections: usize::try_from(connections?).ok()?,
        connections_per_peer: usize::try_from(per_peer?).ok()?,
        api_rate: u32::try_from(api_rate?).ok()?,
        snapshot: SNAPSHOT,
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "`{text}` is not an IP address and port: write `127.0.0.1:8080`, `0.0.0.0:8080` or `[::1]:8080`"
        )
    })
}
