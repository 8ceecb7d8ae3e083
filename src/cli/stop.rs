//! The word to stop, from outside: SIGTERM or Ctrl-C. It is heard on a thread of its own, so that it is heard
//! whatever else hangs, and with it a time begins to run at whose end the process ends, finished or not. A second
//! one ends it at once.

use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::{Exit, Failure};
use crate::stop::{Ended, Plan};

/// How long the last words may take.
const LAST_WORDS: Duration = Duration::from_millis(20);

impl From<Ended> for Exit {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Finished => Self::Done,
            Ended::WorkLeft => Self::WorkLeft,
        }
    }
}

/// Says stop at SIGTERM or Ctrl-C; from then on the process lives for `limit` at most.
pub(super) fn stop_signal(limit: Duration) -> Result<watch::Receiver<bool>, Failure> {
    let failed = |why: std::io::Error| {
        Failure::new(
            Exit::Unavailable,
            format!("cannot listen for SIGTERM and Ctrl-C: {why}"),
        )
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    // Here and not on the thread: from the return on no signal is lost.
    let signals = {
        let _inside = runtime.enter();
        Signals {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        }
    };
    let (say, stop) = watch::channel(false);
    thread::Builder::new()
        .name("rollcall-stop".into())
        .spawn(move || runtime.block_on(listen(signals, &say, limit)))
        .map_err(failed)?;
    Ok(stop)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn listen(mut signals: Signals, say: &watch::Sender<bool>, limit: Duration) {
    signals.next().await;
    let plan = Plan::from_now(limit);
    say.send_replace(true);
    let why = tokio::select! {
        () = signals.next() => "asked to stop a second time, so it ends at once",
        () = sleep_until(plan.last()) => "the time to stop is over, and something hangs",
    };
    let words = thread::spawn(move || {
        tracing::warn!(
            "{why}: nothing that was acknowledged is lost, and the next start goes on with it"
        );
    });
    // Whoever should read them may be what hangs.
    tokio::time::sleep(LAST_WORDS).await;
    drop(words);
    leave(Exit::WorkLeft);
}

/// Ends the process where threads may hang in a driver: handlers that run at an exit would pull away what they use.
pub(super) fn leave(exit: Exit) -> ! {
    // SAFETY: it does not come back, and nothing of this process is needed any more.
    unsafe { libc::_exit(i32::from(exit as u8)) }
}
