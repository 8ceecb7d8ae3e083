//! What the core knows beside the cluster in hand: the organization's settings, the lives of its directories,
//! operators' decisions, erased profiles, crowded keys. Everything is loaded before and stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use crate::workos::OrderKey;

use super::decisions::Decisions;
use super::directory::{DirectoryLife, is_of_logins};
use super::settings::Settings;

/// What a fold may look at beside the cluster itself.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The organization all of it belongs to.
    pub organization_id: &'a str,
    /// The lives of its directories, by id.
    pub directories: &'a BTreeMap<String, DirectoryLife>,
    /// Its settings.
    pub settings: &'a Settings,
    /// Profiles that were erased: whoever returns is somebody new (R65).
    pub erased: &'a BTreeSet<String>,
    /// What operators decided about who is who.
    pub decisions: &'a Decisions,
    /// Keys that more links have than are ever loaded together: whoever else has one is not in the
    /// cluster, so that it brings nobody together.
    pub crowded: &'a BTreeSet<String>,
}

impl Context<'_> {
    pub(super) fn live_at(&self, directory: &str, key: &OrderKey) -> bool {
        let mut real = self.directories.iter().filter(|(id, _)| !is_of_logins(id));
        if is_of_logins(directory) && real.any(|(_, life)| life.speaks_at(key)) {
            return false;
        }
        self.directories
            .get(directory)
            .is_none_or(|life| life.live_at(key))
    }

    pub(super) fn kind_at(&self, directory: &str, key: &OrderKey) -> Option<&str> {
        self.directories
            .get(directory)
            .and_then(|life| life.kind_at(key))
    }
}
