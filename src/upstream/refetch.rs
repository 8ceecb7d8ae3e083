//! Who comes back gets their memberships from our own snapshot, and WorkOS may not announce them again
//! (R77): so the groups of everybody whose status turned from removed to active are asked for once,
//! and what differs goes through the outbox like a webhook.

use super::reconcile::{ReconcileError, Reconciler};
use super::resync::Asked;
use super::{read, write};
use crate::db::DbError;
use crate::people::{changes, profiles};
use crate::roll::is_of_logins;

/// Returns read in one round.
const AT_ONCE: i64 = 20;

impl Reconciler {
    /// Asks for the groups of those who returned since the last round; answers how many that were.
    pub async fn refetch_returned(&self) -> Result<usize, ReconcileError> {
        let returned = write(self.db(), |conn| {
            let Some(after) = changes::refetched(conn)? else {
                // Only who returns from now on: those before were looked at or are long settled.
                let newest = changes::newest(conn)?;
                changes::set_refetched(conn, newest)?;
                return Ok(Vec::new());
            };
            Ok::<_, DbError>(changes::returns_after(conn, after, AT_ONCE)?)
        })
        .await?;
        for (_, profile) in &returned {
            if let Err(error) = self.refetch(profile).await {
                tracing::warn!(%error, profile_id = profile, "the memberships of somebody who returned could not be asked for; `rollcall profiles resync` does it");
            }
        }
        if let Some((last, _)) = returned.last().cloned() {
            write(self.db(), move |conn| {
                Ok::<_, DbError>(changes::set_refetched(conn, last)?)
            })
            .await?;
        }
        Ok(returned.len())
    }

    async fn refetch(&self, profile: &str) -> Result<(), ReconcileError> {
        let id = profile.to_owned();
        let links = read(self.db(), move |conn| {
            let all = profiles::links_of(conn, std::slice::from_ref(&id))?;
            Ok::<_, DbError>(all.into_values().flatten().collect::<Vec<_>>())
        })
        .await?;
        let live = links
            .into_iter()
            .filter(|link| link.state == "active" && !is_of_logins(&link.directory_id));
        for link in live {
            let asked =
                Asked::groups_of(self.client(), &link.directory_user_id, self.now()).await?;
            let now = self.now();
            write(self.db(), move |conn| {
                asked.mend_edges(conn, &link.directory_id, now)
            })
            .await?;
            self.wake();
        }
        Ok(())
    }
}
