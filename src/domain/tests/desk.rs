//! What the worker does with a batch, in memory and with nothing else: find the cluster, take each
//! event in the order of keys, fold again what comes late. It uses the roll as the worker does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::{
    Context, Decisions, DirectoryLife, Edge, Families, Group, IdentityCluster, Left, LinkState,
    Mapping, Membership, Observation, Profile, Role, Settings, Source, Step, apply, comes_late,
    compose, follow_status, keeper_of, keys_said, refold, rightful, scattered, turn_concerns,
};

use super::lost::lost;
use super::ruled::Places;
use super::told::{NOTHING, Told};

/// Everything kept between batches.
#[derive(Default, Clone)]
pub struct Desk {
    pub settings: Settings,
    pub erased: BTreeSet<String>,
    pub decisions: Decisions,
    pub lives: BTreeMap<String, DirectoryLife>,
    pub cluster: Vec<IdentityCluster>,
    pub keys: BTreeMap<String, BTreeSet<String>>,
    /// In which cluster each link is, those included that are only known by key.
    pub place: BTreeMap<String, usize>,
    pub said: BTreeMap<String, Observation>,
    pub groups: BTreeMap<String, Group>,
    pub edges: BTreeMap<(String, String), Edge>,
    /// The admin seat that everybody who ever worked here had from the first day.
    pub seats: BTreeMap<String, Membership>,
    /// Whom each of these seats was given to: the directory users of the profile at that time.
    pub given_to: BTreeMap<String, BTreeSet<String>>,
    /// What rules gave and took, by profile id.
    pub places: Places,
    /// Sentences about profiles that lost their id.
    pub lost: Vec<String>,
}

impl Desk {
    pub fn take(&mut self, mut batch: Vec<Told>) {
        batch.sort_by(|one, other| one.key().cmp(other.key()));
        for told in &batch {
            if let Told::User(observation) = told {
                let known = self
                    .keys
                    .entry(observation.said.user.id.clone())
                    .or_default();
                known.extend(keys_said(observation, &self.settings));
            }
        }
        self.sort_into_kin();
        let before = self.clone();
        for told in batch {
            let earlier = self.cluster.clone();
            match told {
                Told::User(observation) => self.hear(&observation),
                Told::Turn(turn) => {
                    let directory = turn.directory_id.clone();
                    if self.lives.entry(directory.clone()).or_default().learn(turn) {
                        let known = self.groups.values();
                        let theirs = known.filter(|group| group.directory_id == directory);
                        let ids: Vec<String> = theirs.map(|group| group.id.clone()).collect();
                        for id in ids {
                            self.change_group(&id, &directory, |_| {});
                        }
                        for place in 0..self.cluster.len() {
                            if turn_concerns(&self.cluster[place], &directory) {
                                self.cluster[place] = self.fold_again(place);
                            }
                        }
                    }
                }
                Told::Group(key, said) => {
                    self.change_group(&said.id, &said.directory_id, |group| match &said.name {
                        Some(name) => group.learn(&key, Some(name), said.idp_id.as_deref()),
                        None => group.end(&key),
                    })
                }
                Told::Edge(key, said, present) => self.connect(&key, &said, present),
            }
            for (before, after) in earlier.iter().zip(&self.cluster) {
                self.lost.extend(lost(before, after));
            }
        }
        self.follow_all(&before);
    }

    /// An operator says who is who; whoever is concerned is folded again.
    pub fn decide(&mut self, one: &str, other: &str, same: bool) {
        self.decisions.learn(one, other, same);
        for user in [one, other] {
            let keys = self.keys.entry(user.to_owned()).or_default();
            if same {
                keys.insert(format!("d:{one}.{other}"));
            }
        }
        self.sort_into_kin();
        let before = self.clone();
        let places = BTreeSet::from([self.place[one], self.place[other]]);
        for place in places {
            self.cluster[place] = self.fold_again(place);
        }
        self.follow_all(&before);
    }

    /// Memberships follow once everybody is folded, as the worker's writing does it.
    fn follow_all(&mut self, before: &Self) {
        let after = self.cluster.clone();
        for (was, is) in before.cluster.iter().zip(&after) {
            self.follow(was, is);
        }
        self.follow_rules(before);
    }

    pub fn known(&self) -> Context<'_> {
        Context {
            organization_id: "org",
            directories: &self.lives,
            settings: &self.settings,
            erased: &self.erased,
            decisions: &self.decisions,
            crowded: &NOTHING,
        }
    }

    fn sort_into_kin(&mut self) {
        let mut families = Families::default();
        for (link, keys) in &self.keys {
            families.join(link, keys);
        }
        let mut all = IdentityCluster::default();
        for cluster in std::mem::take(&mut self.cluster) {
            all.links.extend(cluster.links);
            all.people.extend(cluster.people);
        }
        for members in families.groups() {
            let mut cluster = IdentityCluster::default();
            let place = self.cluster.len();
            self.place
                .extend(members.iter().map(|id| (id.clone(), place)));
            for link in members.iter().filter_map(|id| all.links.remove(id)) {
                if let Some(person) = all.people.get(&link.person) {
                    cluster.people.insert(person.id.clone(), person.clone());
                }
                cluster.links.insert(link.id.clone(), link);
            }
            self.cluster.push(cluster);
        }
    }

    fn hear(&mut self, observation: &Observation) {
        let place = self.place[observation.directory_user_id()];
        let key = &observation.key;
        let repeated = self
            .said
            .insert(key.event_id.clone(), observation.clone())
            .is_some();
        let directory = &observation.said.user.directory_id;
        let late = comes_late(&self.cluster[place], key, directory, &self.lives);
        self.cluster[place] = if repeated || late {
            self.fold_again(place)
        } else {
            apply(
                &self.cluster[place],
                &Step::Said(Box::new(observation.clone())),
                &self.known(),
            )
        };
    }

    fn fold_again(&self, place: usize) -> IdentityCluster {
        let mine =
            |observation: &&Observation| self.place[observation.directory_user_id()] == place;
        let steps: Vec<Step> = self
            .said
            .values()
            .filter(mine)
            .cloned()
            .map(|observation| Step::Said(Box::new(observation)))
            .collect();
        refold(&self.cluster[place], &steps, &self.known())
    }

    /// Another mapping, applied to everybody: first who meets whom, then everybody again.
    pub fn remap(&mut self, mapping: Mapping) {
        self.settings.mapping = mapping;
        for observation in self.said.values() {
            let keys = keys_said(observation, &self.settings);
            let known = self
                .keys
                .entry(observation.said.user.id.clone())
                .or_default();
            known.extend(keys);
        }
        self.sort_into_kin();
        let before = self.clone();
        for place in 0..self.cluster.len() {
            self.cluster[place] = self.fold_again(place);
        }
        self.follow_rules(&before);
    }

    /// Seats follow their person, as the worker's writing does it.
    fn follow(&mut self, before: &IdentityCluster, after: &IdentityCluster) {
        for id in scattered(before, after) {
            if !after.people.contains_key(&id) {
                let heir = keeper_of(before, &id).and_then(|link| after.links.get(link));
                self.move_places(&id, heir.map(|heir| heir.person.as_str()));
            }
            let moved = self.seats.get(&id).map(|row| rightful(row, before, after));
            if moved
                .as_ref()
                .is_some_and(|row| row.as_ref().is_some_and(|row| row.profile_id == id))
            {
                continue;
            }
            let theirs = self.given_to.remove(&id).unwrap_or_default();
            self.seats.remove(&id);
            if let Some(row) = moved.flatten() {
                let heir = row.profile_id.clone();
                self.seats.entry(heir.clone()).or_insert(row);
                self.given_to.entry(heir).or_insert(theirs);
            }
        }
        // Whom a late event makes wait was in, and has a seat that must not stay open.
        let seated = |id: &String| self.seats.contains_key(id);
        let followed: Vec<_> = after
            .people
            .iter()
            .filter(|(id, person)| person.ever_active || seated(id))
            .collect();
        for (id, person) in followed {
            // Who works here for the first time has the seat of that day, beside what moved to them.
            let lowered = |row: &Membership| row.former_role.is_some();
            let is_new = before.people.get(id).is_none_or(|was| !was.ever_active);
            if is_new && self.seats.get(id).is_some_and(lowered) {
                self.seats.remove(id);
            }
            let row = self.seats.entry(id.clone()).or_insert_with(|| {
                let theirs = after.links_of(id).map(|link| link.id.clone()).collect();
                self.given_to.insert(id.clone(), theirs);
                seat(id)
            });
            let was = before.people.get(id);
            let left = Left {
                before: was.and_then(|was| was.left.as_ref()),
                now: person.left.as_ref(),
            };
            follow_status(
                std::slice::from_mut(row),
                person.status,
                left,
                self.settings.restore_admin,
                Timestamp(1),
            );
        }
    }

    /// Everybody's profile, by profile id.
    pub fn profiles(&self) -> BTreeMap<String, Profile> {
        let known = self.known();
        let all = self
            .cluster
            .iter()
            .flat_map(|cluster| cluster.people.values().map(move |person| (cluster, person)));
        all.map(|(cluster, person)| (person.id.clone(), compose(cluster, person, &known)))
            .collect()
    }

    /// The directory users of one person.
    pub fn links_of(&self, person: &str) -> BTreeSet<String> {
        self.cluster
            .iter()
            .flat_map(|cluster| cluster.links_of(person))
            .map(|link| link.id.clone())
            .collect()
    }

    /// Whether an event ends something: who was never active is not removed by being inactive.
    pub fn removes(&self, told: &Told) -> bool {
        let Told::User(observation) = told else {
            return false;
        };
        let mut links = self
            .cluster
            .iter()
            .filter_map(|cluster| cluster.links.get(&observation.said.user.id));
        let pending = links
            .next()
            .is_none_or(|link| link.state == LinkState::Pending);
        observation.said.deleted || (observation.is_removal() && !pending)
    }

    /// All that is shown, with people named by the first of their links instead of by profile id.
    pub fn shown(&self) -> BTreeMap<String, Value> {
        let mut shown = BTreeMap::new();
        let first_link: BTreeMap<&str, &str> = self
            .cluster
            .iter()
            .flat_map(|cluster| cluster.links.values().rev())
            .map(|link| (link.person.as_str(), link.id.as_str()))
            .collect();
        let name = |id: &str| first_link.get(id).map_or("nobody", |link| link).to_owned();
        for cluster in &self.cluster {
            for link in cluster.links.values() {
                let mut link = link.clone();
                link.person = name(&link.person);
                if let Some(contest) = &mut link.contest {
                    contest.candidates = contest.candidates.iter().map(|id| name(id)).collect();
                    contest.candidates.sort();
                }
                let mut value = serde_json::to_value(&link).unwrap();
                value["waits"] = link
                    .contest
                    .as_ref()
                    .map(|contest| contest.over.clone())
                    .into();
                shown.insert(format!("link {}", link.id), value);
            }
            for person in cluster.people.values() {
                let profile = compose(cluster, person, &self.known());
                let mut remembered = person.clone();
                remembered.id = name(&person.id);
                // Which of several keeps the profile depends on who came first, and nobody sees it.
                remembered.made_for = String::new();
                remembered.possible_rehire_of = person.possible_rehire_of.as_deref().map(name);
                let mut value = serde_json::to_value(&remembered).unwrap();
                value["in"] = self.communities_of(&person.id).into();
                value["fields"] = serde_json::to_value(&profile.fields).unwrap();
                value["attributes"] = Value::Object(profile.attributes);
                value["warnings"] = profile.warnings.into();
                value["removed"] =
                    format!("{:?} {:?}", profile.removed_at, profile.removed_reason).into();
                let seat = self.seats.get(&person.id);
                let open = seat.is_some_and(|seat| seat.ended_at.is_none());
                if open != person.status.has_access() && (open || person.ever_active) {
                    value["wrong seat"] = format!("{:?}", person.status).into();
                }
                if let Some(seat) = seat.filter(|_| person.ever_active) {
                    // What an ended row will be lowered to is decided on the return.
                    value["seat"] = match &seat.ended_reason {
                        Some(reason) => reason.clone().into(),
                        None => format!("{:?}, was {:?}", seat.role, seat.former_role).into(),
                    };
                }
                shown.insert(format!("person {}", remembered.id), value);
            }
        }
        for group in self.groups.values() {
            shown.insert(
                format!("group {}", group.id),
                serde_json::to_value(group).unwrap(),
            );
        }
        for (place, edge) in &self.edges {
            let holds = edge.holds(self.groups.get(&edge.group_id));
            shown.insert(
                format!("edge {place:?}"),
                serde_json::json!({ "holds": holds }),
            );
        }
        shown
    }
}

fn seat(profile: &str) -> Membership {
    Membership {
        community_id: "c".to_owned(),
        profile_id: profile.to_owned(),
        source: Source::Manual,
        role: Role::Admin,
        given_for: None,
        former_role: None,
        stand_in: None,
        granted_at: Timestamp(0),
        ended_at: None,
        ended_reason: None,
    }
}
