//! Who calls: `Authorization: Bearer <token>`, looked up by digest; the bootstrap token is compared
//! in constant time.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::desk::{Actor, tokens};

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
                return Err(unauthorized(
                    "this call needs a token: send `Authorization: Bearer <token>`; make one with `rollcall tokens create`",
                ));
            };
            if is_bootstrap(&token, state.admin_token.as_ref()) {
                return Ok(Self(Actor::bootstrap()));
            }
            let found = state
                .read(move |conn| tokens::authenticate(conn, &token))
                .await?;
            found.map(Self).ok_or_else(|| {
                unauthorized(
                    "the token is not known or was revoked; make one with `rollcall tokens create`",
                )
            })
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

/// Digests are compared, so that lengths tell nothing either.
fn is_bootstrap(token: &str, bootstrap: Option<&SecretString>) -> bool {
    bootstrap.is_some_and(|secret| {
        let (one, other) = (
            Sha256::digest(token),
            Sha256::digest(secret.expose_secret()),
        );
        bool::from(one.as_slice().ct_eq(other.as_slice()))
    })
}
