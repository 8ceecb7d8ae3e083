//! The end of each role, under one limit: what is in hand is finished side by side, what is not by the cut is left
//! as it may be left, and whatever hangs, the process has written down what it could and closed before the limit.

use std::sync::OnceLock;
use std::thread;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{App, server};
use crate::http::Drain;
use crate::stop::{Ended, Plan, wait_for};

/// What serves.
pub(super) struct Serving {
    pub(super) http: server::Running,
    pub(super) drain: Drain,
    pub(super) committer: thread::JoinHandle<()>,
}

impl App {
    /// Works off the outbox and sends deliveries until `stop` says so (`rollcall work`).
    pub async fn work(self, stop: watch::Receiver<bool>) -> anyhow::Result<Ended> {
        let suspects = self.begin("work")?;
        let mut tasks = JoinSet::new();
        self.spawn_work(&mut tasks, suspects, &stop);
        self.spawn_housekeeping(&mut tasks, "work", &stop);
        wait_for(stop).await;
        let plan = self.stop_now();
        let work = finish(tasks, plan.written()).await;
        Ok(work.and(self.sign_off(plan.signed_off()).await))
    }

    /// Works off everything that is due, sends everything that is due, and ends (`work --once`, C11); sooner
    /// where `stop` says so. Answers how many events that were.
    pub async fn work_once(self, stop: watch::Receiver<bool>) -> anyhow::Result<(usize, Ended)> {
        let worker = self.worker(self.begin("work")?);
        let sender = self.sender();
        let (first, then) = (stop.clone(), stop.clone());
        let work = async move {
            let drained = spawn_blocking(move || worker.drain_until(&|| *first.borrow()));
            let (events, mut all) = drained.await.context("the worker's task ended")??;
            while all {
                if *then.borrow() {
                    all = false;
                } else if sender.run_once().await? == 0 {
                    break;
                }
            }
            anyhow::Ok((events, Ended::finished(all)))
        };
        let planned = OnceLock::new();
        let stopped = async {
            wait_for(stop.clone()).await;
            let plan = planned.get_or_init(|| self.stop_now());
            sleep_until(plan.written()).await;
        };
        let (events, ended) = tokio::select! {
            biased;
            done = work => done?,
            () = stopped => (0, Ended::WorkLeft),
        };
        let plan = planned.into_inner();
        let plan = plan.unwrap_or_else(|| Plan::from_now(self.config.http.shutdown));
        Ok((events, ended.and(self.sign_off(plan.signed_off()).await)))
    }

    /// Requests, workers, sender and conversations end side by side; meanwhile whoever asks is turned away.
    pub(super) async fn shut_down(self, serving: Serving, tasks: JoinSet<()>) -> Ended {
        tracing::info!("stopping: finishing what is in hand");
        let plan = self.stop_now();
        let Serving {
            http,
            drain,
            committer,
        } = serving;
        drain.begin();
        let (answered, work) = tokio::join!(
            timeout_at(plan.written(), drain.emptied()),
            finish(tasks, plan.written())
        );
        let signed_off = self.sign_off(plan.signed_off()).await;
        http.close(plan.last()).await;
        // Its last handle on the intake went with the server: the committer has answered everybody, and ends.
        let joined = spawn_blocking(move || committer.join());
        let committed = timeout_at(plan.last(), joined).await;
        let ended = Ended::finished(answered.is_ok() && committed.is_ok())
            .and(work)
            .and(signed_off);
        match ended {
            Ended::Finished => tracing::info!("stopped"),
            Ended::WorkLeft => tracing::warn!(
                "stopped with work left: nothing that was acknowledged is lost, and the next start goes on with it"
            ),
        }
        ended
    }

    /// The time runs from now on.
    fn stop_now(&self) -> Plan {
        let plan = Plan::from_now(self.config.http.shutdown);
        let cut = self.cut.clone();
        tokio::spawn(async move {
            sleep_until(plan.cut()).await;
            cut.make();
        });
        plan
    }

    /// The last word to the database, and whether something was left at the cut.
    async fn sign_off(self, by: Instant) -> Ended {
        let left = self.cut.left();
        if left > 0 {
            tracing::warn!(
                left,
                "some requests or calls were not finished in time: who sent a request was told to send it again, and a \
                 message that may have gone is unknown"
            );
        }
        let signed_off = spawn_blocking(move || {
            self.count_up();
            self.end()
        });
        match timeout_at(by, signed_off).await {
            Ok(Ok(done)) => Ended::finished(done && left == 0),
            Ok(Err(_)) => Ended::WorkLeft,
            Err(_) => {
                tracing::warn!(
                    "the database did not answer in time, so that this process could not sign off"
                );
                Ended::WorkLeft
            }
        }
    }
}

async fn finish(mut tasks: JoinSet<()>, by: Instant) -> Ended {
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout_at(by, all).await.is_ok() {
        return Ended::Finished;
    }
    tracing::warn!(
        tasks = tasks.len(),
        "some work did not end in time; it is rolled back, or free again when its lease ends"
    );
    tasks.abort_all();
    Ended::WorkLeft
}
