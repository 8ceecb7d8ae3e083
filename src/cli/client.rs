//! The HTTP client of commands that talk to a service. One place installs the TLS provider: the
//! one that reqwest would bring by itself is left out of the build.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, redirect};
use url::{Host, Url};

use super::{Exit, Failure};

/// Longer than any answer of ours takes, shorter than anybody waits.
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A client for requests to `target`. Follows no redirects: a webhook is answered where it is sent.
pub(super) fn http_client(target: &Url) -> Result<Client, Failure> {
    // A second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(CONNECT_PATIENCE)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")));
    if is_loopback(target) {
        // A proxy for the outside world cannot reach our own machine.
        builder = builder.no_proxy();
    }
    if target.scheme() == "http" {
        // No need for certificates, and none may be there: slim containers have no CA bundle.
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|why| {
        Failure::new(
            Exit::Unavailable,
            format!("the HTTP client cannot be set up: {why}"),
        )
        .hint("HTTPS needs CA certificates: install `ca-certificates`, or set SSL_CERT_FILE")
    })
}

fn is_loopback(target: &Url) -> bool {
    match target.host() {
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
