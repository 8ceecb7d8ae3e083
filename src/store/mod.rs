//! Rows and set queries for what the roll knows: organizations, directories, profiles, links,
//! observations, groups, communities, changes. Functions take `conn` first and run in the caller's
//! transaction; each loads or writes a whole set in one statement.

pub mod acts;
pub mod changes;
pub mod chores;
pub mod cluster;
pub mod communities;
pub mod crowds;
pub mod decisions;
pub mod directories;
mod drift;
pub mod erasures;
pub mod failing_reconciles;
pub mod groups;
pub mod holds;
pub mod installation;
mod job_list;
pub mod jobs;
pub mod left_out;
pub mod legal_holds;
mod listed;
pub mod managers;
pub mod mentions;
pub mod observations;
mod opened_holds;
pub mod opt_outs;
pub mod organizations;
pub mod processes;
mod profile_keys;
mod profile_links;
pub mod profiles;
pub mod reconciles;
pub mod refetches;
pub mod refusals;
pub mod renames;
pub mod rules;
pub mod seated;
pub mod secret_uses;
pub mod secrets;
pub mod sessions;
pub mod setup_links;
pub mod staged;
pub mod standings;
pub mod succession;
pub mod surroundings;
pub mod suspensions;
pub mod swaps;
pub mod tokens;
pub mod wrong_paths;

/// A JSON column that we wrote ourselves and cannot read: the database was edited by hand, or is
/// from another version.
pub(crate) fn unreadable(what: &str, id: &str, error: &serde_json::Error) -> diesel::result::Error {
    diesel::result::Error::DeserializationError(
        format!("the stored {what} of {id} is not what this version writes: {error}").into(),
    )
}

/// Serializes what we keep as JSON text.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> diesel::QueryResult<String> {
    serde_json::to_string(value)
        .map_err(|error| diesel::result::Error::SerializationError(error.into()))
}
