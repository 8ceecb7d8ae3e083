//! What is asked at WorkOS without anybody's asking for it. Who comes back gets their memberships from our own snapshot, and WorkOS may not announce them again
//! (R77): so the groups of everybody whose status turned from removed to active are asked for once.
//! Who was removed and returned in one instant is read at once, and the answer decides (R96).
//! What differs goes through the outbox like a webhook.

use super::reconcile::{ReconcileError, Reconciler};
use super::resync::Asked;
use super::{read, write};
use crate::db::DbError;
use crate::domain::is_of_logins;
use crate::retry;
use crate::store::refetches::{self, UserRefetch};
use crate::store::{changes, profiles};

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

    /// Asks WorkOS about everybody of whom it said in one instant that they work and that they do not
    /// (R96): what it answers decides, as an event of its own. Answers how many were asked about.
    pub async fn refetch_tied(&self) -> Result<usize, ReconcileError> {
        let now = self.now();
        let due = read(self.db(), move |conn| {
            Ok::<_, DbError>(refetches::due(conn, now, AT_ONCE)?)
        })
        .await?;
        for tied in &due {
            let failed = self.ask_about(tied).await.err();
            let (user, tries) = (tied.directory_user_id.clone(), tied.tries);
            let later = self.now().plus(retry::wait_after(
                u32::try_from(tries).unwrap_or(0).saturating_add(1),
                i64::from(tries),
            ));
            if let Some(error) = &failed {
                tracing::warn!(%error, directory_user_id = user, "WorkOS could not be asked about somebody who was removed and returned in the same instant; it is tried again, and until then the removal stands");
            }
            write(self.db(), move |conn| {
                match failed {
                    Some(_) => refetches::put_off(conn, &user, later)?,
                    None => refetches::forget(conn, &[user])?,
                }
                Ok::<_, DbError>(())
            })
            .await?;
        }
        Ok(due.len())
    }

    async fn ask_about(&self, tied: &UserRefetch) -> Result<(), ReconcileError> {
        let user = tied.directory_user_id.clone();
        let link = read(self.db(), move |conn| {
            Ok::<_, DbError>(profiles::link(conn, &user)?)
        })
        .await?;
        let Some(link) = link else { return Ok(()) };
        let asked = Asked::whole(
            self.client(),
            &link.directory_id,
            &link.directory_user_id,
            self.now(),
        )
        .await?;
        let (organization, now) = (tied.organization_id.clone(), self.now());
        write(self.db(), move |conn| {
            asked.mend(conn, &organization, &link, now)
        })
        .await?;
        self.wake();
        Ok(())
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
