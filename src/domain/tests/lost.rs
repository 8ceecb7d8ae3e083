//! What no step may ever do: take the profile from somebody who was in People.

use crate::domain::IdentityCluster;

/// A profile that was ever in People keeps its id, unless its links passed to other such profiles.
pub(super) fn lost(before: &IdentityCluster, after: &IdentityCluster) -> Vec<String> {
    let seen = before
        .people
        .iter()
        .filter(|(_, person)| person.ever_active);
    let gone = seen.filter(|(id, _)| !after.people.contains_key(*id));
    let mut lost = Vec::new();
    for (id, _) in gone {
        for link in before
            .links_of(id)
            .filter_map(|link| after.links.get(&link.id))
        {
            let heir = before.people.get(&link.person);
            if after.people[&link.person].ever_active && heir.is_none_or(|heir| !heir.ever_active) {
                lost.push(format!(
                    "{id} was seen, and {} is somebody new now",
                    link.id
                ));
            }
        }
    }
    lost
}
