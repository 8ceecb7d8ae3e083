//! Two events of one instant, of which one says that a directory user works there and the other
//! that they do not (R96). The removal stands (R66), and it is a tie: nothing newer was said, so
//! that only WorkOS, asked, can tell.

use super::cluster::{IdentityCluster, LinkState};
use super::observation::{Life, Observation};

/// Whether a observation meets its contrary of the same instant in what is known already.
pub fn is_tie(before: &IdentityCluster, observation: &Observation) -> bool {
    let Some(link) = before.links.get(observation.directory_user_id()) else {
        return false;
    };
    let same_instant = link.life.at == observation.key.at && link.life != observation.key;
    let worked = match link.state {
        LinkState::Active | LinkState::Moved => true,
        LinkState::Inactive | LinkState::Deleted | LinkState::Pending => false,
    };
    same_instant
        && match observation.life() {
            Life::Active => !worked && link.life.removal,
            Life::Inactive | Life::Deleted => worked && !link.life.removal,
            Life::Silent => false,
        }
}
