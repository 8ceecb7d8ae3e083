//! SQLite's one writing connection and the line before it: the intake goes before everything else, and
//! everything else is not starved by it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Conn, DbError, Urgency};

/// The connection and its line.
pub(super) struct Writer {
    line: Mutex<Line>,
    moved: Condvar,
    conn: Mutex<Conn>,
}

#[derive(Default)]
struct Line {
    busy: bool,
    urgent_waiting: usize,
    normal_waiting: usize,
    urgent_streak: usize,
}

/// So many urgent turns in a row, then one other: a flood of webhooks must not starve the worker,
/// which is what revokes a leaver's access.
const URGENT_STREAK: usize = 4;

impl Line {
    fn may_go(&self, urgent: bool) -> bool {
        if self.busy {
            return false;
        }
        let normal_is_due = self.normal_waiting > 0 && self.urgent_streak >= URGENT_STREAK;
        if urgent {
            !normal_is_due
        } else {
            self.urgent_waiting == 0 || normal_is_due
        }
    }

    fn waiting(&mut self, urgent: bool) -> &mut usize {
        if urgent {
            &mut self.urgent_waiting
        } else {
            &mut self.normal_waiting
        }
    }
}

impl Writer {
    pub(super) fn new(conn: Conn) -> Self {
        Self {
            line: Mutex::default(),
            moved: Condvar::new(),
            conn: Mutex::new(conn),
        }
    }

    pub(super) fn take_turn(&self, urgency: Urgency) -> Turn<'_> {
        let mut line = lock(&self.line);
        let urgent = urgency == Urgency::Intake;
        *line.waiting(urgent) += 1;
        while !line.may_go(urgent) {
            line = self
                .moved
                .wait(line)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *line.waiting(urgent) -= 1;
        line.urgent_streak = if urgent { line.urgent_streak + 1 } else { 0 };
        line.busy = true;
        drop(line);
        Turn {
            writer: self,
            conn: lock(&self.conn),
        }
    }
}

pub(super) struct Turn<'a> {
    writer: &'a Writer,
    conn: MutexGuard<'a, Conn>,
}

impl Turn<'_> {
    #[allow(clippy::unnecessary_wraps, reason = "the one shape for both databases")]
    pub(super) fn conn(&mut self) -> Result<&mut Conn, DbError> {
        Ok(&mut self.conn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.writer.line).busy = false;
        self.writer.moved.notify_all();
    }
}

/// A panic elsewhere rolled back its transaction already: the lock is good to use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
