//! A community's rules: JSON in one field, with what they say in words and what is wrong told beside it;
//! what was typed stays.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::conditions::Problem;
use crate::http::HttpState;
use crate::operations::communities::{self, CommunityView};
use crate::operations::{OperationError, Role};

use super::community::rule;
use super::frame::{Frame, Section, go, page, page_with};
use super::indent::indent;
use super::link::encoded;
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};

#[derive(Template)]
#[template(path = "rules.html", config = "src/console/askama.toml")]
struct RulesPage {
    frame: Frame,
    id: String,
    name: String,
    said: Vec<String>,
    typed: String,
    problems: Vec<Problem>,
    csrf: String,
}

/// The rules as they are.
pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    visitor.actor.require(Role::Operator)?;
    let actor = visitor.actor.clone();
    let one = state
        .read(move |conn| communities::show(conn, &actor, &id))
        .await?;
    let typed = indent(&Value::from(one.rules.clone()).to_string());
    page(&page_of(&visitor, one, typed, Vec::new()))
}

fn page_of(
    visitor: &Visitor,
    one: CommunityView,
    typed: String,
    problems: Vec<Problem>,
) -> RulesPage {
    RulesPage {
        frame: visitor.frame(format!("Rules of {}", one.name), Section::Communities),
        said: one.rules.iter().map(rule).collect(),
        typed,
        problems,
        csrf: visitor.csrf.clone(),
        id: one.id,
        name: one.name,
    }
}

/// What was typed.
#[derive(Debug, Deserialize)]
pub(super) struct Typed {
    rules: String,
}

fn read(typed: &str) -> Result<Vec<Value>, Vec<Problem>> {
    if typed.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(typed).map_err(|why| {
        vec![Problem::new(
            "",
            format!("this is no JSON list of rules: {why}"),
        )]
    })
}

/// Saves the rules, and applies them to everybody.
pub(super) async fn save(
    act: Act<Typed>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, typed) = (act.visitor, act.form.rules);
    let (actor, asked, now) = (visitor.actor.clone(), id.clone(), visitor.now);
    let problems = match read(&typed) {
        Err(problems) => problems,
        Ok(rules) => {
            let saved = state
                .write(move |conn| communities::put_rules(conn, &actor, &asked, &rules, now))
                .await;
            match saved {
                Ok(one) => {
                    let home = format!("/console/communities/{}", encoded(&one.id));
                    return Ok(go(&format!("{home}?done=ruled")));
                }
                Err(OperationError::Problems(problems)) => problems,
                Err(other) => return Err(other.into()),
            }
        }
    };
    let actor = visitor.actor.clone();
    let one = state
        .read(move |conn| communities::show(conn, &actor, &id))
        .await?;
    page_with(
        StatusCode::UNPROCESSABLE_ENTITY,
        &page_of(&visitor, one, typed, problems),
    )
}
