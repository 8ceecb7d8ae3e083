//! Who calls: `Authorization: Bearer <token>`, looked up by digest.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError, web};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::operations::{Actor, OperationError};

use super::super::{HttpState, Problem};

/// A caller who has shown a valid token.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let judged = request.extensions().get::<Self>().cloned();
        ready(judged.ok_or_else(no_token))
    }
}

/// The question of every session refresh: it looks its token up in the reading that answers it.
const ACCESS: &str = "/v1/access";

/// Judges the token of every call under `/v1` before anything else is looked at: who has none learns neither
/// what there is nor what is wrong with the question.
pub async fn judge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match judged(&request).await {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => Ok(request.into_response(problem.error_response())),
    }
}

async fn judged(request: &ServiceRequest) -> Result<Option<Caller>, Problem> {
    let state = request.app_data::<web::Data<HttpState>>().cloned();
    let (Some(Token(digest)), Some(state)) = (Token::of(request.request()), state) else {
        return Err(no_token());
    };
    let is_access = request.path() == ACCESS;
    if let Some(rates) = &state.bounds.rates {
        rates.admit(digest, is_access)?;
    }
    if is_access {
        return Ok(None);
    }
    let found = state.actor_of(digest).await?;
    found.map(|actor| Some(Caller(actor))).ok_or_else(not_known)
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

/// The parameters of a question that are read when its token has been judged.
#[derive(Debug)]
pub struct Later<T>(String, PhantomData<T>);

impl<T: DeserializeOwned> Later<T> {
    /// Reads them.
    pub(super) fn read(&self) -> Result<T, OperationError> {
        let read = web::Query::<T>::from_query(&self.0).map(web::Query::into_inner);
        read.map_err(|error| OperationError::Invalid(format!("the query cannot be read: {error}")))
    }
}

impl<T> FromRequest for Later<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(request.query_string().to_owned(), PhantomData)))
    }
}
