//! The second opinion on groups and communities: told in order, a group is there or not, somebody is in
//! it or not, and what the rules of the stories say is written out by hand.

use super::*;
use crate::workos::{Group, Membership};

#[derive(Clone, Default)]
struct Team {
    directory: String,
    /// What its own events call it, all in their order.
    given: Vec<String>,
    /// What the last membership event called it.
    mentioned: Option<String>,
    there: bool,
}

/// Everybody's groups.
#[derive(Clone, Default)]
pub(super) struct Teams {
    teams: BTreeMap<String, Team>,
    /// Who was said last to be in a group or not, by group and by how the event named them.
    words: BTreeMap<(String, Named), (usize, bool)>,
    /// Directories that were deleted once: a group there exists only where an event of its own says so.
    ended: BTreeSet<String>,
}

/// How an event names a user.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    ById(String),
    ByProvider(String, String),
}

impl Team {
    fn name(&self) -> Option<&String> {
        self.given.last().or(self.mentioned.as_ref())
    }
}

impl Teams {
    fn team(&mut self, said: &Group, directory: &str) -> &mut Team {
        let there = !self.ended.contains(directory);
        self.teams.entry(said.id.clone()).or_insert_with(|| Team {
            directory: directory.to_owned(),
            there,
            ..Team::default()
        })
    }

    pub fn group(&mut self, _: usize, said: &Group) {
        let team = self.team(said, &said.directory_id);
        team.there = said.name.is_some();
        team.given.extend(said.name.clone());
        if !team.there {
            self.nobody_in(&said.id);
        }
    }

    pub fn edge(&mut self, time: usize, said: &Membership, joins: bool) {
        let team = self.team(&said.group, &said.directory_id);
        if said.group.name.is_some() {
            team.mentioned.clone_from(&said.group.name);
        }
        let named = match &said.user_idp_id {
            Some(idp) => Named::ByProvider(said.directory_id.clone(), idp.clone()),
            None => Named::ById(said.user_id.clone()),
        };
        self.words
            .insert((said.group.id.clone(), named), (time, joins));
    }

    /// R85: with the directory go its groups.
    pub fn directory_ends(&mut self, _: usize, directory: &str) {
        self.ended.insert(directory.to_owned());
        let mut gone = Vec::new();
        for (id, team) in &mut self.teams {
            if team.directory == directory {
                team.there = false;
                gone.push(id.clone());
            }
        }
        gone.iter().for_each(|id| self.nobody_in(id));
    }

    fn nobody_in(&mut self, id: &str) {
        for ((group, _), word) in &mut self.words {
            if group == id {
                word.1 = false;
            }
        }
    }

    /// All that a rule may call a group: also by names it had, unless another one has it now (R52).
    fn called(&self, id: &str) -> Vec<String> {
        let team = &self.teams[id];
        let mut names = vec![id.to_owned()];
        names.extend(team.name().cloned());
        for former in &team.given {
            let taken = |other: &Team| {
                other.there && other.directory == team.directory && other.name() == Some(former)
            };
            if !self.teams.values().any(taken) {
                names.push(former.clone());
            }
        }
        names
    }
}

impl Model {
    /// The groups somebody is in, by all their names.
    fn groups_of(&self, person: &str) -> BTreeSet<String> {
        let theirs = || self.users.iter().filter(|(_, user)| user.person == person);
        let works = |user: &User| user.state == "active" && user.waits.is_none();
        let mut names = BTreeSet::new();
        for id in self.teams.teams.keys() {
            let word = |named: Named| self.teams.words.get(&(id.clone(), named)).copied();
            for (who, user) in theirs().filter(|(_, user)| works(user)) {
                // C5: one user of a directory under several ids.
                let same = |other: &User| {
                    let own = key_of(&user.idp);
                    other.directory == user.directory && own.is_some() && key_of(&other.idp) == own
                };
                let records = || theirs().filter(|(id, other)| *id == who || same(other));
                // A record is spoken of under its own id, and while it works also under the provider's (R95).
                let last_word = |id: &String, other: &User| {
                    let by_provider = other
                        .idp
                        .clone()
                        .filter(|_| works(other))
                        .and_then(|idp| word(Named::ByProvider(other.directory.clone(), idp)));
                    word(Named::ById(id.clone())).max(by_provider)
                };
                let words = |working: bool| {
                    let of = records().filter(move |(_, other)| works(other) == working);
                    of.filter_map(|(id, other)| last_word(id, other))
                };
                // Any record at work that is in it is enough; else the last word about any of them.
                let has_it = words(true).any(|(_, joins)| joins);
                let last = words(true).chain(words(false)).max();
                if has_it || last.is_some_and(|(_, joins)| joins) {
                    names.extend(self.teams.called(id));
                }
            }
        }
        names
    }

    /// Where the rules of the stories put somebody.
    pub(super) fn communities_of(&self, person: &str) -> Vec<String> {
        let known = &self.people[person];
        if !["active", "on_leave"].contains(&known.status) {
            return Vec::new();
        }
        let groups = self.groups_of(person);
        let fields = self.fields_of(person).0;
        let in_other = self.users.values().any(|user| {
            user.person == person
                && user.state == "active"
                && user.waits.is_none()
                && user.directory == "d1_0"
        });
        let mut all = Vec::new();
        if groups.contains("g0.d0_0") {
            all.push("member by group id");
        }
        match (groups.contains("Staff"), groups.contains("All")) {
            (true, true) => all.extend(["admin by group name", "member by community"]),
            (true, false) => all.extend(["member by group name", "member by community"]),
            (false, _) => {}
        }
        if !groups.contains("All") {
            all.push("member not by group");
        }
        if in_other {
            all.push("admin by directory");
        }
        match (fields["title"] == "Lead", fields["department"] == "Sales") {
            (true, _) => all.push("admin by department"),
            (false, true) => all.push("member by department"),
            (false, false) => {}
        }
        all.sort_unstable();
        all.into_iter().map(str::to_owned).collect()
    }
}
