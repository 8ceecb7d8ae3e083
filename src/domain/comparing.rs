//! When directories are compared with WorkOS's own listing by themselves, and what follows from it:
//! for everybody, and by organization where one wants it otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done when a comparison is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparing {
    /// Nothing.
    Off,
    /// What differs is reported, and applied by choice.
    Report,
    /// What differs is applied, under the guards that stand before every webhook.
    Apply,
}

/// How an organization's directories are compared; what it does not say is as for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileSettings {
    /// What is done.
    pub mode: Option<Comparing>,
    /// How often.
    pub interval_hours: Option<u32>,
}
