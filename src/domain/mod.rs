//! The heart, pure: what an event does is a function of what is known, the event and the settings.
//! Events are folded in the order of [`OrderKey`](crate::workos::OrderKey) (R66), never in the order
//! of arrival: an event that comes late is put where it belongs and what follows it is folded again,
//! so that any order, any duplicates and any batching end in the same roll (R14).
//! No database, no clock, no network.

pub mod access;
mod attributes;
mod claims;
mod cluster;
mod comparing;
mod compose;
mod contest;
mod context;
mod converted;
mod decisions;
mod directory;
mod drift;
pub mod erasure;
mod families;
mod fold;
mod groups;
pub mod guard;
mod identity;
mod lifecycle;
mod managers;
mod mapping;
mod mapping_read;
mod memberships;
mod messages;
mod numbers;
mod observation;
mod outcome;
mod parting;
mod places;
mod question;
mod refold;
mod rules;
mod screen;
mod settings;
mod succession;
mod swap;
mod tie;
mod transforms;
mod visibility;

pub use cluster::{IdentityCluster, Joined, Link, LinkState, Person};
pub use comparing::{Comparing, ReconcileSettings};
pub use compose::{FIELDS, Profile, compose};
pub use context::Context;
pub use decisions::Decisions;
pub use directory::{DirectoryLife, DirectoryTurn, directory_of_logins, is_of_logins};
pub use drift::differences;
pub use families::Families;
pub use fold::{apply, fold};
pub use groups::{Edge, Group, probably_renamed};
pub use identity::{fold_case, idp_key, keys_of, keys_said};
pub use lifecycle::{EXCLUDED, Status, let_go};
pub use managers::{ManagerCandidate, ManagerLink, ManagerWords, Meant, in_circle, meant};
pub use mapping::{Mapping, MappingRule, STANDARD_TARGETS, ValueKind};
pub use memberships::{LEFT, Left, Membership, Role, Source, StandIn, follow_status};
pub use messages::{BurstGuard, MessageSettings, QuietHours};
pub use observation::{Life, Observation, Said, Step};
pub(crate) use outcome::sentence;
pub use outcome::{Change, Outcome, diff_profiles};
pub use places::{Holder, displaced, groups_of, standing_edges};
pub use question::{Asks, Question, question};
pub use refold::{comes_late, keeper_of, reconcile, refold, rightful, scattered, turn_concerns};
pub use rules::{Candidate, RULE_ENDED, Ruled, Turn, judge};
pub use screen::UNASKED;
pub use settings::{
    EmployeeNumbers, Exclusion, OnDirectoryDeleted, OnLeave, PollCycle, RestoreAdmin, Settings,
};
pub use succession::{Candidates, Succession, Successor};
pub use swap::{SwapGuard, swapped};
pub use tie::is_tie;
pub use transforms::{Otherwise, Transform};
pub use visibility::{HIDDEN, Hidden};

#[cfg(test)]
mod tests;
