//! Who runs a community whose last admin left (R39): the removal is not delayed for it. Only people
//! count who are active and no bots. Where nobody can be found the community is an orphan, and is
//! listed until somebody runs it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;

/// An organization's policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Succession {
    /// Who is asked, in this order.
    pub order: Vec<Successor>,
    /// The profile id of whoever takes what nobody else does.
    pub fallback_owner: Option<String>,
    /// Who is no human being: service accounts run nothing.
    pub bots: Option<Condition>,
}

impl Default for Succession {
    fn default() -> Self {
        Self {
            order: vec![
                Successor::CoOwner,
                Successor::Manager,
                Successor::FallbackOwner,
            ],
            fallback_owner: None,
            bots: None,
        }
    }
}

/// Somebody who may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Successor {
    /// A member who ran it too, before they left once and returned as a member (C5).
    CoOwner,
    /// The leaver's manager.
    Manager,
    /// The organization's.
    FallbackOwner,
}

impl Successor {
    /// As shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CoOwner => "co_owner",
            Self::Manager => "manager",
            Self::FallbackOwner => "fallback_owner",
        }
    }
}

/// Who could follow, as far as there is somebody: each the profile id of one who counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Former admins among the members.
    pub co_owners: Vec<String>,
    /// The leaver's manager.
    pub manager: Option<String>,
    /// The organization's fallback owner.
    pub fallback_owner: Option<String>,
}

impl Succession {
    /// Who follows, and as what; `None` leaves an orphan.
    pub fn next(&self, candidates: &Candidates, leaver: &str) -> Option<(Successor, String)> {
        self.order.iter().find_map(|&role| {
            let found = match role {
                Successor::CoOwner => candidates.co_owners.iter().find(|id| *id != leaver),
                Successor::Manager => candidates.manager.as_ref(),
                Successor::FallbackOwner => candidates.fallback_owner.as_ref(),
            };
            found
                .filter(|id| *id != leaver)
                .map(|id| (role, id.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Candidates {
        Candidates {
            co_owners: vec!["ada".to_owned(), "bob".to_owned()],
            manager: Some("mia".to_owned()),
            fallback_owner: Some("fay".to_owned()),
        }
    }

    #[test]
    fn r39_the_policy_says_who_is_asked_first() {
        let by = |order: &[Successor]| {
            let policy = Succession {
                order: order.to_vec(),
                ..Succession::default()
            };
            policy.next(&all(), "ada").map(|(_, id)| id)
        };
        use Successor::{CoOwner, FallbackOwner, Manager};
        assert_eq!(by(&[CoOwner, Manager]).as_deref(), Some("bob"));
        assert_eq!(by(&[Manager, CoOwner]).as_deref(), Some("mia"));
        assert_eq!(by(&[FallbackOwner]).as_deref(), Some("fay"));
        assert_eq!(by(&[]), None);
    }

    #[test]
    fn r39_where_nobody_can_follow_it_is_an_orphan() {
        let policy = Succession::default();
        assert_eq!(policy.next(&Candidates::default(), "ada"), None);
        let herself = Candidates {
            manager: Some("ada".to_owned()),
            ..Candidates::default()
        };
        assert_eq!(policy.next(&herself, "ada"), None);
    }
}
