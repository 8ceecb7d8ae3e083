//! The body of a call: JSON up to 1 MiB, whatever its content type says, without the one character
//! that no text here may have (U+0000, which PostgreSQL cannot store). What is wrong is told as a 400.

use std::borrow::Cow;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use schemars::{JsonSchema, Schema, schema_for};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::workos::text::sanitise;

use super::Problem;
use super::payload::not_whole;

/// The largest body of an API call, in bytes.
const LIMIT: usize = 1024 * 1024;

/// A body that was read as a `T`.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

/// A body as it came, which `operations` reads as a `T` by itself, to tell everything that is wrong at once.
#[derive(Debug)]
pub(crate) struct Raw<T>(pub(crate) Value, PhantomData<T>);

impl<T> Body<T> {
    /// What was read.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Body<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Raw<T> {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

impl<T: DeserializeOwned + JsonSchema + 'static> FromRequest for Body<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = payload.take();
        Box::pin(async move { read_object(&whole(payload).await?).map(Body) })
    }
}

impl<T: 'static> FromRequest for Raw<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = payload.take();
        Box::pin(async move { read(&whole(payload).await?).map(|body| Raw(body, PhantomData)) })
    }
}

/// A body that may be left out.
#[derive(Debug)]
pub(crate) struct Perhaps<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned + JsonSchema + 'static> FromRequest for Perhaps<T> {
    type Error = Problem;
    type Future = Reading<Self>;

    fn from_request(_: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = payload.take();
        Box::pin(async move {
            let bytes = whole(payload).await?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self(None));
            }
            read_object(&bytes).map(|body| Self(Some(body)))
        })
    }
}

async fn whole(mut payload: Payload) -> Result<BytesMut, Problem> {
    let mut all = BytesMut::new();
    while let Some(some) = payload.next().await {
        let some = some.map_err(|error| not_whole(&error).1)?;
        if all.len() + some.len() > LIMIT {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "bad-body",
                "the body is over 1 MiB: send less at once",
            ));
        }
        all.extend_from_slice(&some);
    }
    Ok(all)
}

fn bad(what: impl std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "bad-body",
        format!("the body cannot be read as this call's JSON: {what}"),
    )
}

/// serde would take a list for an object, field by field: only what its schema calls a list may be one.
fn read_object<T: DeserializeOwned + JsonSchema>(bytes: &[u8]) -> Result<T, Problem> {
    let is_list = bytes.trim_ascii_start().first() == Some(&b'[');
    if is_list && !may_be_a_list(&schema_for!(T)) {
        return Err(bad("it is a list; an object is wanted"));
    }
    read(bytes)
}

fn may_be_a_list(schema: &Schema) -> bool {
    let is_list = |one: &Value| one.get("type").is_some_and(|kind| kind == "array");
    let choices = ["anyOf", "oneOf"]
        .into_iter()
        .filter_map(|of| schema.get(of));
    schema.get("type").is_some_and(|kind| kind == "array")
        || choices.filter_map(Value::as_array).flatten().any(is_list)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(bad)?;
    if matches!(sanitise(text), Cow::Owned(_)) {
        return Err(bad(
            "it has the character U+0000 or half of a surrogate pair, which no text here may have",
        ));
    }
    serde_json::from_str(text).map_err(bad)
}
