//! The end of answering. Requests that were begun are answered; one that comes later, on whichever connection, is told
//! 503 with `Retry-After` and `Connection: close` for as long as anything else is being finished, because a refused
//! connection tells a sender nothing. At the cut whoever still waits is told the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use futures_util::StreamExt as _;
use tokio::sync::Notify;

use super::Problem;
use super::talk::Talk;
use crate::stop::Cut;

/// What is said.
pub(super) const STOPPING: &str = "the service is stopping; send it again shortly";
/// The word for it in a problem's type; with it the connection is closed.
pub(super) const KIND: &str = "stopping";
/// How long the rest of a body may take that nobody wants any more.
const READ_OFF: Duration = Duration::from_secs(1);

/// What is under way; cheap to clone.
#[derive(Clone, Default)]
pub struct Drain(Arc<Inner>);

#[derive(Default)]
struct Inner {
    draining: AtomicBool,
    under_way: AtomicUsize,
    last_left: Notify,
    cut: Cut,
}

impl Drain {
    /// With what ends waiting.
    pub fn new(cut: Cut) -> Self {
        Self(Arc::new(Inner {
            cut,
            ..Inner::default()
        }))
    }

    /// From now on requests are turned away.
    pub fn begin(&self) {
        self.0.draining.store(true, Ordering::SeqCst);
    }

    /// Whether they are.
    pub(super) fn has_begun(&self) -> bool {
        self.0.draining.load(Ordering::SeqCst)
    }

    /// Until everything that was begun is answered.
    pub async fn emptied(&self) {
        while self.0.under_way.load(Ordering::SeqCst) > 0 {
            self.0.last_left.notified().await;
        }
    }

    /// A request that had come whole is not answered by what it asked for.
    pub(super) fn leave_one(&self) {
        self.0.cut.leave();
    }

    /// Until nobody may wait any longer.
    pub(super) async fn cut(&self) {
        self.0.cut.reached().await;
    }
}

/// One request, from its head to the end of its answer.
pub(super) struct Passage {
    drain: Drain,
    talk: Option<Arc<Talk>>,
    /// It came too late.
    pub(super) late: bool,
    last: bool,
}

impl Passage {
    pub(super) fn begin(drain: Drain, talk: Option<Arc<Talk>>) -> Self {
        // Counted before it is asked whether that is over: nobody slips through between.
        drain.0.under_way.fetch_add(1, Ordering::SeqCst);
        let late = drain.has_begun();
        if late {
            drain.leave();
        }
        if let Some(talk) = &talk {
            talk.request();
        }
        Self {
            drain,
            talk,
            late,
            last: false,
        }
    }

    /// Its answer says that it is the connection's last.
    pub(super) fn is_last(&mut self) {
        self.last = true;
    }

    /// What it is a part of.
    pub(super) fn drain(&self) -> Drain {
        self.drain.clone()
    }
}

impl Drain {
    fn leave(&self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.has_begun() {
            self.0.last_left.notify_one();
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if !self.late {
            self.drain.leave();
        }
        if let Some(talk) = &self.talk {
            talk.answered(self.last);
        }
    }
}

impl Problem {
    /// The service stops.
    pub(super) fn stopping() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: KIND,
            ..Self::unavailable(STOPPING, 2)
        }
    }
}

/// Takes what comes of a body that nobody wants: a connection that is closed with something unread takes its
/// answer away again, and its sender may be one that looks for an answer only when it has sent all.
pub(super) async fn read_off(request: &mut ServiceRequest, most: usize) {
    let mut payload = request.take_payload();
    let read = async {
        let mut seen = 0;
        while seen <= most
            && let Some(Ok(piece)) = payload.next().await
        {
            seen += piece.len();
        }
    };
    // Who takes longer has had its time.
    let _ = tokio::time::timeout(READ_OFF, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_begun_is_waited_for_and_what_comes_later_is_not() {
        let drain = Drain::default();
        let begun = Passage::begin(drain.clone(), None);
        drain.begin();
        let late = Passage::begin(drain.clone(), None);
        assert!(!begun.late && late.late);
        let early = tokio::time::timeout(Duration::from_millis(20), drain.emptied());
        assert!(early.await.is_err());
        drop(begun);
        drain.emptied().await;
        drop(late);
        drain.emptied().await;
    }
}
