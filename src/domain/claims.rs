//! What a link claims to be known by: the provider's id, the employee number and the address that its
//! directory gives it, each as a key. A placeholder is none (R86), and what more than a handful of
//! living people of one directory claim is none while they do (R20): it is kept for show, and
//! brings nobody together.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cluster::{IdentityCluster, Link, LinkState};
use super::context::Context;
use super::identity::{email_key, idp_key, number_key};

/// So many people of one directory may claim a number or an address before it means nobody.
const MOST_CLAIMANTS: usize = 3;

/// The address that the directory gives a link, whether or not it is shown.
pub(super) fn address_of(link: &Link) -> Option<&str> {
    link.wanted_email.as_deref().or_else(|| link.email())
}

/// The same as a key.
pub(super) fn email_key_of(link: &Link) -> Option<String> {
    address_of(link).and_then(email_key)
}

/// The address that a link is shown under and that is its own: not a former one it keeps meanwhile.
pub(super) fn held_key_of(link: &Link) -> Option<String> {
    let held = link.email().filter(|_| link.wanted_email.is_none());
    held.and_then(email_key)
}

pub(super) fn idp_key_of(link: &Link) -> Option<String> {
    link.idp_id.as_deref().and_then(idp_key)
}

pub(super) fn number_key_of(link: &Link) -> Option<String> {
    let number = link.values.get("employee_number");
    number.and_then(Value::as_str).and_then(number_key)
}

/// Keys that too many living people of one directory claim.
#[derive(Debug, Default)]
pub(super) struct Repeated(BTreeSet<String>);

impl Repeated {
    pub(super) fn of(cluster: &IdentityCluster, known: &Context<'_>) -> Self {
        Self::among(cluster.links.values(), known)
    }

    /// With a link that is not, or not as it is now, in the cluster.
    pub(super) fn with(cluster: &IdentityCluster, link: &Link, known: &Context<'_>) -> Self {
        let rest = cluster.links.values().filter(|other| other.id != link.id);
        Self::among(rest.chain([link]), known)
    }

    fn among<'a>(links: impl Iterator<Item = &'a Link>, known: &Context<'_>) -> Self {
        let mut claimants: BTreeMap<(String, &str), BTreeSet<String>> = BTreeMap::new();
        for link in links.filter(|link| link.state == LinkState::Active) {
            let keys = [number_key_of(link), email_key_of(link)];
            for key in keys.into_iter().flatten() {
                let own = idp_key_of(link).unwrap_or_else(|| format!("u:{}", link.id));
                let of_directory = claimants.entry((key, &link.directory_id)).or_default();
                of_directory.insert(own);
            }
        }
        let many = claimants
            .into_iter()
            .filter(|(_, who)| who.len() > MOST_CLAIMANTS);
        let many = many.map(|((key, _), _)| key);
        Self(many.chain(known.crowded.iter().cloned()).collect())
    }

    pub(super) fn contains(&self, key: &str) -> bool {
        self.0.contains(key)
    }
}

/// Sentences about what a link is not known by, for the people who look after the directory.
pub(super) fn warnings_of(link: &Link, repeated: &Repeated) -> Vec<String> {
    let number = link.values.get("employee_number").and_then(Value::as_str);
    let fields = [
        ("email", address_of(link), email_key_of(link)),
        ("employee_number", number, number_key_of(link)),
        ("idp_id", link.idp_id.as_deref(), idp_key_of(link)),
    ];
    let told = fields.into_iter().filter_map(|(field, value, key)| {
        value?;
        match key {
            None => Some(format!("{field}: a placeholder; nobody is known by it")),
            Some(key) if repeated.contains(&key) => Some(format!(
                "{field}: more than {MOST_CLAIMANTS} active people of the directory have the same one; nobody is known by it"
            )),
            Some(_) => None,
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::teller::{after, user};

    #[test]
    fn r20_nobody_is_known_by_a_crowded_key_even_where_few_of_its_links_are_at_hand() {
        let story = after([user("u1").number("7").email("a@x").active().at(1)]);
        let crowded = BTreeSet::from(["n:7".to_owned()]);
        let seen = Context {
            crowded: &crowded,
            ..story.known()
        };
        let repeated = Repeated::of(&story.cluster[0], &seen);
        assert!(repeated.contains("n:7"));
        assert!(!repeated.contains("e:a@x"));
    }
}
