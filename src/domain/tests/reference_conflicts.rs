//! The second opinion on conflicts: who waits for a decision, and who gets an address that is let go (R23,
//! R25, C1).

use super::*;

impl Model {
    /// C1: whoever waits is judged again, the one who waits longest first.
    pub(super) fn decide_again(&mut self) {
        let waiting = self
            .users
            .iter()
            .filter(|(_, user)| user.waits.is_some() || user.refused);
        let mut waiting: Vec<(usize, String)> = waiting
            .map(|(id, user)| (user.claims, id.clone()))
            .collect();
        waiting.sort();
        for (_, id) in waiting {
            if let Some(over) = self.users.get_mut(&id).unwrap().waits.take() {
                self.decide(&id, over);
            }
            let user = &self.users[&id];
            if user.refused
                && user.state == "active"
                && user.waits.is_none()
                && self.owner(&id).is_none()
            {
                self.users.get_mut(&id).unwrap().refused = false;
            }
        }
    }

    /// R23: one address, one person; and nobody is shown under what is somebody else's now.
    pub(super) fn share_out(&mut self) {
        let counts = |user: &User| user.state == "active" && user.waits.is_none();
        let holds = |user: &User| counts(user) && !user.refused;
        let all: BTreeSet<String> = self
            .users
            .values()
            .filter_map(|user| key_of(&user.email))
            .collect();
        for address in &all {
            if self.is_crowded("email", address) {
                continue;
            }
            let mut holders: Vec<(bool, usize, String)> = self
                .users
                .iter()
                .filter(|(_, user)| holds(user) && key_of(&user.email).as_ref() == Some(address))
                .map(|(id, user)| (self.gone.contains(&user.directory), user.claims, id.clone()))
                .collect();
            holders.sort();
            let Some((_, _, first)) = holders.first() else {
                continue;
            };
            let first = self.users[first].person.clone();
            for (_, _, id) in holders {
                let user = self.users.get_mut(&id).unwrap();
                if user.person != first {
                    user.refused = true;
                    user.former = None;
                }
            }
        }
        let held: Vec<(Option<String>, String)> = self
            .users
            .values()
            .filter(|user| holds(user) && user.email.is_some())
            .map(|user| (key_of(&user.email), user.person.clone()))
            .collect();
        for user in self
            .users
            .values_mut()
            .filter(|user| counts(user) && user.refused)
        {
            let former = key_of(&user.former);
            if former.is_some()
                && held
                    .iter()
                    .any(|(address, person)| *address == former && *person != user.person)
            {
                user.former = None;
            }
        }
    }

    pub(super) fn decide(&mut self, id: &str, over: &'static str) {
        if self.users[id].state != "active" {
            return;
        }
        if self.may_be_anybody(id) {
            self.settle_in(id);
        } else if over != "email" {
            let waits = match self.whose_by_idp(id) {
                Some(Whose::Waits(over)) => Some(over),
                Some(Whose::Of(other, _)) if self.users[&other].person != self.users[id].person => {
                    Some(over)
                }
                _ => None,
            };
            self.users.get_mut(id).unwrap().waits = waits;
        }
        if self.users[id].waits.is_none() && self.owner(id).is_some() {
            self.users.get_mut(id).unwrap().waits = Some("email");
        }
    }
}
