//! Errors as pages: what happened, and what to do. The cause of our own faults goes to the log
//! under the request id that the page shows.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};
use askama::Template;

use crate::db::DbError;
use crate::http::current_request_id;
use crate::operations::OperationError;

use super::frame::{Frame, go, page_with};

/// Why a page is not shown.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// Nobody is signed in: on to the sign-in page.
    SignIn(String),
    /// Nobody is signed in any more, and a page's script asks: it is to load the page anew.
    Ended,
    /// What a page's script asks for is what it has.
    NothingNew,
    /// A page with a status that says why.
    Page(StatusCode, String),
    /// Something is wrong on our side; the log has it.
    Internal,
}

impl Refusal {
    /// A form that did not come from our own pages.
    pub fn foreign_form() -> Self {
        Self::Page(
            StatusCode::FORBIDDEN,
            "The form did not come from a page of this session, so nothing was done. \
             Go back, reload the page, and send it again."
                .to_owned(),
        )
    }

    /// A form or an address that cannot be read.
    pub fn unreadable(error: impl std::fmt::Display) -> Self {
        Self::Page(
            StatusCode::BAD_REQUEST,
            format!("What was sent cannot be read: {error}."),
        )
    }

    /// Nothing at this address.
    pub fn nothing_here() -> Self {
        Self::Page(
            StatusCode::NOT_FOUND,
            "There is nothing at this address. The navigation leads to everything there is."
                .to_owned(),
        )
    }
}

#[derive(Template)]
#[template(path = "refusal.html", config = "src/console/askama.toml")]
struct RefusalPage {
    frame: Frame,
    status: u16,
    detail: String,
    request_id: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SignIn(_) | Self::Ended => out.write_str("nobody is signed in"),
            Self::NothingNew => out.write_str("nothing is new"),
            Self::Page(_, detail) => out.write_str(detail),
            Self::Internal => out.write_str("something went wrong on our side"),
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn(_) => StatusCode::SEE_OTHER,
            Self::Ended => StatusCode::UNAUTHORIZED,
            Self::NothingNew => StatusCode::NOT_MODIFIED,
            Self::Page(status, _) => *status,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::SignIn(to) => return go(to),
            Self::NothingNew => return HttpResponse::NotModified().finish(),
            Self::Ended => {
                return HttpResponse::Unauthorized()
                    .insert_header(("hx-refresh", "true"))
                    .finish();
            }
            Self::Page(..) | Self::Internal => {}
        }
        let status = self.status_code();
        let detail = match self {
            Self::Internal => "Something went wrong on our side. The log has it under the number \
                               below; trying again may help."
                .to_owned(),
            other => other.to_string(),
        };
        let template = RefusalPage {
            frame: Frame::bare(title_of(status)),
            status: status.as_u16(),
            detail,
            request_id: current_request_id(),
        };
        let mut answer = page_with(status, &template).unwrap_or_else(|_| HttpResponse::new(status));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(
                RETRY_AFTER,
                actix_web::http::header::HeaderValue::from_static("5"),
            );
        }
        answer
    }
}

fn title_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::CONFLICT => "Not possible just now",
        StatusCode::SERVICE_UNAVAILABLE => "Not available just now",
        StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
        status if status.is_client_error() => "That did not work",
        _ => "Something went wrong",
    }
}

impl From<OperationError> for Refusal {
    fn from(error: OperationError) -> Self {
        let status = match &error {
            OperationError::NotFound { .. } => StatusCode::NOT_FOUND,
            OperationError::Invalid(_) => StatusCode::BAD_REQUEST,
            OperationError::Problems(_) => StatusCode::UNPROCESSABLE_ENTITY,
            OperationError::Conflict(_) => StatusCode::CONFLICT,
            OperationError::Forbidden(_) => StatusCode::FORBIDDEN,
            OperationError::TooSlow(_) => StatusCode::SERVICE_UNAVAILABLE,
            OperationError::Database(cause) => {
                tracing::error!(error = %cause, request_id = current_request_id(), "the database could not answer");
                return match cause {
                    DbError::Pool(_) | DbError::Connect { .. } => Self::Page(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "The database cannot be reached just now. Try again in a few seconds."
                            .to_owned(),
                    ),
                    _ => Self::Internal,
                };
            }
        };
        Self::Page(status, sentence(&error.to_string()))
    }
}

/// A desk's words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
