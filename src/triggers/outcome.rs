//! What became of one attempt to send. The five answers are all there are, and each leads to one
//! thing only, so that a message to people is accepted at most once (R63): a sender that is not sure says
//! [`Outcome::Unknown`], never [`Outcome::Later`].

use std::time::Duration;

/// The result of one attempt. `reason` and `detail` are for operators: they name the phase and the
/// other side's answer, and hold no address, no name, no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an attempt whose outcome is not recorded may be repeated"]
pub enum Outcome {
    /// The other side took the message. Leads to: delivery `sent`; never attempted again.
    Sent {
        /// What it answered, for example `250 at end of data`.
        detail: String,
    },
    /// It is certain that nothing was taken, and a later try may succeed. Leads to: retried, not
    /// before `retry_after`, which holds for the whole destination and not for this message alone.
    Later {
        /// What the other side asked for (`Retry-After`), at most a day.
        retry_after: Option<Duration>,
        /// Why not now.
        reason: String,
    },
    /// The destination works but will not have this message. Leads to: delivery failed; others to
    /// the same destination go on.
    RefusedMessage {
        /// What it said.
        reason: String,
    },
    /// The destination itself is gone, closed to us, or wrongly configured. Leads to: the
    /// destination is stopped, what is due there is paused, an operator is told; others go on.
    RefusedDestination {
        /// What it said, and what to put right.
        reason: String,
    },
    /// The message was handed over and no answer came: it may have been taken. Leads to: a signed webhook
    /// is sent again under its id; a message to people is shown as `unknown` and resent only by a person (R63).
    Unknown {
        /// When the line went silent.
        reason: String,
    },
}

impl Outcome {
    /// The word for it in columns, the API and metrics labels.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sent { .. } => "sent",
            Self::Later { .. } => "later",
            Self::RefusedMessage { .. } => "refused_message",
            Self::RefusedDestination { .. } => "refused_destination",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// What was said: the detail or the reason.
    pub fn reason(&self) -> &str {
        match self {
            Self::Sent { detail: reason }
            | Self::Later { reason, .. }
            | Self::RefusedMessage { reason }
            | Self::RefusedDestination { reason }
            | Self::Unknown { reason } => reason,
        }
    }

    /// The same without what the other side said, which may be what a database cannot store.
    pub(crate) fn in_plain_words(mut self) -> Self {
        match &mut self {
            Self::Sent { detail: reason }
            | Self::Later { reason, .. }
            | Self::RefusedMessage { reason }
            | Self::RefusedDestination { reason }
            | Self::Unknown { reason } => "what was answered cannot be stored".clone_into(reason),
        }
        self
    }

    pub(crate) fn sent(detail: impl Into<String>) -> Self {
        Self::Sent {
            detail: detail.into(),
        }
    }

    pub(crate) fn later(reason: impl Into<String>) -> Self {
        Self::Later {
            retry_after: None,
            reason: reason.into(),
        }
    }

    pub(crate) fn refused_message(reason: impl Into<String>) -> Self {
        Self::RefusedMessage {
            reason: reason.into(),
        }
    }

    pub(crate) fn refused_destination(reason: impl Into<String>) -> Self {
        Self::RefusedDestination {
            reason: reason.into(),
        }
    }

    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }
}
