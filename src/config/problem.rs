//! What is wrong with the configuration: one sentence a problem, all of them told together.

use std::fmt;

use super::setting::Setting;
use super::sources::Origin;

/// One thing that is wrong, as a sentence that names where it was said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

impl Problem {
    pub(super) fn new(said: impl Into<String>) -> Self {
        Self(said.into())
    }

    /// `said` continues the sentence and holds no secret.
    pub(super) fn of(setting: &Setting, origin: &Origin, said: impl fmt::Display) -> Self {
        let place = match origin {
            Origin::Environment(name) => name.clone(),
            Origin::Flag(flag) => flag.clone(),
            Origin::File(key) => format!("`{key}` in the configuration file"),
            Origin::Default | Origin::Unset => setting.env.to_owned(),
        };
        Self(format!("{place}: {said}"))
    }
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(out, "the configuration has a problem: {one}"),
            many => {
                write!(out, "the configuration has {} problems:", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(out, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for Problems {}
