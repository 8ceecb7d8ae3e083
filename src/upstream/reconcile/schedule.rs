//! Comparing by itself: each linked directory again and again, at times that are spread so that many
//! directories do not meet. A comparison that falls due is begun like any other, by one
//! process, and goes the same road; whether what differs is applied is the organization's policy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{ReconcileError, Reconciler};
use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::{Comparing, ReconcileSettings, is_of_logins};
use crate::operations::{Actor, OperationError, reconciles as acts};
use crate::outbox;
use crate::store::directories::{self, Directory};
use crate::store::organizations::{self, Organization};
use crate::store::reconciles::{self, DONE, INCOMPLETE, RUNNING, Reconcile};
use crate::upstream::{read, write};

/// A comparison that was not whole is tried again so soon, if not sooner by its interval.
const AGAIN: Duration = Duration::from_secs(3_600);

/// When directories are compared by themselves, where their organization says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduled {
    /// What is done.
    pub mode: Comparing,
    /// How often.
    pub every: Duration,
}

impl Scheduled {
    fn with(self, own: ReconcileSettings) -> Self {
        let hours = |hours: u32| Duration::from_secs(u64::from(hours) * 3_600);
        Self {
            mode: own.mode.unwrap_or(self.mode),
            every: own.interval_hours.map_or(self.every, hours),
        }
    }
}

impl Reconciler {
    /// Begins the comparisons that are due; answers how many those are.
    pub async fn begin_due(&self, scheduled: Scheduled) -> Result<usize, ReconcileError> {
        let now = self.now();
        let due = read(self.db(), move |conn| due(conn, scheduled, now)).await?;
        let mut begun = 0;
        for directory in due {
            let ours = write(self.db(), move |conn| {
                begin(conn, &directory, scheduled, now)
            });
            match ours.await {
                Ok(ours) => begun += usize::from(ours),
                Err(OperationError::Database(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, "a comparison that is due could not be begun");
                }
            }
        }
        Ok(begun)
    }
}

fn due(conn: &mut Conn, scheduled: Scheduled, now: Timestamp) -> Result<Vec<Directory>, DbError> {
    let mut directories = directories::list(conn, None, None, i64::MAX)?;
    let named: BTreeSet<String> = directories
        .iter()
        .map(|one| one.organization_id.clone())
        .collect();
    let organizations = organizations::load(conn, &named.into_iter().collect::<Vec<_>>())?;
    let newest = reconciles::newest(conn, &[RUNNING, DONE, INCOMPLETE])?;
    let newest: BTreeMap<&str, &Reconcile> = newest
        .iter()
        .map(|one| (one.directory_id.as_str(), one))
        .collect();
    directories.retain(|one| {
        let organization = organizations.get(&one.organization_id);
        let last = newest.get(one.id.as_str()).copied();
        policy(one, organization, last, scheduled, now).is_some()
    });
    Ok(directories)
}

/// Begins one, if it is still due once nobody else can begin it.
fn begin(
    conn: &mut Conn,
    directory: &Directory,
    scheduled: Scheduled,
    now: Timestamp,
) -> Result<bool, OperationError> {
    outbox::lock_part(conn, outbox::part_of(&directory.organization_id))?;
    let organization = organizations::find(conn, &directory.organization_id)?;
    let last = reconciles::newest_of(conn, &directory.id)?;
    let policy = policy(
        directory,
        organization.as_ref(),
        last.as_ref(),
        scheduled,
        now,
    );
    let Some(mode) = policy else {
        return Ok(false);
    };
    let apply = mode == Comparing::Apply;
    acts::begin(conn, &Actor::schedule(), &directory.id, None, apply, now)?;
    Ok(true)
}

/// What is to be done with a directory now; `None` where nothing is.
fn policy(
    directory: &Directory,
    organization: Option<&Organization>,
    last: Option<&Reconcile>,
    scheduled: Scheduled,
    now: Timestamp,
) -> Option<Comparing> {
    // Of a directory that is not linked nothing could be inferred (R38).
    if is_of_logins(&directory.id) || !directory.life.live() {
        return None;
    }
    let own = organization.map(|one| one.settings.reconcile);
    let scheduled = scheduled.with(own.unwrap_or_default());
    if scheduled.mode == Comparing::Off {
        return None;
    }
    let due = due_at(directory, last, scheduled.every)?;
    (due <= now).then_some(scheduled.mode)
}

/// When a directory is compared next; `None` while it is being compared.
fn due_at(directory: &Directory, last: Option<&Reconcile>, every: Duration) -> Option<Timestamp> {
    let Some(last) = last else {
        let spread = spread(&directory.id);
        return Some(directory.first_seen_at.plus(every.mul_f64(spread)));
    };
    let after = match last.state.as_str() {
        RUNNING => return None,
        INCOMPLETE => every.min(AGAIN),
        _ => every,
    };
    // A tenth more or less, another one each time.
    let around = 0.9 + 0.2 * spread(&last.id);
    Some(last.started_at.plus(after.mul_f64(around)))
}

/// From 0 to 1, the same for the same id.
fn spread(id: &str) -> f64 {
    let digest = Sha256::digest(id);
    let bytes = digest.first_chunk::<4>().copied().unwrap_or_default();
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn ended(id: &str, state: &str) -> Reconcile {
        let mut one = super::super::passing("org", "directory", Timestamp(0));
        (one.id, one.state) = (id.to_owned(), state.to_owned());
        one
    }

    #[test]
    fn directories_are_compared_apart_from_each_other_and_a_tenth_around_the_interval() {
        let first: Vec<Timestamp> = (0..100)
            .filter_map(|number| {
                let one = Directory::new(&format!("directory_{number}"), None, Timestamp(0));
                due_at(&one, None, DAY)
            })
            .collect();
        let in_an_hour = |hour: u64| {
            let from = Timestamp(0).plus(Duration::from_secs(hour * 3_600));
            let within = |at: &&Timestamp| **at >= from && at.since(from).as_secs() < 3_600;
            first.iter().filter(within).count()
        };
        assert!((0..24).all(|hour| in_an_hour(hour) < 15), "{first:?}");
        let one = Directory::new("directory", None, Timestamp(0));
        for number in 0..100 {
            let last = ended(&format!("reconcile_{number}"), "done");
            let next = due_at(&one, Some(&last), DAY).map(|at| at.since(Timestamp(0)));
            assert!(next.is_some_and(|next| next >= DAY.mul_f64(0.9) && next <= DAY.mul_f64(1.1)));
        }
    }

    #[test]
    fn an_incomplete_comparison_is_tried_again_within_the_hour_and_a_running_one_is_left_alone() {
        let one = Directory::new("directory", None, Timestamp(0));
        let again = due_at(&one, Some(&ended("reconcile_1", "incomplete")), DAY);
        assert!(again.is_some_and(|at| at.since(Timestamp(0)) < Duration::from_secs(4_000)));
        assert_eq!(
            due_at(&one, Some(&ended("reconcile_1", "running")), DAY),
            None
        );
    }

    #[test]
    fn what_an_organization_says_wins() {
        let all = Scheduled {
            mode: Comparing::Report,
            every: DAY,
        };
        let own = ReconcileSettings {
            mode: Some(Comparing::Apply),
            interval_hours: Some(6),
        };
        assert_eq!(all.with(ReconcileSettings::default()), all);
        assert_eq!(
            all.with(own),
            Scheduled {
                mode: Comparing::Apply,
                every: DAY / 4
            }
        );
    }
}
