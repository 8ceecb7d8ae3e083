//! Memberships that began or ended while the profile itself stayed as it was: by a group, a rule, an
//! operator. They make messages due like everything else that happens to a person.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::people::changes::Caused;
use crate::people::{organizations, profiles};

use super::deliveries;
use super::plan::Happening;

/// Plans what the given membership changes make due, in armed organizations.
pub fn plan(conn: &mut Conn, turned: &[Caused], now: Timestamp) -> QueryResult<()> {
    let (mut ids, mut places) = (BTreeSet::new(), BTreeSet::new());
    for one in turned.iter().filter(|one| begins(one) || ends(one)) {
        ids.insert(one.change.profile_id.clone());
        places.insert(one.organization_id.clone());
    }
    if ids.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = places.into_iter().collect();
    let armed: BTreeSet<String> = organizations::load(conn, &places)?
        .into_values()
        .filter(|one| one.armed_at.is_some())
        .map(|one| one.id)
        .collect();
    if armed.is_empty() {
        return Ok(());
    }
    let mut theirs: BTreeMap<&str, Vec<&Caused>> = BTreeMap::new();
    for one in turned {
        theirs.entry(&one.change.profile_id).or_default().push(one);
    }
    let ids: Vec<String> = ids.into_iter().collect();
    let mut happenings = Vec::new();
    for (id, row) in profiles::load(conn, &ids)? {
        if !armed.contains(&row.organization_id) {
            continue;
        }
        let changes = theirs.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let of = |is_meant: fn(&Caused) -> bool| {
            let some = changes.iter().filter(|one| is_meant(one));
            some.map(|one| one.change.name.clone()).collect()
        };
        let profile = profiles::as_shown(&row)?;
        happenings.push(Happening {
            organization_id: row.organization_id,
            before: Some(profile.clone()),
            after: profile,
            changed_fields: Vec::new(),
            began_communities: of(begins),
            ended_communities: of(ends),
            event_id: changes.iter().find_map(|one| one.event_id.clone()),
            // What nobody's event did is told apart by its time.
            occasion: Some(now.micros().to_string()),
        });
    }
    happenings.retain(Happening::matters);
    deliveries::plan_and_add(conn, &happenings, now)
}

fn begins(one: &Caused) -> bool {
    one.change.what == "membership" && one.change.old.is_none() && one.change.new.is_some()
}

fn ends(one: &Caused) -> bool {
    one.change.what == "membership" && one.change.old.is_some() && one.change.new.is_none()
}
