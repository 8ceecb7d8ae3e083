//! What an organization may set of the fold: the attribute mapping, which directory's word counts
//! first, who is on leave or excluded, what becomes of admin seats and of a deleted directory's people,
//! and how much may go at once. One JSON object a row; unknown keys are errors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::DateOrder;
use crate::conditions::Condition;

use super::comparing::ReconcileSettings;
use super::guard::{LeaveGuard, RemovalGuard};
use super::mapping::Mapping;
use super::messages::MessageSettings;
use super::succession::Succession;
use super::swap::SwapGuard;

/// The settings of one organization.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How payload values become profile fields (C13 by default).
    pub mapping: Mapping,
    /// In which order its directories write day, month and year where `/`, `.` or `-` divides them (R79).
    pub date_order: DateOrder,
    /// Directory ids, the one whose values win first (R35); others follow by when they were first seen.
    pub directory_priority: Vec<String>,
    /// Whether a former admin gets the seat back on a return (C5).
    pub restore_admin: RestoreAdmin,
    /// How many removals an hour may bring before the next ones wait for an operator (R40).
    pub removal_guard: RemovalGuard,
    /// Zones, quiet hours, and who is greeted (R57-R62).
    pub messages: MessageSettings,
    /// How many people may get another identity within an hour before the next ones wait (R42).
    pub swap_guard: SwapGuard,
    /// Who is on leave, and whether they may come in (R34).
    pub on_leave: OnLeave,
    /// Who is nobody's business here, though the directory calls them active (R45).
    pub exclude: Vec<Exclusion>,
    /// What becomes of the people of a deleted directory (R36).
    pub on_directory_deleted: OnDirectoryDeleted,
    /// Who runs a community whose last admin left (R39).
    pub succession: Succession,
    /// How many rule memberships an hour may end before the next ones wait for an operator (R53).
    pub leave_guard: LeaveGuard,
    /// How long leaves that a group's deletion causes wait for an equal group (R52).
    pub poll_cycle_minutes: PollCycle,
    /// Whether one employee number means one person across the organization's directories (R20).
    pub employee_numbers: EmployeeNumbers,
    /// When its directories are compared with WorkOS's own listing, and what follows from it.
    pub reconcile: ReconcileSettings,
}

impl Settings {
    /// What operators call an exclude rule: its name, else its place.
    pub fn name_of(&self, rule: &Exclusion) -> String {
        let place = self.exclude.iter().position(|one| one == rule);
        match (&rule.name, place) {
            (Some(name), _) => name.clone(),
            (None, Some(place)) => format!("exclude[{place}]"),
            (None, None) => "exclude".to_owned(),
        }
    }
}

/// Who is on leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OnLeave {
    /// Whom the directory calls active and this describes is on leave; nobody when nothing is said.
    pub when: Option<Condition>,
    /// Whether people on leave may come in.
    pub access: bool,
}

impl Default for OnLeave {
    fn default() -> Self {
        Self {
            when: None,
            access: true,
        }
    }
}

/// People whom an organization does not want in its roll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// What operators call it: `contractors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whom it shuts out.
    pub when: Condition,
}

/// What becomes of the people of a directory that WorkOS deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDirectoryDeleted {
    /// They stay until an operator decides.
    #[default]
    Hold,
    /// They are removed, unless another directory speaks for them.
    Remove,
}

/// Minutes between two looks of WorkOS into a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PollCycle(pub u32);

impl Default for PollCycle {
    fn default() -> Self {
        Self(30)
    }
}

impl PollCycle {
    /// As a length of time.
    pub fn duration(self) -> std::time::Duration {
        std::time::Duration::from_secs(u64::from(self.0) * 60)
    }
}

/// Over which directories an employee number means the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmployeeNumbers {
    /// Each directory has numbers of its own: across two of them the address or the provider's id must agree.
    #[default]
    PerDirectory,
    /// All directories share one range of numbers.
    Shared,
}

/// What becomes of an admin seat when its holder returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
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
