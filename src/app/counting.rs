//! Writing down, now and then and at the end, which webhook secret verified what (R71), and what was
//! refused at the door or came to a wrong path.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::App;
use super::every::every;
use crate::clock::Timestamp;
use crate::db::{Db, Urgency};
use crate::operations::OperationError;
use crate::operations::refusals::{self, Refusals};
use crate::operations::webhook_secrets::{SecretUses, write_down};
use crate::operations::wrong_paths::{self, WrongPaths};

/// How old what is written down may be.
const PAUSE: Duration = Duration::from_secs(30);

impl App {
    pub(super) fn spawn_counting(&self, tasks: &mut JoinSet<()>, stop: &watch::Receiver<bool>) {
        let (db, uses) = (self.db.clone(), self.secret_uses.clone());
        let (refused, clock) = (self.refusals.clone(), self.clock.clone());
        let wrong = self.wrong_paths.clone();
        tasks.spawn(every(PAUSE, stop.clone(), move || {
            write(&db, &uses)
                .and_then(|()| write_refused(&db, &refused, clock.now()))
                .and_then(|()| write_wrong(&db, &wrong, clock.now()))
                .map_err(|error| error.to_string())
        }));
    }

    /// What is left of it when the process ends.
    pub(super) fn count_up(&self) {
        if let Err(error) = write(&self.db, &self.secret_uses) {
            tracing::warn!(%error, "the last uses of webhook secrets could not be written down");
        }
        if let Err(error) = write_refused(&self.db, &self.refusals, self.clock.now()) {
            tracing::warn!(%error, "the last refused deliveries could not be written down");
        }
        if let Err(error) = write_wrong(&self.db, &self.wrong_paths, self.clock.now()) {
            tracing::warn!(%error, "the last requests to wrong paths could not be written down");
        }
    }
}

fn write_refused(db: &Db, refused: &Refusals, now: Timestamp) -> Result<(), OperationError> {
    let all = refused.take();
    if all.is_empty() {
        return Ok(());
    }
    let written = db.write(Urgency::Normal, |conn| {
        refusals::write_down(conn, &all, now)
    });
    if written.is_err() {
        refused.give_back(all);
    }
    written
}

fn write_wrong(db: &Db, wrong: &WrongPaths, now: Timestamp) -> Result<(), OperationError> {
    let rows = wrong.take();
    if rows.is_empty() {
        return Ok(());
    }
    let written = db.write(Urgency::Normal, |conn| {
        wrong_paths::write_down(conn, &rows, now)
    });
    if written.is_err() {
        wrong.give_back(rows);
    }
    written
}

fn write(db: &Db, uses: &SecretUses) -> Result<(), OperationError> {
    if uses.is_empty() {
        return Ok(());
    }
    let all = db.write(Urgency::Normal, |conn| write_down(conn, uses))?;
    uses.written(&all);
    Ok(())
}
