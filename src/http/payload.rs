//! The body of every request, on its way in: it has a time by which it must be whole, and what has come of
//! all unfinished bodies together is bounded, so that neither a byte a second nor a thousand halves take
//! the server's connections or memory. Around the handlers, so that none of them can forget it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::time::Sleep;

use super::Problem;

/// Bytes of unfinished bodies at once, over all connections.
const UNFINISHED: usize = 64 * 1024 * 1024;

/// What all unfinished bodies hold now.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(AtomicUsize);

impl Unfinished {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if taken > UNFINISHED {
            self.0.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken <= UNFINISHED
    }
}

/// What is kept of a request's body until it is answered.
pub(super) struct Body {
    payload: Rc<RefCell<Payload>>,
    whole: Rc<Cell<bool>>,
}

impl Body {
    /// Whether it has come to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.get()
    }

    /// Has it last as long as its answer. The server closes the connection behind a body that somebody still
    /// holds; one that was dropped it would read to its end, in chunks however slow.
    pub(super) fn last_until_answered(self, answer: BoxBody) -> BoxBody {
        answer_with(answer, self.payload)
    }
}

/// An answer that keeps something until it has gone.
pub(super) fn answer_with<T: Unpin + 'static>(answer: BoxBody, kept: T) -> BoxBody {
    BoxBody::new(Answer {
        body: Box::pin(answer),
        _kept: kept,
    })
}

struct Answer<T> {
    body: Pin<Box<BoxBody>>,
    _kept: T,
}

impl<T: Unpin> MessageBody for Answer<T> {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.get_mut().body.as_mut().poll_next(context)
    }
}

/// A body under way.
struct Watched {
    body: Rc<RefCell<Payload>>,
    ends: Pin<Box<Sleep>>,
    taken: usize,
    unfinished: Arc<Unfinished>,
    whole: Rc<Cell<bool>>,
}

/// Puts the watch around a body.
pub(super) fn watched(
    payload: Payload,
    unfinished: Arc<Unfinished>,
    time: Duration,
) -> (Payload, Body) {
    let whole = Rc::new(Cell::new(matches!(payload, Payload::None)));
    let body = Body {
        payload: Rc::new(RefCell::new(payload)),
        whole: Rc::clone(&whole),
    };
    if whole.get() {
        return (Payload::None, body);
    }
    let watched = Watched {
        body: Rc::clone(&body.payload),
        ends: Box::pin(tokio::time::sleep(time)),
        taken: 0,
        unfinished,
        whole,
    };
    let watched: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(watched);
    (Payload::Stream { payload: watched }, body)
}

impl Stream for Watched {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let own = self.get_mut();
        let polled = Pin::new(&mut *own.body.borrow_mut()).poll_next(context);
        match polled {
            Poll::Ready(Some(Ok(piece))) => {
                if !own.unfinished.take(piece.len()) {
                    return Poll::Ready(Some(Err(failed(io::ErrorKind::ResourceBusy))));
                }
                own.taken += piece.len();
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(None) => {
                own.whole.set(true);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
            Poll::Pending => match own.ends.as_mut().poll(context) {
                Poll::Ready(()) => Poll::Ready(Some(Err(failed(io::ErrorKind::TimedOut)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.unfinished.0.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

fn failed(kind: io::ErrorKind) -> PayloadError {
    PayloadError::Io(kind.into())
}

/// What is answered where a body did not come whole, and a word for the counter.
pub(super) fn not_whole(error: &PayloadError) -> (&'static str, Problem) {
    let kind = match error {
        PayloadError::Io(error) => error.kind(),
        _ => io::ErrorKind::UnexpectedEof,
    };
    match kind {
        io::ErrorKind::TimedOut => (
            "slow_body",
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "slow-body",
                "the body did not arrive in time (ROLLCALL_CLIENT_SECONDS); send it again",
            ),
        ),
        io::ErrorKind::ResourceBusy => (
            "full",
            Problem::unavailable("too many bodies are on their way at once; send it again", 2),
        ),
        _ => (
            "cut_off",
            Problem::new(
                StatusCode::BAD_REQUEST,
                "cut-off",
                "the body ended before it was whole; send it again",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    fn body(pieces: Vec<Vec<u8>>, then_waits: bool) -> Payload {
        let pieces = stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))));
        let payload: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = if then_waits {
            Box::pin(pieces.chain(stream::pending()))
        } else {
            Box::pin(pieces)
        };
        Payload::Stream { payload }
    }

    async fn outcome(mut body: Payload) -> Option<&'static str> {
        while let Some(piece) = body.next().await {
            if let Err(error) = piece {
                return Some(not_whole(&error).0);
            }
        }
        None
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up_and_its_bytes_given_back() {
        let unfinished = Arc::new(Unfinished::default());
        let slow = body(vec![vec![0; 1_000]], true);
        let time = Duration::from_millis(20);
        let (slow, whole) = watched(slow, Arc::clone(&unfinished), time);
        assert_eq!(outcome(slow).await, Some("slow_body"));
        assert!(!whole.is_whole());
        assert_eq!(unfinished.0.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn bodies_under_way_take_no_more_than_the_bound() {
        let unfinished = Arc::new(Unfinished::default());
        let time = Duration::from_secs(60);
        let (mut most, _) = watched(
            body(vec![vec![0; UNFINISHED]], true),
            Arc::clone(&unfinished),
            time,
        );
        assert!(most.next().await.is_some_and(|piece| piece.is_ok()));
        let more = || watched(body(vec![vec![1]], false), Arc::clone(&unfinished), time);
        assert_eq!(outcome(more().0).await, Some("full"));
        drop(most);
        let (after, whole) = more();
        assert_eq!(outcome(after).await, None);
        assert!(whole.is_whole());
    }
}
