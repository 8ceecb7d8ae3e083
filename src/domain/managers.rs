//! Who somebody's manager is (R78), pure: whom the directory's words name, by the order in which they
//! identify anybody (R20), and whether following managers upwards leads back. Asked when it is needed
//! and never stored, so that it does not matter who arrived first, and a manager's own changes count
//! at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::workos::clean;

use super::identity::fold_case;

/// What a directory says of somebody's manager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagerWords {
    /// `manager_id`: a directory user id, a provider's id, or in some directories an employee number
    /// or an address.
    pub id: Option<String>,
    /// The manager's employee number.
    pub number: Option<String>,
    /// The manager's address.
    pub email: Option<String>,
}

impl ManagerWords {
    /// Whether anything is said at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The id that may be meant.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        named(self.id.iter())
    }

    /// The numbers that may be meant.
    pub fn numbers(&self) -> impl Iterator<Item = &str> {
        named(self.number.iter().chain(&self.id))
    }

    /// The addresses that may be meant.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let ids = self.id.iter().filter(|id| id.contains('@'));
        named(self.email.iter().chain(ids))
    }
}

/// A placeholder names nobody (R86), also where somebody's own number is the same placeholder.
fn named<'a>(words: impl Iterator<Item = &'a String>) -> impl Iterator<Item = &'a str> {
    words
        .map(String::as_str)
        .filter(|word| !clean::is_placeholder(word))
}

/// A directory user of somebody who may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerLink {
    /// WorkOS's id.
    pub id: String,
    /// Its directory.
    pub directory_id: String,
    /// The provider's id.
    pub idp_id: Option<String>,
}

/// Somebody who may be meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ManagerCandidate {
    /// Their profile.
    pub profile_id: String,
    /// Whether they work there now.
    pub works: bool,
    /// Their directory users.
    pub links: Vec<ManagerLink>,
    /// Their present address.
    pub email: Option<String>,
    /// Addresses they had before.
    pub former_emails: BTreeSet<String>,
    /// Their employee number.
    pub number: Option<String>,
}

/// Who is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    /// Nobody who is known.
    Nobody,
    /// More than one who works there: no guess is made.
    Several,
    /// This profile, which need not work there any more.
    Profile(String),
}

/// Whom the words mean. `directories` are the person's own, whose providers' ids count first.
pub fn meant(
    words: &ManagerWords,
    directories: &BTreeSet<String>,
    candidates: &[ManagerCandidate],
) -> Meant {
    let same = |one: &Option<String>, other: &str| {
        one.as_deref()
            .is_some_and(|one| fold_case(one) == fold_case(other))
    };
    let has_link = |fits: &dyn Fn(&ManagerLink) -> bool| {
        candidates
            .iter()
            .filter(|one| one.links.iter().any(fits))
            .collect::<Vec<_>>()
    };
    let mut tiers: Vec<Vec<&ManagerCandidate>> = Vec::new();
    for id in words.ids() {
        let of_provider = |link: &ManagerLink| link.idp_id.as_deref() == Some(id);
        tiers.push(has_link(&|link| link.id == id));
        tiers.push(has_link(&|link| {
            of_provider(link) && directories.contains(&link.directory_id)
        }));
        tiers.push(has_link(&of_provider));
    }
    let among = |fits: &dyn Fn(&ManagerCandidate) -> bool| {
        candidates
            .iter()
            .filter(|one| fits(one))
            .collect::<Vec<_>>()
    };
    for number in words.numbers() {
        tiers.push(among(&|one| same(&one.number, number)));
    }
    for address in words.addresses() {
        tiers.push(among(&|one| same(&one.email, address)));
    }
    // Only when nobody has the address now: a manager was renamed and the word is the old one.
    for address in words.addresses() {
        tiers.push(among(&|one| {
            one.former_emails.contains(&fold_case(address))
        }));
    }
    let first = tiers.into_iter().find(|tier| !tier.is_empty());
    first.map_or(Meant::Nobody, |tier| one_of(&tier))
}

fn one_of(tier: &[&ManagerCandidate]) -> Meant {
    let ids = |working: bool| {
        let some = tier.iter().filter(|one| one.works == working);
        some.map(|one| one.profile_id.as_str())
            .collect::<BTreeSet<_>>()
    };
    let working = ids(true);
    match (working.len(), working.first()) {
        (0, _) => ids(false)
            .first()
            .map_or(Meant::Nobody, |id| Meant::Profile((*id).to_owned())),
        (1, Some(id)) => Meant::Profile((*id).to_owned()),
        _ => Meant::Several,
    }
}

/// Whether following managers upwards from somebody leads back to them.
pub fn in_circle(start: &str, managers: &BTreeMap<String, String>) -> bool {
    let mut passed = BTreeSet::new();
    let mut at = start;
    while let Some(next) = managers.get(at) {
        if next == start {
            return true;
        }
        if !passed.insert(next.as_str()) {
            return false;
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(id: &str, works: bool) -> ManagerCandidate {
        ManagerCandidate {
            profile_id: id.to_owned(),
            works,
            links: vec![ManagerLink {
                id: format!("directory_user_{id}"),
                directory_id: "d1".to_owned(),
                idp_id: Some(format!("idp_{id}")),
            }],
            email: Some(format!("{id}@x.example")),
            number: Some(format!("100{id}")),
            ..ManagerCandidate::default()
        }
    }

    fn by_id(id: &str) -> ManagerWords {
        ManagerWords {
            id: Some(id.to_owned()),
            ..ManagerWords::default()
        }
    }

    fn by_email(email: &str) -> ManagerWords {
        ManagerWords {
            email: Some(email.to_owned()),
            ..ManagerWords::default()
        }
    }

    fn who(words: &ManagerWords, all: &[ManagerCandidate]) -> Meant {
        meant(words, &["d1".to_owned()].into(), all)
    }

    fn is(id: &str) -> Meant {
        Meant::Profile(id.to_owned())
    }

    #[test]
    fn r78_a_manager_is_named_by_any_of_their_ids_their_number_or_their_address() {
        let all = [person("li", true), person("bo", true)];
        let named = ["directory_user_li", "idp_li", "100li", "LI@x.example"];
        for id in named {
            assert_eq!(who(&by_id(id), &all), is("li"), "{id}");
        }
        assert_eq!(who(&by_email("Li@X.example"), &all), is("li"));
        let number = ManagerWords {
            number: Some("100BO".to_owned()),
            ..ManagerWords::default()
        };
        assert_eq!(who(&number, &all), is("bo"));
        assert_eq!(who(&by_id("stranger"), &all), Meant::Nobody);
    }

    #[test]
    fn r78_an_id_counts_more_than_an_address() {
        let words = ManagerWords {
            email: Some("bo@x.example".to_owned()),
            ..by_id("idp_li")
        };
        let all = [person("li", true), person("bo", true)];
        assert_eq!(who(&words, &all), is("li"));
        let gone = [person("li", false), person("bo", true)];
        assert_eq!(who(&words, &gone), is("li"), "who was named has left");
    }

    #[test]
    fn r78_an_old_address_is_the_renamed_managers_until_somebody_else_has_it() {
        let renamed = ManagerCandidate {
            email: Some("li.wen@x.example".to_owned()),
            former_emails: ["li@x.example".to_owned()].into(),
            ..person("li", true)
        };
        let words = by_email("li@x.example");
        assert_eq!(who(&words, std::slice::from_ref(&renamed)), is("li"));
        let heir = ManagerCandidate {
            email: Some("li@x.example".to_owned()),
            ..person("bo", true)
        };
        assert_eq!(who(&words, &[renamed, heir]), is("bo"));
    }

    #[test]
    fn r78_of_several_under_one_number_none_is_guessed() {
        let twin = |id: &str, works| ManagerCandidate {
            number: Some("7".to_owned()),
            ..person(id, works)
        };
        assert_eq!(
            who(&by_id("7"), &[twin("a", true), twin("b", true)]),
            Meant::Several
        );
        assert_eq!(
            who(&by_id("7"), &[twin("a", true), twin("b", false)]),
            is("a")
        );
    }

    #[test]
    fn r86_a_placeholder_is_nobodys_manager_though_somebody_has_it() {
        let mut nobody = person("li", true);
        nobody.number = Some("0".to_owned());
        nobody.email = Some("n/a".to_owned());
        nobody.links[0].idp_id = Some("N/A".to_owned());
        let all = [nobody];
        for word in ["N/A", "0", "-", " "] {
            assert_eq!(who(&by_id(word), &all), Meant::Nobody, "{word:?}");
        }
        assert_eq!(who(&by_email("n/a"), &all), Meant::Nobody);
    }

    #[test]
    fn r78_a_provider_id_of_the_persons_own_directory_counts_first() {
        let mut other = person("bo", true);
        other.links[0].directory_id = "d2".to_owned();
        other.links[0].idp_id = Some("idp_li".to_owned());
        assert_eq!(
            who(&by_id("idp_li"), &[other, person("li", true)]),
            is("li")
        );
    }

    proptest! {
        #[test]
        fn r78_following_managers_ends_and_finds_every_circle(
            links in proptest::collection::vec(0_usize..12, 12)
        ) {
            let managers: BTreeMap<String, String> = links
                .iter()
                .enumerate()
                .map(|(who, manager)| (who.to_string(), manager.to_string()))
                .collect();
            for (who, _) in links.iter().enumerate() {
                // Whoever is in a circle of twelve people is met again within twelve steps.
                let mut at = who;
                let mut met = false;
                for _ in 0..12 {
                    at = links[at];
                    met |= at == who;
                }
                prop_assert_eq!(in_circle(&who.to_string(), &managers), met);
            }
        }
    }
}
