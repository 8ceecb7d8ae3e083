//! The outside vocabulary: what WorkOS Directory Sync sends, read into types of our own. Pure: no
//! database, no network, no runtime. `signature` proves where bytes came from, `envelope` reads
//! the few fields the outbox indexes, `event` reads the whole, `order` says which of two events is
//! newer. Readers are lenient where the wire is loose (fields that come and go, two timestamp
//! forms, foreign ids) and strict where a guess could remove or greet the wrong person.

pub mod clean;
pub mod clean_user;
pub mod client;
pub mod envelope;
pub mod event;
pub mod ids;
pub mod order;
pub mod signature;
pub mod text;
pub mod truth;
pub mod user;

mod email;
mod json;
mod legacy;

pub use envelope::{Envelope, EnvelopeError, read_envelope};
pub use event::{Data, Directory, Event, Group, Membership, Unusable, read_event};
pub use ids::{event_time, new_event_id, provider_user};
pub use order::OrderKey;
pub use signature::{
    Rejection, Secret, Secrets, SecretsError, Verified, sign, time_of, verify, well_formed,
};
pub use user::{DirectoryUser, Said, UserState};

#[cfg(test)]
mod fixture_tests;
