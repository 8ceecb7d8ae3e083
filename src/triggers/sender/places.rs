//! The sender's places: how many messages are in the air in each lane, whose they are, and which destination
//! keeps one waiting. A place is held by a delivery's task and by nothing else, and is free when it ends,
//! however it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::triggers::deliveries::{InTheAir, Lane, Leased};
use crate::triggers::destinations::SLOW;

/// After trouble with the database the leases of others are left alone for so long: who holds them needs a
/// moment to write down what became of their calls meanwhile.
const FORBEARANCE: Duration = Duration::from_secs(5);

/// Messages in the air at once in a lane, over all destinations.
pub(super) const fn most(lane: Lane) -> usize {
    match lane {
        Lane::Removals => 16,
        Lane::Others => 32,
    }
}

/// How many of them may be one organization's.
pub(super) const fn share(lane: Lane) -> usize {
    most(lane) / 4
}

/// Cheap to clone; all clones are the same places.
#[derive(Clone, Default)]
pub(super) struct Places(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    claiming: Mutex<()>,
}

#[derive(Default)]
struct State {
    held: BTreeMap<String, Held>,
    trouble: Option<Instant>,
}

struct Held {
    lane: i32,
    organization_id: String,
    destination: String,
    since: Instant,
}

/// A place that is held. Free again when dropped.
pub(super) struct Place {
    places: Places,
    id: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.state().held.remove(&self.id);
    }
}

impl Places {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One claim at a time, until its places are taken: what is claimed and has no place yet would look as if
    /// nobody held it.
    pub(super) fn claiming(&self) -> MutexGuard<'_, ()> {
        self.0
            .claiming
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a delivery that was claimed.
    pub(super) fn take(&self, leased: &Leased) -> Place {
        let held = Held {
            lane: leased.lane,
            organization_id: leased.organization_id.clone(),
            destination: leased.destination.clone(),
            since: Instant::now(),
        };
        self.state().held.insert(leased.id.clone(), held);
        Place {
            places: self.clone(),
            id: leased.id.clone(),
        }
    }

    /// The deliveries that are held.
    pub(super) fn held(&self) -> Vec<String> {
        self.state().held.keys().cloned().collect()
    }

    /// How many more may be taken from a lane.
    pub(super) fn free(&self, lane: Lane) -> usize {
        let state = self.state();
        let held = state
            .held
            .values()
            .filter(|held| held.lane == lane.number());
        most(lane).saturating_sub(held.count())
    }

    /// What is in the air in a lane.
    pub(super) fn in_the_air(&self, lane: Lane) -> InTheAir {
        let mut air = InTheAir::default();
        for held in self.state().held.values() {
            if held.lane != lane.number() {
                continue;
            }
            let of_organization = air.of_organization.entry(held.organization_id.clone());
            *of_organization.or_default() += 1;
            if held.since.elapsed() >= SLOW {
                air.slow.insert(held.destination.clone());
            }
        }
        air
    }

    /// The database did not answer.
    pub(super) fn note_trouble(&self) {
        self.state().trouble = Some(Instant::now());
    }

    /// Whether the leases of others are to be judged.
    pub(super) fn may_judge_others(&self) -> bool {
        self.state()
            .trouble
            .is_none_or(|at| at.elapsed() >= FORBEARANCE)
    }
}
