//! The heart, pure: what an event does is a function of what is known, the event and the settings.
//! Events are folded in the order of [`OrderKey`](crate::workos::OrderKey) (R66), never in the order
//! of arrival: an event that comes late is put where it belongs and what follows it is folded again,
//! so that any order, any duplicates and any batching end in the same roll (R14).
//! No database, no clock, no network.

mod attributes;
mod compose;
mod contest;
mod directory;
mod families;
mod fold;
mod groups;
pub mod guard;
mod identity;
mod kin;
mod lifecycle;
mod memberships;
mod outcome;
mod refold;
mod screen;
mod settings;
mod statement;
mod succession;

pub use attributes::{Mapping, MappingRule, ValueKind};
pub use compose::{FIELDS, Profile, compose};
pub use directory::{DirectoryLife, DirectoryTurn};
pub use families::Families;
pub use fold::{Known, apply, fold};
pub use groups::{Edge, Group, probably_renamed};
pub use identity::keys_said;
pub use kin::{Kin, Link, LinkState, Person};
pub use lifecycle::{EXCLUDED, Status, let_go};
pub use memberships::{LEFT, Membership, Role, Source, StandIn, follow_status};
pub(crate) use outcome::sentence;
pub use outcome::{Change, Outcome, diff_profiles};
pub use refold::{comes_late, reconcile, refold, turn_concerns};
pub use screen::UNASKED;
pub use settings::{Exclusion, OnDirectoryDeleted, OnLeave, PollCycle, RestoreAdmin, Settings};
pub use statement::{Life, Said, Statement, Step};
pub use succession::{Candidates, Succession, Successor};

#[cfg(test)]
mod tests;
