//! What a batch needs to know, loaded with a handful of set queries before the fold and written
//! after it: organizations, directories, cluster, groups, edges. The fold itself asks no database,
//! except when a turn of a directory concerns people the batch did not name.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{
    Decisions, DirectoryLife, Edge, Families, Group, IdentityCluster, Observation, Settings, Step,
    comes_late, keys_said, turn_concerns,
};
use crate::store::cluster::{self, Found, Key};
use crate::store::crowds::Crowded;
use crate::store::decisions;
use crate::store::directories::{self, Directory};
use crate::store::organizations::{self, Organization};
use crate::store::refetches::UserRefetch;
use crate::store::{observations, profiles};
use crate::workos::{Data, OrderKey};

use super::deletions::DeletedOrganization;
use super::guard::Guards;
use super::incoming::IncomingEvent;
use super::locked::load_locked;
use super::swaps::Swaps;
use super::tombstones::Tombstones;

/// IdentityCluster in hand: as it was found and as it is now.
#[derive(Debug, Default)]
pub(super) struct Relatives {
    pub organization_id: String,
    pub original: IdentityCluster,
    pub cluster: IdentityCluster,
    /// Everything ever said of these links; loaded only where an older event has to be put in.
    pub steps: Option<Vec<Step>>,
    pub touched: bool,
}

/// Everything a batch knows.
#[derive(Debug, Default)]
pub(super) struct WorkingSet {
    pub now: Timestamp,
    /// Who decided, where it was not an event.
    pub operator: Option<String>,
    /// Whether they decided who is who: what was asked before has to be written anew.
    pub decided: bool,
    /// The settings until now, while a changed mapping is applied: everybody is written, nobody is messaged.
    pub former: Option<Settings>,
    pub organizations: BTreeMap<String, Organization>,
    pub directories: BTreeMap<String, Directory>,
    pub lives: BTreeMap<String, DirectoryLife>,
    /// What operators decided about who is who, by organization.
    pub decisions: BTreeMap<String, Decisions>,
    pub changed_directories: BTreeSet<String>,
    pub relatives: Vec<Relatives>,
    pub place: BTreeMap<String, usize>,
    pub recorded: BTreeMap<String, Timestamp>,
    pub groups: BTreeMap<String, Group>,
    /// Groups as they were before this batch.
    pub groups_before: BTreeMap<String, Group>,
    pub changed_groups: BTreeSet<String>,
    /// Those of the users of this batch's edges who were announced before it.
    pub users_known: BTreeSet<String>,
    pub edges: BTreeMap<(String, String), Edge>,
    pub changed_edges: BTreeSet<(String, String)>,
    /// Events that have left a observation before: replays and copies by another road.
    pub said_before: BTreeSet<String>,
    pub new_observations: Vec<(String, Observation)>,
    pub new_keys: BTreeSet<(Key, String)>,
    /// Keys that too many have for them to be cluster.
    pub crowded: Crowded,
    pub guards: Guards,
    /// Who was erased; `None` while nobody ever was (R65).
    pub tombstones: Option<Tombstones>,
    /// Profiles that were erased, of those that the cluster in hand could take for their own.
    pub erased: BTreeSet<String>,
    pub swaps: Swaps,
    /// Directory users of whom WorkOS said two things in one instant (R96).
    pub ties: Vec<UserRefetch>,
    /// People who came to their organization with their directory, which no event had named until now.
    pub relocated: BTreeSet<String>,
    /// Directories that end with their people, and the event that says so (R36).
    pub ended: Vec<(String, OrderKey)>,
    /// Organizations that this batch heard were deleted (R84).
    pub deleted_organizations: Vec<DeletedOrganization>,
}

impl WorkingSet {
    /// Loads what the items touch; directories and organizations heard of for the first time begin here.
    pub(super) fn load(
        conn: &mut Conn,
        items: &mut [IncomingEvent],
        messaging_for_new: bool,
        now: Timestamp,
    ) -> QueryResult<Self> {
        let mut world = Self {
            now,
            ..Self::default()
        };
        world.load_directories(conn, items, messaging_for_new)?;
        world.tombstones = Tombstones::open(conn)?;
        if let Some(tombstones) = &mut world.tombstones {
            tombstones.judge(conn, items)?;
        }
        world.load_groups(conn, items)?;
        world.load_kin_of(conn, items)?;
        let settles = |id: &str| world.settings(id).removal_guard.settle_seconds > 0;
        world.guards = Guards::load(conn, items, &settles)?;
        Ok(world)
    }

    fn load_directories(
        &mut self,
        conn: &mut Conn,
        items: &mut [IncomingEvent],
        messaging_for_new: bool,
    ) -> QueryResult<()> {
        let named: BTreeSet<String> = items
            .iter()
            .filter_map(|item| item.directory_id.clone())
            .collect();
        let mut known = load_locked(conn, items, &named.into_iter().collect::<Vec<_>>())?;
        for item in items.iter_mut() {
            let Some(id) = item.directory_id.clone() else {
                continue;
            };
            let directory = known.entry(id.clone()).or_insert_with(|| {
                self.changed_directories.insert(id.clone());
                Directory::new(&id, item.organization_id.as_deref(), self.now)
            });
            if let Some(organization) = item.organization_id.as_deref()
                && directory.is_homeless()
            {
                let former = &directory.organization_id;
                self.relocated
                    .extend(profiles::ids_with_access(conn, former)?);
                directories::relocate(conn, former, organization)?;
                organization.clone_into(&mut directory.organization_id);
                self.changed_directories.insert(id.clone());
            }
            directory.last_event_at = self.now;
        }
        // A later event of the batch may have named the organization: settle it before anything is keyed by it.
        for item in items.iter_mut() {
            if let Some(directory) = item.directory_id.as_ref().and_then(|id| known.get(id)) {
                item.organization_id = Some(directory.organization_id.clone());
            }
        }
        let deleted = items.iter().filter_map(|item| match item.data()? {
            Data::OrganizationDeleted(organization) => Some(organization.clone()),
            _ => None,
        });
        let ids: BTreeSet<String> = known
            .values()
            .map(|directory| directory.organization_id.clone())
            .chain(deleted)
            .collect();
        let ids: Vec<String> = ids.into_iter().collect();
        self.organizations = organizations::load(conn, &ids)?;
        let missing: Vec<String> = ids
            .iter()
            .filter(|id| !self.organizations.contains_key(*id))
            .cloned()
            .collect();
        if !missing.is_empty() {
            organizations::ensure(conn, &missing, messaging_for_new, self.now)?;
            self.organizations = organizations::load(conn, &ids)?;
        }
        self.directories = directories::of_organizations(conn, &ids)?;
        self.decisions = decisions::load(conn, &ids)?;
        self.directories.extend(known);
        self.lives = self
            .directories
            .iter()
            .map(|(id, one)| (id.clone(), one.life.clone()))
            .collect();
        Ok(())
    }

    fn load_kin_of(&mut self, conn: &mut Conn, items: &[IncomingEvent]) -> QueryResult<()> {
        let mut links = BTreeSet::new();
        let mut keys: BTreeMap<String, BTreeSet<Key>> = BTreeMap::new();
        let mut events = Vec::new();
        for item in items {
            let Some((organization, observation)) = item.observation() else {
                continue;
            };
            let settings = self.settings(&organization).clone();
            links.insert(observation.said.user.id.clone());
            events.push(observation.key.event_id.clone());
            let said = keys_said(&observation, &settings)
                .into_iter()
                .map(|key| (organization.clone(), key));
            keys.entry(observation.said.user.id.clone())
                .or_default()
                .extend(said);
        }
        self.said_before = observations::known(conn, &events)?;
        let seeds: BTreeSet<Key> = keys.values().flatten().cloned().collect();
        let crowded = Crowded::about_to_be(keys.values().flatten());
        let mut found = cluster::find(conn, &links, &seeds, crowded)?;
        for (link, keys) in keys {
            let known = found.keys.entry(link.clone()).or_default();
            self.new_keys.extend(
                keys.difference(known)
                    .cloned()
                    .map(|key| (key, link.clone())),
            );
            let followed = keys.into_iter().filter(|key| !found.crowded.contains(key));
            known.extend(followed);
        }
        let organization_of: BTreeMap<String, String> = items
            .iter()
            .filter_map(IncomingEvent::observation)
            .map(|(organization, observation)| (observation.said.user.id, organization))
            .collect();
        self.erased
            .extend(Tombstones::near(&mut self.tombstones, conn, &found)?);
        self.take_in(found, &organization_of);
        self.load_steps_where_late(conn, items)
    }

    /// Sorts what was found into cluster: links that share a key belong together.
    fn take_in(&mut self, found: Found, organization_of: &BTreeMap<String, String>) {
        let mut family: Families<Key> = Families::default();
        for (link, keys) in &found.keys {
            family.join(link, keys);
        }
        for link in found.links.keys().chain(organization_of.keys()) {
            family.join(link, &BTreeSet::new());
        }
        self.recorded.extend(found.recorded);
        self.crowded.extend(found.crowded);
        for members in family.groups() {
            let place = self.relatives.len();
            let mut relatives = Relatives::default();
            for id in members {
                self.place.insert(id.clone(), place);
                let organization = found
                    .keys
                    .get(&id)
                    .and_then(|keys| keys.first())
                    .map(|(organization, _)| organization);
                if let Some(organization) = organization_of.get(&id).or(organization) {
                    organization.clone_into(&mut relatives.organization_id);
                }
                if let Some(link) = found.links.get(&id) {
                    if let Some(directory) = self.directories.get(&link.directory_id) {
                        relatives
                            .organization_id
                            .clone_from(&directory.organization_id);
                    }
                    if let Some(person) = found.people.get(&link.person) {
                        relatives
                            .cluster
                            .people
                            .insert(person.id.clone(), person.clone());
                    }
                    relatives.cluster.links.insert(id, link.clone());
                }
            }
            relatives.original = relatives.cluster.clone();
            self.relatives.push(relatives);
        }
    }

    /// Everything said of the cluster that an item of this batch has to be put into.
    fn load_steps_where_late(
        &mut self,
        conn: &mut Conn,
        items: &[IncomingEvent],
    ) -> QueryResult<()> {
        let mut late = BTreeSet::new();
        for (_, observation) in items.iter().filter_map(IncomingEvent::observation) {
            let Some(&place) = self.place.get(&observation.said.user.id) else {
                continue;
            };
            let directory = &observation.said.user.directory_id;
            let is_late = self.relatives.get(place).is_some_and(|one| {
                comes_late(&one.cluster, &observation.key, directory, &self.lives)
            });
            if is_late || self.said_before.contains(&observation.key.event_id) {
                late.insert(place);
            }
        }
        self.load_steps(conn, &late)
    }

    /// Loads all steps of the given cluster, in one query; what this batch said of them is not written yet.
    pub(super) fn load_steps(
        &mut self,
        conn: &mut Conn,
        places: &BTreeSet<usize>,
    ) -> QueryResult<()> {
        let wanted: Vec<usize> = places
            .iter()
            .copied()
            .filter(|&place| {
                self.relatives
                    .get(place)
                    .is_some_and(|one| one.steps.is_none())
            })
            .collect();
        let mut links = Vec::new();
        for &place in &wanted {
            if let Some(one) = self.relatives.get_mut(place) {
                one.steps = Some(Vec::new());
                links.extend(one.cluster.links.keys().cloned());
            }
        }
        let told = links.iter().cloned().collect::<BTreeSet<_>>();
        let unwritten = self
            .new_observations
            .iter()
            .map(|(_, observation)| observation);
        let unwritten: Vec<Observation> = unwritten
            .filter(|observation| told.contains(observation.directory_user_id()))
            .cloned()
            .collect();
        let written = observations::of_links(conn, &links)?;
        for observation in written.into_iter().chain(unwritten) {
            let place = self.place.get(observation.directory_user_id()).copied();
            if let Some(steps) = place
                .and_then(|place| self.relatives.get_mut(place))
                .and_then(|one| one.steps.as_mut())
            {
                steps.push(Step::Said(Box::new(observation)));
            }
        }
        Ok(())
    }

    /// The cluster in hand that a turn of the directory can concern, and the given links' cluster.
    pub(super) fn concerned(
        &mut self,
        conn: &mut Conn,
        directory: &str,
        links: &BTreeSet<String>,
    ) -> QueryResult<BTreeSet<usize>> {
        let mut places = self.load_more(conn, links)?;
        let in_hand = self.relatives.iter().enumerate();
        places.extend(
            in_hand
                .filter(|(_, one)| turn_concerns(&one.cluster, directory))
                .map(|(place, _)| place),
        );
        Ok(places)
    }

    /// Loads cluster that the batch did not name; those in hand already stay as they are.
    pub(super) fn load_more(
        &mut self,
        conn: &mut Conn,
        links: &BTreeSet<String>,
    ) -> QueryResult<BTreeSet<usize>> {
        let unknown: BTreeSet<String> = links
            .iter()
            .filter(|link| !self.place.contains_key(*link))
            .cloned()
            .collect();
        if !unknown.is_empty() {
            let found = cluster::find(conn, &unknown, &BTreeSet::new(), Crowded::default())?;
            self.erased
                .extend(Tombstones::near(&mut self.tombstones, conn, &found)?);
            self.take_in(found, &BTreeMap::new());
        }
        Ok(links
            .iter()
            .filter_map(|link| self.place.get(link).copied())
            .collect())
    }
}
