//! The `WorkOS-Signature` header: `t=<epoch milliseconds>, v1=<hex HMAC-SHA256>` over `t`'s text,
//! one dot, and the raw body. Verification is over bytes as they came, in constant time, the MAC
//! before freshness, with any of several secrets (R1, R71; WorkOS documents "t" as the time the
//! event was issued and the endpoint's secret as the key, verbatim).

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

use crate::clock::Timestamp;

const MAX_LABEL: usize = 32;
/// `t` in milliseconds has 13 digits until the year 2286; 19 is what 64 bits hold.
const MAX_TIME_DIGITS: usize = 19;

/// One webhook secret under the label that metrics and logs show in its place.
#[derive(Debug, Clone)]
pub struct Secret {
    /// What an operator calls this secret; never part of the key.
    pub label: String,
    key: SecretString,
}

/// The secrets a signature may be made with, in the order they were given.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Secret>);

/// Why a list of secrets cannot be used. Names positions and labels, never keys.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecretsError {
    /// Nothing between two commas, or nothing after a label's colon.
    #[error(
        "webhook secret number {0} is empty: write `secret` or `label:secret`, separated by commas"
    )]
    Empty(usize),
    /// The text before the colon is no label.
    #[error(
        "the label of webhook secret number {0} is not usable: use 1 to {MAX_LABEL} letters, digits, `-` or `_` before the colon"
    )]
    Label(usize),
    /// Two secrets share a label, so a counter by label could not tell them apart.
    #[error(
        "two webhook secrets have the label `{0}`: give each its own (without one, a secret is labelled by its position)"
    )]
    Duplicate(String),
}

impl Secrets {
    /// Reads `label:secret,secret2,…`: a secret without a label is labelled by its position, from
    /// `1`. Keys are used verbatim, `whsec_` included; spaces around an entry are dropped.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let mut secrets: Vec<Secret> = Vec::new();
        for (index, entry) in text.split(',').enumerate() {
            let position = index + 1;
            let (label, key) = match entry.trim().split_once(':') {
                Some((label, key)) if is_label(label) => (label.to_owned(), key),
                Some(_) => return Err(SecretsError::Label(position)),
                None => (position.to_string(), entry.trim()),
            };
            if key.is_empty() {
                return Err(SecretsError::Empty(position));
            }
            if secrets.iter().any(|known| known.label == label) {
                return Err(SecretsError::Duplicate(label));
            }
            let key = SecretString::from(key);
            secrets.push(Secret { label, key });
        }
        Ok(Self(secrets))
    }

    /// Whether there is nothing to verify with.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels, in the order given.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|secret| secret.label.as_str())
    }

    /// The labels, and of each secret that cannot be one of WorkOS's, why: theirs are some 25 letters and
    /// digits, perhaps after `whsec_`.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, Option<&'static str>)> {
        let shape = |secret: &Secret| odd(secret.key.expose_secret());
        self.0
            .iter()
            .map(move |secret| (secret.label.as_str(), shape(secret)))
    }

    /// [`sign`] with the first secret, for senders that are configured as the receiver is;
    /// `None` without any.
    pub fn sign(&self, at: Timestamp, body: &[u8]) -> Option<String> {
        let first = self.0.first()?;
        Some(sign(first.key.expose_secret(), at, body))
    }
}

fn odd(key: &str) -> Option<&'static str> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| key.starts_with(prefix));
    if starts(&["sk_"]) {
        Some("is an API key (sk_…), not an endpoint's signing secret")
    } else if starts(&["client_", "we_", "org_", "directory_"]) {
        Some("is an id, not a signing secret")
    } else if starts(&["http://", "https://", "//"]) {
        Some("is a URL, not a signing secret")
    } else if key.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')) {
        Some("has quotes, brackets or spaces in it")
    } else if key.bytes().all(|byte| byte.is_ascii_digit()) {
        Some("is a number, such as a time in seconds, not a signing secret")
    } else if key.len() < 16 {
        Some("is too short: fewer than 16 letters")
    } else if !key.is_ascii() {
        Some("has letters that WorkOS never uses")
    } else {
        None
    }
}

/// The `t` of a signature header as it stands there, for telling why one was refused by its time.
pub fn time_of(header: &[u8]) -> Option<i64> {
    Header::read(header).ok()?.time.parse().ok()
}

fn is_label(text: &str) -> bool {
    (1..=MAX_LABEL).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A signature that held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The label of the secret that matched, for the counter that tells when an old one may go.
    pub label: String,
    /// The header's `t`.
    pub issued_at: Timestamp,
}

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Rejection {
    /// No header.
    #[error(
        "The WorkOS-Signature header is missing. WorkOS signs every delivery; a proxy in between may be dropping the header."
    )]
    Missing,
    /// More than one header: which of them holds must not depend on who reads them.
    #[error("There is more than one WorkOS-Signature header. Exactly one is accepted.")]
    Repeated,
    /// The header is there and cannot be read.
    #[error(
        "The WorkOS-Signature header cannot be read. It is written `t=<milliseconds>, v1=<hex>`."
    )]
    Malformed,
    /// No `v1` is the MAC of these bytes under any secret.
    #[error(
        "The signature does not match. Check that the secret is this endpoint's own and that nothing on the way rewrites the body."
    )]
    Mismatch,
    /// The MAC is right, its time is not near enough: clock skew, a late retry, or a replay.
    #[error(
        "The signature is genuine but its time is outside the accepted window. Check the clocks, or widen ROLLCALL_SIGNATURE_TOLERANCE."
    )]
    Stale,
}

impl Rejection {
    /// The reason as a metric label.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::Stale => "stale",
        }
    }
}

/// Checks `body` against the values of every `WorkOS-Signature` header that came with it.
///
/// Any `v1` under any secret may match; the first secret that does gives the label. `t` may lie
/// up to and including `tolerance` before or after `now`.
pub fn verify(
    header_values: &[&[u8]],
    body: &[u8],
    secrets: &Secrets,
    tolerance: Duration,
    now: Timestamp,
) -> Result<Verified, Rejection> {
    let header = the_one(header_values)?;
    let matching = secrets.0.iter().find(|secret| {
        let mac = mac(secret.key.expose_secret(), header.time, body);
        header
            .candidates
            .iter()
            .any(|candidate| mac.clone().verify_slice(candidate).is_ok())
    });
    let label = matching.ok_or(Rejection::Mismatch)?.label.clone();

    let millis: i128 = header.time.parse().map_err(|_| Rejection::Malformed)?;
    let distance = (i128::from(now.micros()) - millis * 1_000).unsigned_abs();
    if distance > tolerance.as_micros() {
        return Err(Rejection::Stale);
    }
    let issued_at = Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    Ok(Verified { label, issued_at })
}

/// Whether the header has the form of a signature: what can be told before there is a body.
pub fn well_formed(header_values: &[&[u8]]) -> Result<(), Rejection> {
    the_one(header_values).map(drop)
}

fn the_one<'a>(header_values: &[&'a [u8]]) -> Result<Header<'a>, Rejection> {
    match header_values {
        [] => Err(Rejection::Missing),
        [only] => Header::read(only),
        _ => Err(Rejection::Repeated),
    }
}

/// The header value for `body` signed at `at`, as WorkOS writes it: `t=<ms>, v1=<hex>`.
pub fn sign(secret: &str, at: Timestamp, body: &[u8]) -> String {
    let time = at.millis().to_string();
    let hex = hex::encode(mac(secret, &time, body).finalize().into_bytes());
    format!("t={time}, v1={hex}")
}

fn mac(key: &str, time: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key.as_bytes()) {
        Ok(mac) => mac,
        Err(_) => unreachable!("HMAC takes keys of any length (RFC 2104)"),
    };
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

struct Header<'a> {
    /// `t` exactly as it came: it is part of what is signed.
    time: &'a str,
    candidates: Vec<Vec<u8>>,
}

impl<'a> Header<'a> {
    /// Keys in any order; unknown ones are ignored, so that a `v2` beside `v1` breaks nothing.
    fn read(value: &'a [u8]) -> Result<Self, Rejection> {
        let value = std::str::from_utf8(value).map_err(|_| Rejection::Malformed)?;
        let mut time = None;
        let mut readable = false;
        let mut candidates = Vec::new();
        for part in value.split(',').map(str::trim) {
            if part.is_empty() {
                continue;
            }
            let (key, value) = part.split_once('=').ok_or(Rejection::Malformed)?;
            let value = value.trim();
            match key.trim() {
                "t" if time.replace(value).is_some() => return Err(Rejection::Malformed),
                "v1" if is_hex(value) => {
                    readable = true;
                    candidates.extend(hex::decode(value));
                }
                _ => {}
            }
        }
        match time {
            Some(time) if readable && is_time(time) => Ok(Self { time, candidates }),
            _ => Err(Rejection::Malformed),
        }
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_time(text: &str) -> bool {
    (1..=MAX_TIME_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
