//! The second opinion on who is who: by which id, number or address two users are one person, and when
//! what tied them turns out to mean nobody (R20, R24, R25, R86).

use super::*;

impl Model {
    /// Who else works under the address that the directory gives this user.
    pub(super) fn owner(&self, id: &str) -> Option<String> {
        let address = key_of(&self.users[id].email)?;
        if self.is_crowded("email", &address) {
            return None;
        }
        let others = self.others(id).filter(|(_, other)| {
            other.person != self.users[id].person
                && self.works(other)
                && !other.refused
                && key_of(&other.email).as_ref() == Some(&address)
        });
        let first = others.min_by_key(|(id, other)| (other.claims, (*id).clone()));
        first.map(|(_, other)| other.person.clone())
    }

    /// R20: more than three at work in one directory say the same.
    pub(super) fn is_crowded(&self, what: &str, value: &str) -> bool {
        let mut there: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (id, user) in self.users.iter().filter(|(_, user)| user.state == "active") {
            let theirs = match what {
                "email" => key_of(&user.email),
                _ => user.number(),
            };
            if theirs.as_deref() == Some(value) {
                let who = key_of(&user.idp).unwrap_or_else(|| format!("user {id}"));
                there.entry(&user.directory).or_default().insert(who);
            }
        }
        there.values().any(|who| who.len() > 3)
    }

    /// R20, in its order.
    pub(super) fn whose(&self, id: &str) -> Whose {
        let user = &self.users[id];
        if let Some(whose) = self.whose_by_idp(id).or_else(|| self.whose_by_number(id)) {
            return whose;
        }
        let Some(address) = key_of(&user.email).filter(|_| user.state == "active") else {
            return Whose::Own(None);
        };
        if self.is_crowded("email", &address) {
            return Whose::Own(None);
        }
        let people: BTreeSet<String> = self
            .others(id)
            .map(|(_, other)| other.person.clone())
            .collect();
        let (mut left, mut at_work, mut free) = (Vec::new(), 0, Vec::new());
        for person in people {
            let theirs: Vec<(&String, &User)> = self
                .others(id)
                .filter(|(_, other)| other.person == person)
                .collect();
            let under = |other: &User| key_of(&other.email).as_ref() == Some(&address);
            if self.status_of(&person, id) == "removed" {
                if theirs.iter().any(|(_, other)| under(other)) {
                    left.push(person);
                }
            } else if theirs.iter().any(|(_, other)| self.works(other)) {
                let uses = |other: &User| self.works(other) && under(other);
                at_work += usize::from(theirs.iter().any(|(_, other)| uses(other)));
            } else {
                // Listed only: not yet active, or in a directory that is gone.
                let listed = |other: &User| {
                    ["active", "pending"].contains(&other.state) && other.waits.is_none()
                };
                let mut found: Vec<_> = theirs
                    .iter()
                    .filter(|(_, other)| under(other) && listed(other))
                    .collect();
                found.sort_by_key(|(other_id, other)| (other.first, (*other_id).clone()));
                let beside = theirs.iter().any(|(_, other)| {
                    other.directory == user.directory
                        && ["active", "pending"].contains(&other.state)
                        && key_of(&other.idp).is_some()
                        && key_of(&user.idp).is_some()
                        && key_of(&other.idp) != key_of(&user.idp)
                });
                match found.first() {
                    Some((other, _)) if !beside => free.push((*other).clone()),
                    Some(_) => {
                        let counts =
                            |other: &User| other.state == "active" && other.waits.is_none();
                        at_work += usize::from(theirs.iter().any(|(_, other)| counts(other)));
                    }
                    None => {}
                }
            }
        }
        match (at_work, free.as_slice()) {
            (0, []) => Whose::Own(left.into_iter().max_by_key(|person| self.left_at(person))),
            (0, [other]) => Whose::Adopts(other.clone()),
            _ => Whose::Waits("email"),
        }
    }

    pub(super) fn whose_by_idp(&self, id: &str) -> Option<Whose> {
        let user = &self.users[id];
        let own = key_of(&user.idp)?;
        let pick = |is_meant: &dyn Fn(&User) -> bool| -> Vec<(&String, &User)> {
            let same = self
                .others(id)
                .filter(|(_, other)| key_of(&other.idp).as_ref() == Some(&own));
            let mut meant: Vec<_> = same.filter(|(_, other)| is_meant(other)).collect();
            meant.sort_by_key(|(id, other)| (other.first, (*id).clone()));
            meant
        };
        let mut found = pick(&|other| other.directory == user.directory);
        if found.is_empty() {
            let kind = |user: &User| self.kinds.get(&user.directory);
            let agree = |other: &User| {
                (key_of(&user.email).is_some() && key_of(&user.email) == key_of(&other.email))
                    || (kind(user).is_some() && kind(user) == kind(other))
            };
            found = pick(&|other| self.gone.contains(&other.directory) && agree(other));
        }
        let people: BTreeSet<&String> = found.iter().map(|(_, other)| &other.person).collect();
        match people.len() {
            0 => None,
            1 => Some(Whose::Of(found[0].0.clone(), None)),
            _ => Some(Whose::Waits("idp_id")),
        }
    }

    /// R20: a number alone is no identity.
    pub(super) fn whose_by_number(&self, id: &str) -> Option<Whose> {
        let user = &self.users[id];
        let number = user
            .number()
            .filter(|number| !self.is_crowded("number", number))?;
        let address =
            |user: &User| key_of(&user.email).filter(|address| !self.is_crowded("email", address));
        let listed = |other: &User| ["active", "pending"].contains(&other.state);
        let beside = |other: &User| {
            listed(other)
                && other.directory == user.directory
                && (key_of(&user.idp).is_none() || key_of(&other.idp) != key_of(&user.idp))
        };
        let mut people: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        for (other_id, other) in self.others(id) {
            let replaced = || {
                let mut all = self.others(id);
                all.any(|(_, third)| {
                    third.person == other.person
                        && third.directory == other.directory
                        && listed(third)
                })
            };
            let agrees = other.directory == user.directory
                || (key_of(&user.idp).is_some() && key_of(&other.idp) == key_of(&user.idp))
                || (address(user).is_some() && key_of(&other.email) == address(user));
            if other.number().as_ref() == Some(&number) && agrees && (listed(other) || !replaced())
            {
                let theirs = people.entry(other.person.clone()).or_default();
                theirs.push((other.first, other_id.clone()));
            }
        }
        let person = people.keys().next()?.clone();
        let theirs = || {
            self.others(id)
                .filter(|(_, other)| other.person == person)
                .map(|(_, other)| other)
        };
        let in_use: Vec<String> = theirs()
            .filter(|other| other.state == "active" && other.waits.is_none())
            .filter_map(|other| key_of(&other.email))
            .collect();
        let own = key_of(&user.email).filter(|_| user.state == "active");
        let elsewhere = !in_use.is_empty() && own.is_some_and(|own| !in_use.contains(&own));
        if people.len() > 1 || elsewhere || theirs().any(beside) {
            return Some(Whose::Own(None));
        }
        let first = people.remove(&person)?.into_iter().min()?;
        Some(Whose::Of(first.1, Some(format!("number {number}"))))
    }

    /// Users tied by a number or an address that cannot be one person any more.
    pub(super) fn come_apart(&mut self) {
        for _ in 0..self.users.len() {
            let Some(cut) = self.common_tie().or_else(|| self.wrong_tie()) else {
                return;
            };
            self.cut(&cut);
        }
    }

    pub(super) fn common_tie(&self) -> Option<String> {
        let common = |user: &User| {
            let by = user.tie.as_ref().and_then(|(by, _)| by.as_ref());
            by.and_then(|by| by.split_once(' '))
                .is_some_and(|(what, value)| self.is_crowded(what, value))
        };
        let mut all = self.users.iter();
        all.find(|(_, user)| common(user)).map(|(id, _)| id.clone())
    }

    pub(super) fn wrong_tie(&self) -> Option<String> {
        let mut active: Vec<(&String, &User)> = self
            .users
            .iter()
            .filter(|(_, user)| user.state == "active")
            .collect();
        active.sort_by_key(|(id, user)| (user.first, (*id).clone()));
        for (place, (later_id, later)) in active.iter().enumerate() {
            for (earlier_id, earlier) in &active[..place] {
                let ids = (key_of(&later.idp), key_of(&earlier.idp));
                let mails = (key_of(&later.email), key_of(&earlier.email));
                let differ = match (ids, mails) {
                    ((Some(one), Some(other)), _) | (_, (Some(one), Some(other))) => one != other,
                    _ => false,
                };
                if later.person != earlier.person || later.directory != earlier.directory || !differ
                {
                    continue;
                }
                let (one, other) = (self.path(later_id), self.path(earlier_id));
                let only = |all: &[String], but: &[String]| -> Vec<String> {
                    all.iter().filter(|id| !but.contains(id)).cloned().collect()
                };
                let mut between = only(&one, &other);
                between.extend(only(&other, &one));
                let loose = |id: &String| {
                    self.users[id]
                        .tie
                        .as_ref()
                        .is_some_and(|(by, _)| by.is_some())
                };
                if let Some(cut) = between.into_iter().find(loose) {
                    return Some(cut);
                }
            }
        }
        None
    }

    pub(super) fn path(&self, id: &str) -> Vec<String> {
        let mut all = vec![id.to_owned()];
        while let Some((_, next)) = self.users[all.last().unwrap()].tie.clone() {
            if all.contains(&next) || self.users[&next].person != self.users[id].person {
                break;
            }
            all.push(next);
        }
        all
    }

    pub(super) fn cut(&mut self, id: &str) {
        let person = self.users[id].person.clone();
        self.users.get_mut(id).unwrap().tie = None;
        let theirs: Vec<String> = self
            .users
            .iter()
            .filter(|(_, user)| user.person == person)
            .map(|(id, _)| id.clone())
            .collect();
        let (go, stay): (Vec<String>, Vec<String>) = theirs
            .into_iter()
            .partition(|user| self.path(user).contains(&id.to_owned()));
        if stay.is_empty() {
            return;
        }
        let mut own = format!("person of {id}");
        while self.people.contains_key(&own) {
            own.push('+');
        }
        self.people.insert(own.clone(), fresh());
        for user in &go {
            self.users.get_mut(user).unwrap().person = own.clone();
        }
        let worked = |all: &[String]| all.iter().any(|id| self.worked_before.contains(id));
        // R31: who takes the person back was away meanwhile.
        if worked(&go) && !worked(&stay) {
            let person = self.people.get_mut(&person).unwrap();
            let at = self.now;
            person.left = Some((self.time, at, person.left.map_or("", |left| left.2)));
            person.renewed = true;
        }
    }
}
