//! One person: who they are, whether they may come in, where they belong, and everything that
//! happened to them (R70).

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::http::HttpState;
use crate::operations::erasure::{self, LegalHoldView};
use crate::operations::names;
use crate::operations::opt_outs;
use crate::operations::profiles::{self, ProfileView};

use super::care;
use super::frame::{Frame, Section, page};
use super::refusal::Refusal;
use super::timeline::{Block, blocks};
use super::visitor::Visitor;
use super::when::When;

#[derive(Template)]
#[template(path = "person.html", config = "src/console/askama.toml")]
struct PersonPage {
    frame: Frame,
    person: ProfileView,
    organization: String,
    access: String,
    facts: Vec<(&'static str, String)>,
    attributes: Vec<(String, String)>,
    first_seen: When,
    updated: When,
    removed: Option<When>,
    blocks: Vec<Block>,
    truncated: bool,
    oldest_first: bool,
    /// Whether they want no messages; nothing where they have no address to be asked about.
    opted_out: Option<bool>,
    /// Why their data is kept, for those who may know.
    hold: Option<LegalHoldView>,
    operates: bool,
    administers: bool,
    csrf: String,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/people/{id}", web::get().to(show))
        .configure(care::routes);
}

/// The order of the history.
#[derive(Debug, Deserialize)]
struct Order {
    order: Option<String>,
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    order: web::Query<Order>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = visitor.actor.clone();
    let operates = visitor.operates();
    let (history, organization, opted_out, hold) = state
        .read(move |conn| {
            let history = profiles::history(conn, &actor, &id, &profiles::HistoryQuery::default())?;
            let home = &history.profile.organization_id;
            let out = opt_outs::has(conn, &actor, &id)?;
            let opted_out = (out || history.profile.email.is_some()).then_some(out);
            let hold = if history.profile.legal_hold && operates {
                Some(erasure::show_legal_hold(conn, &actor, &id)?)
            } else {
                None
            };
            let organization = names::of_organization(conn, &actor, home)?;
            Ok((history, organization, opted_out, hold))
        })
        .await?;
    let oldest_first = order.order.as_deref() == Some("oldest");
    let mut told = blocks(history.data, visitor.now);
    if !oldest_first {
        told.reverse();
    }
    let mut person = history.profile;
    page(&PersonPage {
        frame: visitor.frame(person.display_name.clone(), Section::People),
        access: access_of(&person),
        facts: facts(&person),
        attributes: std::mem::take(&mut person.attributes)
            .into_iter()
            .map(|(name, value)| (name, shown(&value)))
            .chain(veiled(&person.hidden))
            .collect(),
        first_seen: When::new(person.first_seen_at, visitor.now),
        updated: When::new(person.updated_at, visitor.now),
        removed: person.removed_at.map(|at| When::new(at, visitor.now)),
        blocks: told,
        truncated: history.truncated,
        oldest_first,
        organization,
        opted_out,
        hold,
        operates,
        administers: visitor.administers(),
        csrf: visitor.csrf.clone(),
        person,
    })
}

/// Why somebody may come in or may not, for somebody who does not know our words.
fn access_of(person: &ProfileView) -> String {
    match (person.status.as_str(), person.access) {
        ("active", true) => "May come in: they work here.".to_owned(),
        ("on_leave", true) => "Access allowed (on leave; they keep their roles).".to_owned(),
        ("on_leave", false) if person.access_reason == person.status => {
            "May not come in: they are on leave, and nobody who is may.".to_owned()
        }
        ("active" | "on_leave", false) => format!("May not come in: {}.", person.access_reason),
        ("pending", _) => "May not come in: known, but not active yet.".to_owned(),
        ("removed", _) => "May not come in: they have left.".to_owned(),
        ("erased", _) => "May not come in: erased for good.".to_owned(),
        _ => "May not come in.".to_owned(),
    }
}

fn facts(person: &ProfileView) -> Vec<(&'static str, String)> {
    let manager = match &person.manager_name {
        Some(name) => Some(name.clone()),
        None => person.manager_email.clone(),
    };
    let roles = (!person.roles.is_empty()).then(|| person.roles.join(", "));
    let known = [
        ("E-mail", &person.email),
        ("Title", &person.title),
        ("Department", &person.department),
        ("Pronouns", &person.pronouns),
        ("Start date", &person.start_date),
        ("Manager", &manager),
        ("Employee number", &person.employee_number),
        ("Roles", &roles),
    ];
    known
        .into_iter()
        .filter_map(|(name, value)| value.clone().map(|value| (name, value)))
        .collect()
}

/// Fields that the visitor's token may not see.
fn veiled(hidden: &[String]) -> impl Iterator<Item = (String, String)> {
    hidden.iter().map(|field| {
        let name = field.strip_prefix("attributes.").unwrap_or(field);
        let name = name.replace('_', " ");
        (name, "hidden: it is sensitive".to_owned())
    })
}

/// Text as it reads, everything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_reads_as_text_or_json() {
        assert_eq!(shown(&serde_json::json!("Lab 2")), "Lab 2");
        assert_eq!(shown(&serde_json::json!(["a", 1])), "[\"a\",1]");
    }
}
