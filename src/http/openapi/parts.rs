//! What a handler's own signature says of its route: each thing it takes and what it gives adds its
//! part to the document (parameters, body, answers, and the problems that taking it can end in).

use std::collections::BTreeMap;

use actix_web::{CustomizeResponder, Responder, web};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::body::{Body, Perhaps, Raw};
use super::super::v1::Later;
use super::super::{HttpState, Problem};
use super::shapes::Shapes;

/// One route's part of the document, as it is put together.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    /// What it answers when it is done, by status.
    pub(super) answers: BTreeMap<u16, Value>,
    /// The statuses of the problems it can end in.
    pub(super) problems: Vec<u16>,
}

/// Something a handler takes.
pub(crate) trait Takes {
    /// Adds it to the document.
    fn tell(shapes: &mut Shapes, operation: &mut Operation);
}

/// Something a handler answers.
pub(crate) trait Gives {
    /// Adds it to the document.
    fn tell(shapes: &mut Shapes, operation: &mut Operation);
}

impl Takes for super::super::v1::Caller {
    fn tell(_: &mut Shapes, operation: &mut Operation) {
        // Whose token it is stands in the database.
        operation.problems.extend([401, 414, 429, 500, 503]);
    }
}

impl Takes for super::super::v1::Token {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        super::super::v1::Caller::tell(shapes, operation);
    }
}

/// What the server itself says of the request.
impl<T: Clone + 'static> Takes for web::ReqData<T> {
    fn tell(_: &mut Shapes, _: &mut Operation) {}
}

impl Takes for web::Data<HttpState> {
    fn tell(_: &mut Shapes, _: &mut Operation) {}
}

/// The parameters in a path are named by the path itself.
impl<T> Takes for web::Path<T> {
    fn tell(_: &mut Shapes, operation: &mut Operation) {
        operation.problems.extend([400, 404]);
    }
}

impl<T: JsonSchema> Takes for web::Query<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        operation.parameters.extend(shapes.query::<T>());
        operation.problems.push(400);
    }
}

impl<T: JsonSchema> Takes for Later<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        web::Query::<T>::tell(shapes, operation);
    }
}

impl<T: JsonSchema> Takes for Body<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        operation.body = Some(content(true, &shapes.taken::<T>()));
        operation.problems.extend([400, 408, 413]);
    }
}

impl<T: JsonSchema> Takes for Raw<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        Body::<T>::tell(shapes, operation);
    }
}

impl<T: JsonSchema> Takes for Perhaps<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        Body::<T>::tell(shapes, operation);
        operation.body = Some(content(false, &shapes.taken::<T>()));
    }
}

fn content(required: bool, schema: &Value) -> Value {
    json!({ "required": required, "content": { "application/json": { "schema": schema } } })
}

macro_rules! takes_all {
    ($($part:ident)+) => {
        impl<$($part: Takes),+> Takes for ($($part,)+) {
            fn tell(shapes: &mut Shapes, operation: &mut Operation) {
                $($part::tell(shapes, operation);)+
            }
        }
    };
}
takes_all!(A B);
takes_all!(A B C);
takes_all!(A B C D);
takes_all!(A B C D E);

/// 201, with what was made.
#[derive(Debug)]
pub(crate) struct Created<T>(pub(crate) T);

/// 202, with what goes on behind it.
#[derive(Debug)]
pub(crate) struct Accepted<T>(pub(crate) T);

/// 200 with what was done, or 202 with the job that does it.
#[derive(Debug)]
pub(crate) enum DoneOrBegun<T> {
    Done(T),
    Begun(T),
}

/// 204.
#[derive(Debug)]
pub(crate) struct NoContent;

impl<T: Serialize> Responder for Created<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> actix_web::HttpResponse {
        actix_web::HttpResponse::Created().json(self.0)
    }
}

impl<T: Serialize> Responder for Accepted<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> actix_web::HttpResponse {
        actix_web::HttpResponse::Accepted().json(self.0)
    }
}

impl<T: Serialize> Responder for DoneOrBegun<T> {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, request: &actix_web::HttpRequest) -> actix_web::HttpResponse {
        match self {
            Self::Done(it) => actix_web::HttpResponse::Ok().json(it),
            Self::Begun(it) => Accepted(it).respond_to(request),
        }
    }
}

impl Responder for NoContent {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &actix_web::HttpRequest) -> actix_web::HttpResponse {
        actix_web::HttpResponse::NoContent().finish()
    }
}

impl<T: JsonSchema> Gives for web::Json<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        operation
            .answers
            .insert(200, answer("As asked.", &shapes.given::<T>()));
    }
}

impl<T: JsonSchema> Gives for Created<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        operation
            .answers
            .insert(201, answer("Made.", &shapes.given::<T>()));
    }
}

impl<T: JsonSchema> Gives for Accepted<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        operation.answers.insert(
            202,
            answer(
                "Begun; the id in the answer is followed.",
                &shapes.given::<T>(),
            ),
        );
    }
}

impl<T: JsonSchema> Gives for DoneOrBegun<T> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        web::Json::<T>::tell(shapes, operation);
        Accepted::<T>::tell(shapes, operation);
    }
}

impl Gives for NoContent {
    fn tell(_: &mut Shapes, operation: &mut Operation) {
        operation
            .answers
            .insert(204, json!({ "description": "Gone." }));
    }
}

impl<R: Gives + Responder> Gives for CustomizeResponder<R> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        R::tell(shapes, operation);
    }
}

impl<R: Gives> Gives for Result<R, Problem> {
    fn tell(shapes: &mut Shapes, operation: &mut Operation) {
        R::tell(shapes, operation);
    }
}

fn answer(description: &str, schema: &Value) -> Value {
    json!({
        "description": description,
        "content": { "application/json": { "schema": schema } },
    })
}
