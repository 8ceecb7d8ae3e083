//! What differs between two states of a cluster: the audited changes, and the sentence that tells them.

use crate::domain::{
    Change, Context, IdentityCluster, Outcome, Profile, compose, diff_profiles, sentence,
};
use crate::store::changes::Caused;
use crate::workos::OrderKey;

use super::effect::Effect;

/// The changes between two states of a cluster, and the sentence that tells them.
pub(super) fn compare(
    before: &IdentityCluster,
    after: &IdentityCluster,
    known: &Context<'_>,
    organization: &str,
    key: &OrderKey,
    directory: &str,
) -> Effect {
    compare_under(
        (before, known),
        (after, known),
        organization,
        key,
        directory,
    )
}

/// As [`compare`], where the settings are not the same before and after.
pub(super) fn compare_under(
    (before, known_before): (&IdentityCluster, &Context<'_>),
    (after, known): (&IdentityCluster, &Context<'_>),
    organization: &str,
    key: &OrderKey,
    directory: &str,
) -> Effect {
    let shown = |cluster: &IdentityCluster, id: &str, known: &Context<'_>| -> Option<Profile> {
        cluster
            .people
            .get(id)
            .map(|person| compose(cluster, person, known))
    };
    let mut changes = Vec::new();
    let mut sentences = Vec::new();
    for id in after.people.keys() {
        let old = shown(before, id, known_before);
        let Some(new) = shown(after, id, known) else {
            continue;
        };
        let found = diff_profiles(old.as_ref(), &new);
        if !found.is_empty() {
            sentences.push(sentence(old.as_ref(), &new, &found));
        }
        changes.extend(
            found
                .into_iter()
                .map(|change| Caused::by_event(organization, change, key, directory)),
        );
    }
    let renamed = other_ids(before, after);
    if !renamed.is_empty() {
        sentences.push("the provider knows them under another id".to_owned());
    }
    changes.extend(
        renamed
            .into_iter()
            .map(|change| Caused::by_event(organization, change, key, directory)),
    );
    let contested = |cluster: &IdentityCluster| {
        cluster
            .links
            .values()
            .filter(|link| link.contest.is_some() || link.wanted_email.is_some())
            .count()
    };
    if contested(after) > contested(before) {
        sentences.push(
            "it waits for a person to decide: somebody else works under the same address or number"
                .to_owned(),
        );
    }
    let outcome = if sentences.is_empty() {
        Outcome::Unchanged
    } else {
        Outcome::Applied
    };
    let reason = if sentences.is_empty() {
        "nothing that we keep differs".to_owned()
    } else {
        sentences.join("; ")
    };
    Effect {
        outcome,
        reason,
        changes,
        waits_until: None,
    }
}

/// Directory users whom the provider knows under another id now.
fn other_ids(before: &IdentityCluster, after: &IdentityCluster) -> Vec<Change> {
    let links = after.links.values().filter_map(|link| {
        let was = before.links.get(&link.id)?.idp_id.clone()?;
        (Some(&was) != link.idp_id.as_ref()).then(|| Change {
            profile_id: link.person.clone(),
            what: "link",
            name: "idp_id".to_owned(),
            old: Some(was),
            new: link.idp_id.clone(),
        })
    });
    links.collect()
}
