//! Who calls: `Authorization: Bearer <token>`, looked up by digest; the bootstrap token is compared
//! in constant time.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::db::Conn;
use crate::desk::{Actor, DeskError, tokens};

use super::super::{HttpState, Problem};

/// A caller who has shown a valid token.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = bearer(request);
        let state = request.app_data::<web::Data<HttpState>>().cloned();
        Box::pin(async move {
            let (Some(token), Some(state)) = (token, state) else {
                return Err(no_token());
            };
            let token = Token(token);
            if token.is_bootstrap(state.admin_token.as_ref()) {
                return Ok(Self(Actor::bootstrap()));
            }
            let found = state.read(move |conn| token.actor(conn, None)).await?;
            found.map(Self).ok_or_else(not_known)
        })
    }
}

/// A token that was shown and not looked up yet: for an answer that looks it up in the same reading as
/// what is asked.
#[derive(Debug, Clone)]
pub struct Token(String);

impl FromRequest for Token {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(bearer(request).map(Self).ok_or_else(no_token))
    }
}

impl Token {
    /// Whose it is; `None` when it is nobody's or revoked.
    pub fn actor(
        &self,
        conn: &mut Conn,
        bootstrap: Option<&SecretString>,
    ) -> Result<Option<Actor>, DeskError> {
        if self.is_bootstrap(bootstrap) {
            return Ok(Some(Actor::bootstrap()));
        }
        tokens::authenticate(conn, &self.0)
    }

    /// Digests are compared, so that lengths tell nothing either.
    fn is_bootstrap(&self, bootstrap: Option<&SecretString>) -> bool {
        bootstrap.is_some_and(|secret| {
            let (one, other) = (
                Sha256::digest(&self.0),
                Sha256::digest(secret.expose_secret()),
            );
            bool::from(one.as_slice().ct_eq(other.as_slice()))
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn no_token() -> Problem {
    unauthorized(
        "this call needs a token: send `Authorization: Bearer <token>`; make one with `rollcall tokens create`",
    )
}

/// The answer to a token that is nobody's.
pub(super) fn not_known() -> Problem {
    unauthorized("the token is not known or was revoked; make one with `rollcall tokens create`")
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}
