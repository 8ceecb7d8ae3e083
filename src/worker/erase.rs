//! Erasing a person (R65): they leave as anybody leaves, so that seats end and messages are
//! cancelled; then everything that was said of them goes, and only keyed hashes stay. What others
//! of their cluster are is folded again without them.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Timestamp;
use crate::db::{Conn, DbError};
use crate::domain::{Change, IdentityCluster, Status};
use crate::outbox;
use crate::store::changes::{self, Caused};
use crate::store::erasures::{self, ErasureKey, NewErasure};
use crate::store::profiles::{self, LinkRow, ProfileRow};
use crate::store::{
    cluster, communities, decisions, groups, mentions, observations, opt_outs, reconciles,
    refetches, suspensions,
};
use crate::triggers::deliveries;
use crate::workos::{OrderKey, provider_user};

use super::decide::{By, fold_again, world_of};
use super::write::write_world;

/// What an erasure took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    /// Events of which nothing but the row is left.
    pub events: usize,
    /// Messages of which nothing but the row is left.
    pub messages: usize,
}

/// Erases somebody. The caller has made sure that nothing forbids it.
pub fn erase(
    conn: &mut Conn,
    row: &ProfileRow,
    key: &ErasureKey,
    actor: &str,
    now: Timestamp,
) -> Result<Erased, DbError> {
    outbox::lock_part(conn, outbox::part_of(&row.organization_id))?;
    let ids = std::slice::from_ref(&row.id);
    let links = profiles::links_of(conn, ids)?
        .remove(&row.id)
        .unwrap_or_default();
    let users: Vec<String> = links
        .iter()
        .map(|link| link.directory_user_id.clone())
        .collect();
    bury(conn, row, &links, &users, key, now)?;
    let mut addresses = changes::values_of(conn, &row.id, "email")?;
    addresses.extend(row.email.clone());
    let mut names = vec![row.display_name.clone()];
    names.extend(
        [&row.first_name, &row.last_name]
            .into_iter()
            .flatten()
            .cloned(),
    );
    for field in ["first_name", "last_name", "display_name"] {
        names.extend(changes::values_of(conn, &row.id, field)?);
    }
    let by = By::Operator(actor.to_owned());
    let cluster = end(conn, row, &users, actor, &by, now)?;
    observations::delete_of(conn, &users)?;
    cluster::delete_links(conn, &users)?;
    decisions::forget(conn, &users)?;
    let by_provider: Vec<String> = links
        .iter()
        .filter_map(|link| Some(provider_user(&link.directory_id, link.idp_id.as_deref()?)))
        .collect();
    groups::delete_edges_of(conn, &users)?;
    groups::delete_edges_of(conn, &by_provider)?;
    refetches::forget(conn, &users)?;
    communities::forget(conn, ids)?;
    reconciles::forget_users(conn, &users)?;
    profiles::blank(conn, &row.id)?;
    opt_outs::forget(conn, &row.organization_id, &row.id, &addresses)?;
    changes::blank(conn, &row.id)?;
    suspensions::delete(conn, std::slice::from_ref(&row.id))?;
    let mut erased = Erased {
        messages: deliveries::forget(conn, &row.id, &row.organization_id, &addresses, now)?,
        ..Erased::default()
    };
    for user in users.iter().chain(&by_provider) {
        let hash = key.of_user(user);
        erased.events += outbox::forget_subject(conn, user, &hash, "the person was erased", now)?;
        mentions::replace_in_jobs(conn, user, &hash)?;
        mentions::replace_in_acts(conn, user, &hash)?;
    }
    for address in &addresses {
        mentions::replace_in_jobs(conn, address, profiles::ERASED)?;
    }
    let others: BTreeSet<String> = cluster
        .into_iter()
        .filter(|id| !users.contains(id))
        .collect();
    mentions::hide_in_searches(conn, &names)?;
    mentions::hide_reasons(conn, &row.id)?;
    if !others.is_empty() {
        fold_again(conn, &row.organization_id, &others, &by, now)?;
    }
    Ok(erased)
}

/// Notes the hashes. The erasure is never older than the newest word about them: a clock that is
/// behind the directory's must not let that word in again.
fn bury(
    conn: &mut Conn,
    row: &ProfileRow,
    links: &[LinkRow],
    users: &[String],
    key: &ErasureKey,
    now: Timestamp,
) -> Result<(), DbError> {
    let newest = cluster::newest_of(conn, users)?;
    let erased_at = newest.map_or(now, |newest| newest.max(now));
    let listed = links
        .iter()
        .any(|link| matches!(link.state.as_str(), "active" | "conflict"));
    let mut all = Vec::new();
    for link in links {
        let hashes = key.of(
            &link.directory_user_id,
            &link.directory_id,
            link.idp_id.as_deref(),
        );
        all.extend(
            hashes
                .into_iter()
                .enumerate()
                .map(|(place, key)| NewErasure {
                    key,
                    profile_id: row.id.clone(),
                    organization_id: row.organization_id.clone(),
                    of_user: place == 0,
                    erased_at,
                    ended_at: (!listed).then_some(erased_at),
                }),
        );
    }
    Ok(erasures::add(conn, &all)?)
}

/// Ends the person through the same writing as a removal. Answers the directory users of their cluster.
fn end(
    conn: &mut Conn,
    row: &ProfileRow,
    users: &[String],
    actor: &str,
    by: &By,
    now: Timestamp,
) -> Result<Vec<String>, DbError> {
    let mut world = world_of(conn, &row.organization_id, by, now)?;
    let places = world.load_more(conn, &users.iter().cloned().collect())?;
    let mut cluster = Vec::new();
    for place in places {
        if let Some(relatives) = world.relatives.get_mut(place) {
            cluster.extend(relatives.cluster.links.keys().cloned());
            leave(&mut relatives.cluster, &row.id, now);
            relatives.touched = true;
        }
    }
    let change = Change {
        profile_id: row.id.clone(),
        what: "status",
        name: "status".to_owned(),
        old: Some(row.status.clone()),
        new: Some(Status::Erased.as_str().to_owned()),
    };
    let caused = Caused::by_operator(&row.organization_id, change, actor, now);
    write_world(conn, &mut world, vec![caused], &BTreeMap::new())?;
    Ok(cluster)
}

fn leave(cluster: &mut IdentityCluster, profile: &str, now: Timestamp) {
    cluster.links.retain(|_, link| link.person != profile);
    if let Some(person) = cluster.people.get_mut(profile) {
        person.status = Status::Erased;
        person.left = Some(OrderKey {
            at: now,
            removal: true,
            event_id: String::new(),
        });
        person.left_reason = None;
        "erased".clone_into(&mut person.period);
        person.possible_rehire_of = None;
        person.made_for.clear();
        person.updated = now;
    }
}
