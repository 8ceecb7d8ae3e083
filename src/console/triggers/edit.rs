//! Writing a trigger: TOML or JSON in one field, checked as a whole. Where something is wrong everything
//! that is wrong is told beside what was typed, and what was typed stays.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::conditions::Problem;
use crate::db::Urgency;
use crate::http::HttpState;
use crate::operations::triggers::{self, TriggerView};
use crate::operations::{OperationError, Role, names};
use crate::triggers::{Event, text};

use super::super::frame::{Frame, Section, go, page, page_with};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Visitor};
use super::home_of;

/// What a new trigger begins with.
const FIRST: &str = r#"name = "Welcome"
on = "profile.activated"
# For whom; without it, everybody:
# when = { field = "department", op = "eq", value = "Research" }

[[steps]]
channel = "email"
to = "person"
at = "09:00"
subject = "Welcome, {{ first_name }}"
text = """
Hello {{ first_name }},

you start as {{ title | default("a colleague") }} today. Good to have you here.
"""
"#;

#[derive(Template)]
#[template(path = "triggers/edit.html", config = "src/console/askama.toml")]
struct EditPage {
    frame: Frame,
    /// The trigger that is edited; none of it where a new one is written.
    id: Option<String>,
    organization: String,
    organizations: Vec<(String, String)>,
    definition: String,
    published: bool,
    problems: Vec<Problem>,
    csrf: String,
}

impl EditPage {
    fn events(&self) -> [&'static str; 8] {
        Event::ALL.map(|(name, _)| name)
    }

    fn action(&self) -> String {
        match &self.id {
            Some(id) => format!("{}/edit", home_of(id)),
            None => "/console/triggers".to_owned(),
        }
    }
}

/// An empty form for a new trigger.
pub(super) async fn begin(
    visitor: Visitor,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    visitor.actor.require(Role::Operator)?;
    let form = Draft {
        organization: String::new(),
        definition: FIRST.to_owned(),
        status: "draft".to_owned(),
    };
    page(&new_page(visitor, form, Vec::new(), &state).await?)
}

async fn new_page(
    visitor: Visitor,
    form: Draft,
    problems: Vec<Problem>,
    state: &HttpState,
) -> Result<EditPage, Refusal> {
    let actor = visitor.actor.clone();
    let organizations = state
        .read(move |conn| names::of_organizations(conn, &actor))
        .await?;
    Ok(EditPage {
        frame: visitor.frame("New trigger", Section::Triggers),
        id: None,
        organization: form.organization,
        organizations,
        definition: form.definition,
        published: false,
        problems,
        csrf: visitor.csrf.clone(),
    })
}

/// The form with what the trigger says now.
pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    visitor.actor.require(Role::Operator)?;
    let actor = visitor.actor.clone();
    let one = state
        .read(move |conn| triggers::show(conn, &actor, &id))
        .await?;
    let definition = text::write(&one.definition);
    page(&edit_page(&visitor, &one, definition, Vec::new()))
}

fn edit_page(
    visitor: &Visitor,
    one: &TriggerView,
    definition: String,
    problems: Vec<Problem>,
) -> EditPage {
    EditPage {
        frame: visitor.frame(format!("Edit {}", one.definition.name), Section::Triggers),
        id: Some(one.id.clone()),
        organization: one.definition.organization_id.clone(),
        organizations: Vec::new(),
        definition,
        published: one.definition.status.name() == "published",
        problems,
        csrf: visitor.csrf.clone(),
    }
}

/// What was typed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Draft {
    #[serde(default)]
    organization: String,
    definition: String,
    /// Which button was pressed.
    status: String,
}

impl Draft {
    /// The body that `operations` takes: the organization and the button's status are not to be typed.
    fn body(&self, organization: &str) -> Result<Value, Vec<Problem>> {
        // Browsers end lines as on a typewriter.
        let typed = self.definition.replace("\r\n", "\n");
        let unreadable = |why: String| vec![Problem::new("", why)];
        let mut body = text::read(&typed).map_err(unreadable)?;
        match body.as_object_mut() {
            Some(object) => {
                object.insert("organization_id".to_owned(), organization.into());
                object.insert("status".to_owned(), self.status.as_str().into());
                Ok(body)
            }
            None => Err(unreadable("a trigger is an object".to_owned())),
        }
    }
}

/// What can be put right by typing something else; everything else is a page of its own.
fn problems_of(error: OperationError) -> Result<Vec<Problem>, Refusal> {
    match error {
        OperationError::Problems(problems) => Ok(problems),
        OperationError::Conflict(why) | OperationError::Invalid(why) => {
            Ok(vec![Problem::new("", why)])
        }
        other => Err(other.into()),
    }
}

/// Creates a trigger from what was typed.
pub(super) async fn create(
    act: Act<Draft>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, form, policy) = (act.visitor, act.form, state.policy);
    visitor.actor.require(Role::Operator)?;
    let made = match form.body(&form.organization) {
        Err(problems) => Err(problems),
        Ok(body) => {
            let (actor, now) = (visitor.actor.clone(), visitor.now);
            let made = state
                .with_db(move |db| {
                    let wanted = triggers::wanted(&actor, &body, policy)?;
                    db.write(Urgency::Normal, |conn| {
                        triggers::create(conn, &actor, &wanted, now)
                    })
                })
                .await;
            match made {
                Ok(one) => Ok(one),
                Err(error) => Err(problems_of(error)?),
            }
        }
    };
    match made {
        Ok(one) => Ok(go(&format!("{}?done=saved", home_of(&one.id)))),
        Err(problems) => page_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &new_page(visitor, form, problems, &state).await?,
        ),
    }
}

/// Saves what was typed as the trigger's next version.
pub(super) async fn save(
    act: Act<Draft>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, form, policy) = (act.visitor, act.form, state.policy);
    visitor.actor.require(Role::Operator)?;
    let (actor, asked) = (visitor.actor.clone(), id.clone());
    let one = state
        .read(move |conn| triggers::show(conn, &actor, &asked))
        .await?;
    let saved = match form.body(&one.definition.organization_id) {
        Err(problems) => Err(problems),
        Ok(body) => {
            let (actor, now) = (visitor.actor.clone(), visitor.now);
            let saved = state
                .with_db(move |db| {
                    let wanted = triggers::wanted(&actor, &body, policy)?;
                    db.write(Urgency::Normal, |conn| {
                        triggers::update(conn, &actor, &id, &wanted, now)
                    })
                })
                .await;
            match saved {
                Ok(one) => Ok(one),
                Err(error) => Err(problems_of(error)?),
            }
        }
    };
    match saved {
        Ok(one) => Ok(go(&format!("{}?done=saved", home_of(&one.id)))),
        Err(problems) => page_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &edit_page(&visitor, &one, form.definition, problems),
        ),
    }
}
