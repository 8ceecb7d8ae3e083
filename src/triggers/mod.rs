//! Triggers: who hears what, when, over which channel (design section 6, R56-R64).
//! The parts here touch no database: what a trigger is and how it is checked when saved
//! (`definition`), how its texts are filled in (`template`), how a message leaves the house
//! (`channels`) and what may become of it (`outcome`).

pub mod channels;
pub mod definition;
pub mod deliveries;
pub mod destinations;
mod gather;
pub mod outcome;
pub mod plan;
pub(crate) mod recheck;
pub mod sender;
pub mod store;
mod suspended;
pub(crate) mod target;
pub mod template;
pub mod text;
pub(crate) mod vars;
pub mod when;
pub mod zone;

pub use crate::conditions::{Condition, Facts, Problem, Problems};
pub use channels::{ChannelSettings, Channels, Message};
pub use definition::{Channel, Event, NewTrigger, Policy, Recipient, Status, Step};
pub use outcome::Outcome;
pub use when::{After, LocalTime};
