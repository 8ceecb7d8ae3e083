//! Asking WorkOS on behalf of a page: the client or what to do without one, and its errors as pages.

use std::time::Duration;

use actix_web::http::StatusCode;

use crate::http::{HttpState, Problem};
use crate::upstream::{ResyncError, SyncError};
use crate::workos::client::{Client, ClientError};

use super::super::refusal::Refusal;

/// How long a page that can do without waits for WorkOS.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The configured client, or what to do.
pub(super) fn client(state: &HttpState) -> Result<&Client, Refusal> {
    state.workos.as_ref().ok_or_else(|| {
        Refusal::Page(
            StatusCode::CONFLICT,
            "This asks WorkOS, and WORKOS_API_KEY is not set. WorkOS shows API keys under \
             Dashboard > API Keys; set it and start Rollcall again."
                .to_owned(),
        )
    })
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        let Problem { status, detail, .. } = Problem::from(error);
        Self::Page(status, format!("WorkOS did not help: {detail}."))
    }
}

impl From<SyncError> for Refusal {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Desk(error) => error.into(),
            SyncError::Client(error) => error.into(),
            error => {
                let Problem { status, detail, .. } = Problem::from(error);
                Self::Page(status, format!("{detail}."))
            }
        }
    }
}

impl From<ResyncError> for Refusal {
    fn from(error: ResyncError) -> Self {
        match error {
            ResyncError::Desk(error) => error.into(),
            ResyncError::Client(error) => error.into(),
            ResyncError::Compare(error) => {
                Self::Page(StatusCode::SERVICE_UNAVAILABLE, format!("{error}."))
            }
        }
    }
}
