//! Writing down, now and then and at the end, which webhook secret verified what (R71).

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::App;
use super::every::every;
use crate::db::{Db, Urgency};
use crate::desk::DeskError;
use crate::desk::webhook_secrets::{SecretUses, write_down};

/// How old what is written down may be.
const PAUSE: Duration = Duration::from_secs(30);

impl App {
    pub(super) fn spawn_counting(&self, tasks: &mut JoinSet<()>, stop: &watch::Receiver<bool>) {
        let (db, uses) = (self.db.clone(), self.secret_uses.clone());
        tasks.spawn(every(PAUSE, stop.clone(), move || {
            write(&db, &uses).map_err(|error| error.to_string())
        }));
    }

    /// What is left of it when the process ends.
    pub(super) fn count_up(&self) {
        if let Err(error) = write(&self.db, &self.secret_uses) {
            tracing::warn!(%error, "the last uses of webhook secrets could not be written down");
        }
    }
}

fn write(db: &Db, uses: &SecretUses) -> Result<(), DeskError> {
    if uses.is_empty() {
        return Ok(());
    }
    let all = db.write(Urgency::Normal, |conn| write_down(conn, uses))?;
    uses.written(&all);
    Ok(())
}
