//! The address that is listened on, who may send to it, and how long a stop may take.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::reader::{Reader, network, seconds, whole};
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
    /// How long a stop may take before what is left is dropped.
    pub shutdown: Duration,
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
    "How long a stop may take to finish what is in hand.",
)
.default("20");

pub(super) const SETTINGS: &[Setting] = &[
    LISTEN,
    ALLOWED_SOURCES,
    TRUSTED_PROXIES,
    BODY_LIMIT,
    SHUTDOWN,
];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Http> {
    let listen = from.value(&LISTEN, address);
    let allowed_sources = from.list(&ALLOWED_SOURCES, network);
    let trusted_proxies = from.list(&TRUSTED_PROXIES, network);
    let body_limit = from.value(&BODY_LIMIT, |text| whole(text, 1_024, 64 << 20));
    let shutdown = from.value(&SHUTDOWN, seconds);
    Some(Http {
        listen: listen?,
        allowed_sources,
        trusted_proxies,
        body_limit: usize::try_from(body_limit?).ok()?,
        shutdown: shutdown?,
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "`{text}` is not an IP address and port: write `127.0.0.1:8080`, `0.0.0.0:8080` or `[::1]:8080`"
        )
    })
}
