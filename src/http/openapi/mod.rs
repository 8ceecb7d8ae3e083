//! The API's own document, OpenAPI 3.1, made from the code: from the table that the routes are made
//! of, the signatures of their handlers, and the types that are read and written. `GET /openapi.json`
//! and `rollcall openapi` show it; it needs neither token nor database.

mod parts;
mod shapes;
mod table;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, Responder};
use serde_json::{Map, Value, json};

use crate::operations::Role;

use parts::Operation;
use shapes::Shapes;
use table::Entry;

pub(crate) use parts::{Accepted, Created, DoneOrBegun, NoContent};
pub(crate) use table::Table;

const REFUSALS: &str = "#/components/responses/Problem";
const ABOUT: &str = "Who works there, as WorkOS Directory Sync says it. \
Every call needs a token: `Authorization: Bearer <token>`, made by `rollcall tokens create`. A token has a role \
(`viewer`, `operator`, `admin`; each may do what the ones before it may) and may be limited to one organization, \
outside of which it finds nothing. Lists answer `{\"data\":[…],\"next_cursor\":null|\"…\"}`, newest first unless \
said; a cursor names the last row shown, so rows that are added meanwhile move nothing. Errors are \
`application/problem+json` (RFC 9457): `type` is stable, `detail` says what to do, `request_id` finds the line in \
the log. Instants are RFC 3339, UTC; ids are opaque.";

/// The document as text.
pub fn document() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let mut text = format!("{:#}", build(super::v1::table()));
        text.push('\n');
        text
    })
}

/// `GET /openapi.json`.
pub(super) async fn show() -> impl Responder {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(document())
}

fn build(table: Table) -> Value {
    let mut shapes = Shapes::new();
    let problem = shapes.given::<super::problem::Told>();
    let mut paths = Map::new();
    for entry in &table.entries {
        let one = paths
            .entry(format!("/v1{}", entry.path))
            .or_insert_with(|| json!({}));
        one[entry.method] = operation(entry, &mut shapes);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Rollcall", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A token of `rollcall tokens create --name NAME --role ROLE`.",
            } },
        },
    });
    let schemas = shapes.named(&mut document);
    document["components"]["schemas"] = Value::Object(schemas);
    let refusals = used(&document["paths"]).into_iter();
    document["components"]["responses"] = refusals
        .map(|status| (format!("Problem{status}"), refusal(status, &problem)))
        .collect();
    document
}

fn operation(entry: &Entry, shapes: &mut Shapes) -> Value {
    let mut told = Operation::default();
    (entry.tell)(shapes, &mut told);
    let mut problems = told.problems;
    problems.extend_from_slice(entry.may);
    if entry.needs > Role::Viewer {
        problems.push(403);
    }
    // Whether things stand so that they can be changed is not the shape of a request: any change may
    // find that they do not.
    if entry.method != "get" {
        problems.push(409);
    }
    let mut answers: Map<String, Value> = told
        .answers
        .into_iter()
        .map(|(status, answer)| (status.to_string(), answer))
        .collect();
    for status in problems {
        let place = format!("{REFUSALS}{status}");
        answers.insert(status.to_string(), json!({ "$ref": place }));
    }
    let parameters: Vec<Value> = in_path(entry.path).chain(told.parameters).collect();
    let (role, says) = (entry.needs.as_str(), entry.says);
    let mut operation = json!({
        "operationId": name_of(entry),
        "tags": [entry.path.split('/').nth(1)],
        "summary": says,
        "description": format!("Needs the role `{role}`."),
        // OpenAPI 3.1: the roles that the scheme's token needs.
        "security": [{ "bearer": [role] }],
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(body) = told.body {
        operation["requestBody"] = body;
    }
    operation
}

/// The statuses of all the problems that some route can end in.
fn used(paths: &Value) -> BTreeSet<u16> {
    let operations = paths.as_object().into_iter().flatten();
    operations
        .flat_map(|(_, methods)| methods.as_object().into_iter().flatten())
        .flat_map(|(_, operation)| operation["responses"].as_object().into_iter().flatten())
        .filter(|(_, answer)| answer.get("$ref").is_some())
        .filter_map(|(status, _)| status.parse().ok())
        .collect()
}

/// `get /events/{id}` is `get_events_id`.
fn name_of(entry: &Entry) -> String {
    let word = |part: &str| part.trim_matches(['{', '}']).to_owned();
    let words = entry.path.split('/').filter(|part| !part.is_empty());
    std::iter::once(entry.method.to_owned())
        .chain(words.map(word))
        .collect::<Vec<_>>()
        .join("_")
}

fn in_path(path: &str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(json!({
            "name": name, "in": "path", "required": true,
            "description": "As the list gives it.",
            "schema": { "type": "string", "minLength": 1 },
        }))
    })
}

fn refusal(status: u16, problem: &Value) -> Value {
    let words = match status {
        400 => "The parameters or the body cannot be read, or ask for what makes no sense.",
        401 => "No token, or one that is not known.",
        403 => "Not with this token's role, or not with one that is limited to an organization.",
        404 => "There is no such thing, or it is not for this token's eyes.",
        409 => "Not possible as things stand; `detail` says why and what to do.",
        408 => "The body did not arrive in time.",
        414 => "The address is over 16 KiB.",
        413 => "The body is over 1 MiB.",
        422 => "What was sent has problems; `detail` tells all of them.",
        429 => {
            "This token calls too often (`ROLLCALL_API_RATE`), or WorkOS does not allow it yet; try again after `Retry-After` seconds."
        }
        500 => "Our fault; the log has it under `request_id`.",
        503 => {
            "Something this needs cannot be reached just now; try again after `Retry-After` seconds."
        }
        other => StatusCode::from_u16(other)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("A problem."),
    };
    let mut answer = json!({
        "description": words,
        "content": { "application/problem+json": { "schema": problem } },
    });
    if matches!(status, 429 | 503) {
        answer["headers"]["Retry-After"] =
            json!({ "description": "Seconds.", "schema": { "type": "integer" } });
    }
    if status == 401 {
        answer["headers"]["WWW-Authenticate"] = json!({ "schema": { "type": "string" } });
    }
    answer
}
