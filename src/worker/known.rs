//! What of the world in hand the pure fold of one organization may look at.

use crate::domain::{Context, Decisions, Settings};

use super::working_set::WorkingSet;

impl WorkingSet {
    /// The settings of an organization.
    /// The people whom something of this batch changed, links included.
    pub(super) fn people_in_hand(&self) -> std::collections::BTreeSet<String> {
        let touched = self.relatives.iter().filter(|one| one.touched);
        touched
            .flat_map(|one| one.cluster.people.keys().cloned())
            .collect()
    }

    pub(super) fn settings(&self, organization: &str) -> &Settings {
        static DEFAULT: std::sync::LazyLock<Settings> = std::sync::LazyLock::new(Settings::default);
        self.organizations
            .get(organization)
            .map_or(&*DEFAULT, |one| &one.settings)
    }

    /// What the fold of an organization may look at.
    pub(super) fn known<'a>(&'a self, organization: &'a str) -> Context<'a> {
        Context {
            organization_id: organization,
            directories: &self.lives,
            settings: self.settings(organization),
            erased: &self.erased,
            decisions: self
                .decisions
                .get(organization)
                .unwrap_or(Decisions::none()),
            crowded: self.crowded.of(organization),
        }
    }

    /// What the fold of an organization could look at when what is stored was written.
    pub(super) fn known_before<'a>(&'a self, organization: &'a str) -> Context<'a> {
        let settings = self.former.as_ref();
        Context {
            settings: settings.unwrap_or_else(|| self.settings(organization)),
            ..self.known(organization)
        }
    }
}
