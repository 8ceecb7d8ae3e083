//! A progress bar for what takes longer than a second. Drawn on standard error and only on a
//! terminal; short work and pipes never see it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// A bar that is hidden for its first second.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    begun: Instant,
    shown: AtomicBool,
}

impl Progress {
    pub(super) fn new(total: u64, what: &'static str) -> Self {
        let style = ProgressStyle::with_template(
            "{msg} {wide_bar} {human_pos}/{human_len}  {per_sec}  {eta} left",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        bar.set_style(style);
        bar.set_message(what);
        Self {
            bar,
            begun: Instant::now(),
            shown: AtomicBool::new(false),
        }
    }

    /// How much there is to do, once that is known.
    pub fn of(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// One more is done.
    pub fn step(&self) {
        self.show();
        self.bar.inc(1);
    }

    /// So much is done.
    pub fn at(&self, done: u64) {
        self.show();
        self.bar.set_position(done);
    }

    fn show(&self) {
        if self.begun.elapsed() > SHOWN_AFTER && !self.shown.swap(true, Ordering::Relaxed) {
            // indicatif draws nothing when standard error is no terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
