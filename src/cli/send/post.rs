//! Posting signed bodies: paced, side by side, and as patient with a busy or restarting service as
//! WorkOS is. Each attempt is signed anew, since a signature is only fresh for minutes.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use super::input::Body;
use crate::clock::Clock;
use crate::workos::Secrets;

/// How often one event is sent again to a service that says 503 or 429.
const MOST_RETRIES: u32 = 10;
/// The longest wait that a `Retry-After` is believed to mean.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often one event is sent again to a service that answered before and now does not.
const MOST_RECONNECTS: u32 = 5;

/// Where to, and signed with what.
#[derive(Debug)]
pub struct Target {
    /// The client to send with.
    pub client: reqwest::Client,
    /// The endpoint.
    pub url: Url,
    /// What to sign with: the first of them; never empty.
    pub secrets: Secrets,
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The service answered, in the end.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body of the answer.
        body: String,
        /// How often it was sent again before that.
        retries: u32,
    },
    /// It was sent and no answer came.
    Silent(String),
    /// The service cannot be reached; nothing more is sent.
    Unreachable(String),
}

/// Starts `concurrency` senders. Outcomes come in the order of their answers; the channel ends
/// when everything is sent or the service cannot be reached.
pub fn start(
    target: Target,
    bodies: Vec<Body>,
    concurrency: usize,
    rate: Option<f64>,
) -> UnboundedReceiver<Outcome> {
    let (to, outcomes) = unbounded_channel();
    let sending = Arc::new(Sending {
        target,
        bodies,
        rate,
        begun: Instant::now(),
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        answered: AtomicBool::new(false),
    });
    for _ in 0..concurrency {
        tokio::spawn(Arc::clone(&sending).work(to.clone()));
    }
    outcomes
}

struct Sending {
    target: Target,
    bodies: Vec<Body>,
    rate: Option<f64>,
    begun: Instant,
    next: AtomicUsize,
    stopped: AtomicBool,
    answered: AtomicBool,
}

impl Sending {
    async fn work(self: Arc<Self>, to: UnboundedSender<Outcome>) {
        while !self.stopped.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(body) = self.bodies.get(index) else {
                return;
            };
            if let Some(rate) = self.rate {
                sleep_until(self.begun + Duration::from_secs_f64(index as f64 / rate)).await;
            }
            let outcome = self.deliver(body).await;
            if matches!(outcome, Outcome::Unreachable(_)) {
                self.stopped.store(true, Ordering::Relaxed);
            }
            if to.send(outcome).is_err() {
                return;
            }
        }
    }

    async fn deliver(&self, body: &Body) -> Outcome {
        let mut retries = 0;
        loop {
            match self.post(body).await {
                Ok(Answer {
                    status: 429 | 503,
                    wait,
                    ..
                }) if retries < MOST_RETRIES => sleep(wait).await,
                Ok(answer) => {
                    self.answered.store(true, Ordering::Relaxed);
                    return Outcome::Answered {
                        status: answer.status,
                        body: answer.body,
                        retries,
                    };
                }
                Err(why) if self.worth_another(&why, retries) => {
                    sleep(Duration::from_millis(200) * 2_u32.pow(retries)).await;
                }
                Err(why) if why.is_connect() => return Outcome::Unreachable(cause(&why)),
                Err(why) => return Outcome::Silent(cause(&why)),
            }
            retries += 1;
        }
    }

    /// A service that answered before may be restarting; a lost answer may be asked for again,
    /// since the event's id makes the second delivery a duplicate.
    fn worth_another(&self, why: &reqwest::Error, retries: u32) -> bool {
        let going_on =
            self.answered.load(Ordering::Relaxed) && !self.stopped.load(Ordering::Relaxed);
        going_on && !why.is_timeout() && retries < MOST_RECONNECTS
    }

    async fn post(&self, body: &Body) -> Result<Answer, reqwest::Error> {
        // Unsigned, if there were nothing to sign with: the service says so better than we can.
        let signature = self
            .target
            .secrets
            .sign(Clock::System.now(), &body.bytes)
            .unwrap_or_default();
        let request = self
            .target
            .client
            .post(self.target.url.clone())
            .header("WorkOS-Signature", signature)
            .header("Content-Type", "application/json")
            .body(body.bytes.to_vec());
        let response = request.send().await?;
        let status = response.status().as_u16();
        let wait = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        Ok(Answer {
            status,
            wait: patience(wait.as_deref()),
            body: response.text().await?,
        })
    }
}

struct Answer {
    status: u16,
    wait: Duration,
    body: String,
}

/// `Retry-After` in seconds, within reason; a date or nothing means a second.
fn patience(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1);
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}

/// The innermost reason: the outer ones only say that a request failed.
fn cause(why: &reqwest::Error) -> String {
    if why.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn Error = why;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
#[path = "post_tests.rs"]
mod tests;
