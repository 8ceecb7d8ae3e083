//! The one HTTP client messages leave by. It resolves names itself and connects only to addresses
//! `target` permits, follows no redirect, uses no proxy, keeps no connection and repeats nothing by
//! itself: one call is one attempt, and what is known of a failure is known for certain (R63).

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, RequestBuilder, Response, redirect, retry};

use super::target::{TargetError, may_reach};
use crate::clock::Timestamp;
use crate::triggers::Outcome;

/// The most of an answer that is read.
const MAX_ANSWER: usize = 64 * 1024;
/// The longest wait a destination may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// How long an attempt may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Name, connection and TLS: nothing has been handed over yet.
    pub(super) connect: Duration,
    /// All of it. Longer than `connect`, so that running out always means: it was handed over.
    pub(super) whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(10),
        }
    }
}

/// The client could not be made; most often the machine has no CA certificates.
#[derive(Debug, thiserror::Error)]
#[error(
    "the HTTP client cannot be set up ({0}); is the ca-certificates package installed, or SSL_CERT_FILE set?"
)]
pub struct ClientError(String);

/// The client for outgoing messages, guarded as said above.
pub fn http_client(allow_private: bool) -> Result<Client, ClientError> {
    patient_client(allow_private, Patience::default(), Names::default())
}

pub(super) fn patient_client(
    allow_private: bool,
    patience: Patience,
    names: Names,
) -> Result<Client, ClientError> {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .dns_resolver(GuardedResolver {
            allow_private,
            names,
        })
        .redirect(redirect::Policy::none())
        .no_proxy()
        .retry(retry::never())
        .http1_only()
        .pool_max_idle_per_host(0)
        .connect_timeout(patience.connect)
        .timeout(patience.whole)
        .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| ClientError(causes(&error)))
}

fn causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// Whom to ask for the addresses of a name: the system, unless somebody else is named.
#[derive(Clone, Default)]
pub struct Names(Option<Arc<Answers>>);

type Answers = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;

impl Names {
    /// Asks `answers` instead of the system.
    pub fn by(answers: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(answers)))
    }

    async fn of(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        match &self.0 {
            Some(answers) => Ok(answers(name)?
                .into_iter()
                .map(|ip| SocketAddr::new(ip, 0))
                .collect()),
            None => Ok(tokio::net::lookup_host((name, 0)).await?.collect()),
        }
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() {
            "theirs"
        } else {
            "the system's"
        })
    }
}

/// Keeps only those addresses that may be reached; they are the ones connected to, and a name is
/// asked for once, so that a second answer (DNS rebinding) never comes into it.
struct GuardedResolver {
    allow_private: bool,
    names: Names,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_private, names) = (self.allow_private, self.names.clone());
        Box::pin(async move {
            let found = names.of(name.as_str()).await?;
            if found.is_empty() {
                return Err(
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address").into(),
                );
            }
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|at| may_reach(at.ip(), allow_private))
                .collect();
            if permitted.is_empty() {
                return Err(TargetError::Private.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Sends; where no answer came, says what that means.
pub(super) async fn send(request: RequestBuilder) -> Result<Response, Outcome> {
    request.send().await.map_err(|error| failed(&error))
}

/// Before a connection stands, nothing was taken; after that, an attempt without an answer may have
/// been. The error's own text holds the URL, which may be a secret, and is not repeated.
fn failed(error: &reqwest::Error) -> Outcome {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(target) = inner.downcast_ref::<TargetError>() {
            return Outcome::refused_destination(target.to_string());
        }
        cause = inner.source();
    }
    if error.is_builder() {
        return Outcome::refused_destination("the request could not be made from this URL");
    }
    if error.is_connect() {
        return Outcome::later(why_no_connection(error));
    }
    Outcome::unknown(if error.is_timeout() {
        "handed over, and no answer in time"
    } else {
        "the connection was lost before an answer came"
    })
}

/// Why there is no connection, told by kinds of errors: their texts hold addresses.
fn why_no_connection(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        return "no connection in time";
    }
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(inner) = cause {
        let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => return "connection refused",
            Some(io::ErrorKind::ConnectionReset) => return "connection reset",
            Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => {
                return "its network cannot be reached";
            }
            _ => cause = inner.source(),
        }
    }
    "no connection (name, network or TLS)"
}

/// The first [`MAX_ANSWER`] bytes of the answer; `None` when it broke off before that.
pub(super) async fn answer(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        let room = MAX_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ANSWER {
            break;
        }
    }
    Some(body)
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds or a date, at most a day.
pub(super) fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let value = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)?
        .to_str()
        .ok()?;
    wait(value, now)
}

fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    Some(
        Timestamp::from_millis(date.timestamp_millis())
            .since(now)
            .min(MAX_RETRY_AFTER),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date_and_capped() {
        let now = Timestamp::parse("2026-11-23T10:00:00Z").unwrap_or_default();
        assert_eq!(wait("30", now), Some(Duration::from_secs(30)));
        assert_eq!(wait(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(
            wait("Mon, 23 Nov 2026 10:01:00 GMT", now),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            wait("Sun, 22 Nov 2026 10:01:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(wait("99999999999", now), Some(MAX_RETRY_AFTER));
        assert_eq!(wait("soon", now), None);
        assert_eq!(wait("-1", now), None);
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_this_machine_is_not_called() {
        let Ok(listener) = tokio::net::TcpListener::bind("127.0.0.1:0").await else {
            panic!("no loopback")
        };
        let port = listener.local_addr().map_or(0, |at| at.port());
        let client = http_client(false).unwrap_or_else(|error| panic!("{error}"));
        // `check_url` knows this name; here the resolver is asked alone.
        let outcome = send(client.get(format!("http://localhost:{port}/")))
            .await
            .err();
        assert!(
            matches!(outcome, Some(Outcome::RefusedDestination { .. })),
            "{outcome:?}"
        );
        let untouched = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(untouched.is_err(), "somebody connected");
    }
}
