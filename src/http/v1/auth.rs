//! Who calls: `Authorization: Bearer <token>`, looked up by digest.

use std::future::{Future, Ready, ready};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use sha2::{Digest, Sha256};

use crate::desk::Actor;

use super::super::{HttpState, Problem};

/// A caller who has shown a valid token.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = Token::of(request);
        let state = request.app_data::<web::Data<HttpState>>().cloned();
        Box::pin(async move {
            let (Some(Token(digest)), Some(state)) = (token, state) else {
                return Err(no_token());
            };
            let found = state.actor_of(digest).await?;
            found.map(Self).ok_or_else(not_known)
        })
    }
}

/// The SHA-256 of a token that was shown and not looked up yet: for an answer that looks it up in the
/// same reading as what is asked.
#[derive(Debug, Clone, Copy)]
pub struct Token(pub [u8; 32]);

impl Token {
    fn of(request: &HttpRequest) -> Option<Self> {
        bearer(request).map(|token| Self(Sha256::digest(token).into()))
    }
}

impl FromRequest for Token {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).ok_or_else(no_token))
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
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
