//! Reading WorkOS's answers: pages, and errors in every shape the contract shows (9): `{message}`,
//! `{code}`, `{errors: [{code, message or field}]}`, `{error}`, and a bare JSON text.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use super::refusal::{Names, Refusal};
use crate::clock::Timestamp;

/// Why WorkOS did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClientError {
    /// No HTTP client could be made.
    #[error(
        "the HTTP client cannot be set up; is WORKOS_API_URL a URL, and is the ca-certificates package installed?"
    )]
    NoClient,
    /// The key is not accepted.
    #[error(
        "WorkOS does not accept the API key ({status}) for {what}; check WORKOS_API_KEY and its environment"
    )]
    Unauthorized {
        /// What was being done.
        what: &'static str,
        /// 401 or 403.
        status: u16,
    },
    /// There is no such thing there.
    #[error("WorkOS knows nothing of it: {what} (404)")]
    NotFound {
        /// What was being done.
        what: &'static str,
    },
    /// Too many calls.
    #[error("WorkOS asks for fewer calls (429) at {what}; try again later")]
    RateLimited {
        /// What was being done.
        what: &'static str,
        /// As it said.
        retry_after: Option<Duration>,
    },
    /// It does not take the request as it is.
    #[error("WorkOS refused {what} ({status}, {code})")]
    Refused {
        /// What was being done.
        what: &'static str,
        /// The HTTP status.
        status: u16,
        /// `invalid_grant`, `duplicate_endpoint`, …; `no code` where it said none.
        code: String,
        /// What of the request it is about, as far as it says.
        names: Names,
    },
    /// It is in trouble, or out of reach.
    #[error("WorkOS cannot be reached for {what} ({why}); try again later")]
    Unreachable {
        /// What was being done.
        what: &'static str,
        /// `a time limit`, `the connection`, or a status.
        why: String,
    },
    /// Its answer is not what the contract says.
    #[error("WorkOS's answer to {what} cannot be read")]
    Unreadable {
        /// What was being done.
        what: &'static str,
    },
    /// A setting is missing.
    #[error("{0}")]
    NotConfigured(&'static str),
}

impl ClientError {
    pub(super) fn unreachable(what: &'static str, error: &reqwest::Error) -> Self {
        // The error's own text holds the URL, and a code or an address may stand in it.
        let why = if error.is_timeout() {
            "a time limit"
        } else {
            "the connection"
        };
        Self::Unreachable {
            what,
            why: why.to_owned(),
        }
    }

    /// Whether the same call may do better in a while.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unreachable { .. })
    }

    /// Whether WorkOS said that the thing is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// Whether it is this refusal.
    pub fn is_refusal(&self, code: &str) -> bool {
        matches!(self, Self::Refused { code: said, .. } if said == code)
    }

    /// Whether a page that was asked for after a cursor was refused because of that cursor. Statuses and
    /// bodies of an expired one are not documented alike (contract 7), so everything counts that does not
    /// name something else: a reading that begins again from a time loses nothing.
    pub fn is_lost_cursor(&self) -> bool {
        match self {
            Self::NotFound { .. } | Self::Refused { status: 410, .. } => true,
            Self::Refused { status, names, .. } => {
                matches!(status, 400 | 422) && !matches!(names, Names::Other | Names::Events)
            }
            _ => false,
        }
    }

    /// Whether the time that reading was to begin at was refused: it has to be said, because beginning
    /// later may lose something.
    pub fn is_refused_range(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: 400 | 410 | 422,
                names: Names::Position,
                ..
            }
        )
    }

    /// Whether the path, or the thing it names, is not there: the two look alike.
    pub fn is_nothing_there(&self) -> bool {
        self.is_not_found() || self.is_no_such_path()
    }

    /// Whether this server does not have the path at all, or has it no longer.
    pub fn is_no_such_path(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                status: 405 | 410 | 501,
                ..
            }
        )
    }
}

/// A page of a list, in WorkOS's order.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Where the next page begins; `None` on the last one.
    pub after: Option<String>,
    /// WorkOS's own time when it was asked, where it said one.
    pub at: Option<Timestamp>,
}

/// A successful answer.
pub(super) struct Said {
    what: &'static str,
    body: Vec<u8>,
    at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    #[serde(default)]
    list_metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    after: Option<String>,
}

impl Said {
    /// The answer as one object.
    pub(super) fn one<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| ClientError::Unreadable { what: self.what })
    }

    /// The answer as a page.
    pub(super) fn page<T: DeserializeOwned>(&self) -> Result<Page<T>, ClientError> {
        let list: List<T> = self.one()?;
        Ok(Page {
            data: list.data,
            after: list.list_metadata.after.filter(|cursor| !cursor.is_empty()),
            at: self.at,
        })
    }
}

pub(super) fn said_of(
    what: &'static str,
    status: u16,
    headers: &HeaderMap,
    body: Vec<u8>,
    took: Duration,
) -> Result<Said, ClientError> {
    match status {
        200..=299 => Ok(Said {
            what,
            // It was put together after it was asked for, and dated when it was ready.
            at: date_of(headers).map(|said| said.minus(took)),
            body,
        }),
        401 | 403 => Err(ClientError::Unauthorized { what, status }),
        404 => Err(ClientError::NotFound { what }),
        429 => Err(ClientError::RateLimited {
            what,
            retry_after: retry_after(headers, &body),
        }),
        // A server without the path does not get it by being asked again.
        500 | 502..=599 => Err(ClientError::Unreachable {
            what,
            why: format!("it answered {status}"),
        }),
        _ => {
            let refusal = Refusal::read(&body);
            Err(ClientError::Refused {
                what,
                status,
                code: refusal.code(),
                names: refusal.names(),
            })
        }
    }
}

fn retry_after(headers: &HeaderMap, body: &[u8]) -> Option<Duration> {
    let header = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.trim().parse::<u64>().ok());
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    header
        .or_else(|| said.get("retry_after_seconds").and_then(Value::as_u64))
        .map(Duration::from_secs)
}

fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    Some(Timestamp::from_millis(date.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> ClientError {
        said_of(
            "a call",
            status,
            &HeaderMap::new(),
            body.as_bytes().to_vec(),
            Duration::ZERO,
        )
        .err()
        .unwrap()
    }

    #[test]
    fn every_shape_of_an_error_is_read_and_nothing_sent_is_repeated() {
        let cases = [
            (
                r#"{"message":"ada@x.example is not valid","code":"invalid_url"}"#,
                "invalid_url",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"the code x"}"#,
                "invalid_grant",
            ),
            (r#"{"message":"ada@x.example"}"#, "no code"),
            ("\"Ratelimited\"", "no code"),
            ("<html>", "no code"),
        ];
        for (body, code) in cases {
            assert!(refusal(422, body).is_refusal(code), "{body}");
        }
    }

    #[test]
    fn a_bare_text_is_a_rate_limit_too_and_the_wait_is_read_where_it_is_said() {
        let bare = refusal(429, "\"Ratelimited\"");
        assert_eq!(
            bare,
            ClientError::RateLimited {
                what: "a call",
                retry_after: None
            }
        );
        let said = refusal(429, r#"{"code":"x","message":"y","retry_after_seconds":7}"#);
        let seven = Some(Duration::from_secs(7));
        assert_eq!(
            said,
            ClientError::RateLimited {
                what: "a call",
                retry_after: seven
            }
        );
    }
}
