//! The service as the demo sees it: webhooks go in over HTTP, and what came of them is read at the
//! desk, as the API, the console and the other commands read it.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::block_in_place;

use super::company::Event;
use crate::cli::{Exit, Failure};
use crate::clock::{Clock, Timestamp};
use crate::db::{Conn, Db, Urgency};
use crate::operations::deliveries::{self, DeliveryQuery, DeliveryView};
use crate::operations::events::{EventDetail, EventQuery};
use crate::operations::{Actor, OperationError, events};
use crate::workos::Secrets;

/// How long the demo waits for something that takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);
/// Deliveries on the way at once during the import.
const AT_ONCE: usize = 16;

pub(super) struct Stage {
    pub(super) db: Db,
    pub(super) actor: Actor,
    pub(super) client: reqwest::Client,
    pub(super) origin: String,
    pub(super) secrets: Secrets,
}

/// What WorkOS would have seen.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) said: String,
    pub(super) took: Duration,
}

impl Answer {
    pub(super) fn is(&self, status: u16, said: &str) -> bool {
        self.status == status && self.said == said
    }

    pub(super) fn told(&self) -> String {
        format!("{} {}, after {}", self.status, self.said, span(self.took))
    }
}

impl Stage {
    pub(super) fn now(&self) -> Timestamp {
        Clock::System.now()
    }

    /// Posts one body, signed.
    pub(super) async fn post(&self, body: &str) -> Result<Answer, Failure> {
        let signature = self.secrets.sign(self.now(), body.as_bytes());
        self.post_signed(body, &signature.unwrap_or_default()).await
    }

    /// Posts one body under that signature.
    pub(super) async fn post_signed(&self, body: &str, signature: &str) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let request = self
            .client
            .post(format!("{}/webhooks/workos", self.origin))
            .header("WorkOS-Signature", signature)
            .header("Content-Type", "application/json")
            .body(body.to_owned());
        let response = request.send().await.map_err(silent)?;
        let status = response.status().as_u16();
        let answer: serde_json::Value = response.json().await.map_err(silent)?;
        let said = answer["status"].as_str().or(answer["title"].as_str());
        Ok(Answer {
            status,
            said: said.unwrap_or_default().to_owned(),
            took: begun.elapsed(),
        })
    }

    /// Posts many, some at once; answers how many were accepted.
    pub(super) async fn post_all(&self, events: &[Event]) -> Result<usize, Failure> {
        let answers: Vec<Answer> = stream::iter(events)
            .map(|event| self.post(&event.body))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let accepted = |answer: &&Answer| answer.is(200, "accepted");
        Ok(answers.iter().filter(accepted).count())
    }

    /// Whether the service has something at that path.
    pub(super) async fn has(&self, path: &str) -> bool {
        let got = self.client.get(format!("{}{path}", self.origin)).send();
        got.await
            .is_ok_and(|answer| answer.status().as_u16() != 404)
    }

    /// The event once it is settled.
    pub(super) async fn settled(&self, id: &str) -> Result<EventDetail, Failure> {
        let begun = Instant::now();
        loop {
            let event = self.read(|conn| events::show(conn, &self.actor, id))?;
            if event.event.state != "ready" {
                return Ok(event);
            }
            self.wait(begun, "an event was not worked off").await?;
        }
    }

    /// Waits until nothing is waiting to be worked off.
    pub(super) async fn all_settled(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        let ready = EventQuery {
            state: Some("ready".to_owned()),
            limit: Some(1),
            ..EventQuery::default()
        };
        while !self
            .read(|conn| events::list(conn, &self.actor, &ready))?
            .data
            .is_empty()
        {
            self.wait(begun, "the events were not worked off").await?;
        }
        Ok(())
    }

    /// The messages about somebody, once none of them is on its way.
    pub(super) async fn messages(&self, profile: &str) -> Result<Vec<DeliveryView>, Failure> {
        let begun = Instant::now();
        let about = DeliveryQuery {
            profile_id: Some(profile.to_owned()),
            ..DeliveryQuery::default()
        };
        loop {
            let mut rows = self
                .read(|conn| deliveries::list(conn, &self.actor, &about))?
                .data;
            if rows.iter().all(|row| row.settled_at.is_some()) {
                rows.sort_by_key(|row| row.step);
                return Ok(rows);
            }
            self.wait(begun, "messages were not sent").await?;
        }
    }

    async fn wait(&self, begun: Instant, what: &str) -> Result<(), Failure> {
        if begun.elapsed() > PATIENCE {
            let limit = PATIENCE.as_secs();
            return Err(
                Failure::new(Exit::SomeFailed, format!("{what} within {limit} seconds"))
                    .hint("run the demo again with --log info to see what the service says"),
            );
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// Looks.
    pub(super) fn read<T>(
        &self,
        look: impl FnOnce(&mut Conn) -> Result<T, OperationError>,
    ) -> Result<T, Failure> {
        block_in_place(|| self.db.read(look)).map_err(refused)
    }

    /// Acts, in one transaction.
    pub(super) fn write<T>(
        &self,
        act: impl FnMut(&mut Conn) -> Result<T, OperationError>,
    ) -> Result<T, Failure> {
        block_in_place(|| self.db.write(Urgency::Normal, act)).map_err(refused)
    }
}

/// A span as people say it.
pub(super) fn span(took: Duration) -> String {
    let millis = took.as_secs_f64() * 1_000.0;
    match millis {
        short if short < 10.0 => format!("{short:.1} ms"),
        medium if medium < 1_000.0 => format!("{medium:.0} ms"),
        long => format!("{:.1} s", long / 1_000.0),
    }
}

fn silent(why: reqwest::Error) -> Failure {
    Failure::new(
        Exit::SomeFailed,
        format!("the service did not answer as it should: {why}"),
    )
}

fn refused(why: OperationError) -> Failure {
    Failure::new(Exit::SomeFailed, why.to_string())
}
