//! What an organization may set of the fold: the attribute mapping, which directory's word counts
//! first, what becomes of admin seats on a return. One JSON object a row; unknown keys are errors.

use serde::{Deserialize, Serialize};

use super::guard::RemovalGuard;
use super::mapping::Mapping;
use super::swap::SwapGuard;

/// The settings of one organization.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How payload values become profile fields (C13 by default).
    pub mapping: Mapping,
    /// Directory ids, the one whose values win first (R35); others follow by when they were first seen.
    pub directory_priority: Vec<String>,
    /// Whether a former admin gets the seat back on a return (C5).
    pub restore_admin: RestoreAdmin,
    /// How many removals an hour may bring before the next ones wait for an operator (R40).
    pub removal_guard: RemovalGuard,
    /// How many people may get another identity within an hour before the next ones wait (R42).
    pub swap_guard: SwapGuard,
}

/// What becomes of an admin seat when its holder returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreAdmin {
    /// They return as a member, and an operator is told.
    #[default]
    Ask,
    /// They return as an admin.
    Always,
    /// They return as a member.
    Never,
}
