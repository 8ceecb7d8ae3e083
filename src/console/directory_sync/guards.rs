//! An organization's guards: how much may go within an hour before the rest waits for a person, and
//! what becomes of a deleted directory's people. What was typed stays in the form beside what is wrong.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::conditions::Problem;
use crate::db::Conn;
use crate::domain::{EmployeeNumbers, OnDirectoryDeleted, Settings};
use crate::http::HttpState;
use crate::operations::settings::SettingsUpdate;
use crate::operations::{Actor, OperationError, names, organizations};

use super::super::frame::{Frame, Section, go, page, page_with};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Visitor};
use super::home_of;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    let path = "/directory-sync/organizations/{id}/guards";
    config
        .route(path, web::get().to(show))
        .route(path, web::post().to(save));
}

#[derive(Template)]
#[template(
    path = "directory_sync/guards.html",
    config = "src/console/askama.toml"
)]
struct GuardsPage {
    frame: Frame,
    id: String,
    name: String,
    form: Guards,
    problems: Vec<Problem>,
    operates: bool,
    csrf: String,
}

/// The form; every field as it was typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Guards {
    removal_floor: String,
    removal_percent: String,
    removal_settle: String,
    removal_access: String,
    leave_floor: String,
    leave_percent: String,
    swap_floor: String,
    swap_percent: String,
    on_directory_deleted: String,
    employee_numbers: String,
    poll_cycle_minutes: String,
    reconcile_mode: String,
    reconcile_hours: String,
    date_order: String,
}

impl Guards {
    fn of(settings: &Settings) -> Self {
        let (removal, leave, swap) = (
            settings.removal_guard,
            settings.leave_guard,
            settings.swap_guard,
        );
        let deleted = match settings.on_directory_deleted {
            OnDirectoryDeleted::Hold => "hold",
            OnDirectoryDeleted::Remove => "remove",
        };
        Self {
            removal_floor: removal.floor.to_string(),
            removal_percent: removal.percent.to_string(),
            removal_settle: removal.settle_seconds.to_string(),
            removal_access: removal.access.name().to_owned(),
            leave_floor: leave.floor.to_string(),
            leave_percent: leave.percent.to_string(),
            swap_floor: swap.floor.to_string(),
            swap_percent: swap.percent.to_string(),
            on_directory_deleted: deleted.to_owned(),
            employee_numbers: match settings.employee_numbers {
                EmployeeNumbers::PerDirectory => "per_directory",
                EmployeeNumbers::Shared => "shared",
            }
            .to_owned(),
            poll_cycle_minutes: settings.poll_cycle_minutes.0.to_string(),
            reconcile_mode: serde_json::to_value(settings.reconcile.mode)
                .ok()
                .and_then(|mode| mode.as_str().map(str::to_owned))
                .unwrap_or_default(),
            date_order: serde_json::to_value(settings.date_order)
                .ok()
                .and_then(|order| order.as_str().map(str::to_owned))
                .unwrap_or_default(),
            reconcile_hours: settings
                .reconcile
                .interval_hours
                .map(|hours| hours.to_string())
                .unwrap_or_default(),
        }
    }

    /// The settings that the form names; what is no number is told, each by its place.
    fn settings(&self) -> Result<Map<String, Value>, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut number = |path: &str, typed: &str| {
            let read = typed.trim().parse::<u32>();
            if read.is_err() {
                let message = format!("{typed:?} is not a whole number from 0 up");
                problems.push(Problem::new(path, message));
            }
            read.unwrap_or_default()
        };
        let all = [
            (
                "removal_guard",
                json!({
                    "floor": number("removal_guard.floor", &self.removal_floor),
                    "percent": number("removal_guard.percent", &self.removal_percent),
                    "settle_seconds": number("removal_guard.settle_seconds", &self.removal_settle),
                    "access": said(&self.removal_access),
                }),
            ),
            (
                "leave_guard",
                json!({
                    "floor": number("leave_guard.floor", &self.leave_floor),
                    "percent": number("leave_guard.percent", &self.leave_percent),
                }),
            ),
            (
                "swap_guard",
                json!({
                    "floor": number("swap_guard.floor", &self.swap_floor),
                    "percent": number("swap_guard.percent", &self.swap_percent),
                }),
            ),
            (
                "reconcile",
                json!({
                    "mode": said(&self.reconcile_mode),
                    "interval_hours": said(&self.reconcile_hours)
                        .map(|hours| number("reconcile.interval_hours", hours)),
                }),
            ),
            (
                "poll_cycle_minutes",
                json!(number("poll_cycle_minutes", &self.poll_cycle_minutes)),
            ),
            ("on_directory_deleted", json!(self.on_directory_deleted)),
            // A form that does not name it leaves it as it is by default.
            ("date_order", json!(said(&self.date_order))),
            (
                "employee_numbers",
                json!(said(&self.employee_numbers).unwrap_or("per_directory")),
            ),
        ];
        match problems.is_empty() {
            true => Ok(all
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
            false => Err(problems),
        }
    }
}

/// What a field that may stay empty says.
fn said(typed: &str) -> Option<&str> {
    Some(typed.trim()).filter(|typed| !typed.is_empty())
}

fn kept(conn: &mut Conn, actor: &Actor, id: &str) -> Result<(String, Settings), OperationError> {
    let one = organizations::show(conn, actor, id)?;
    Ok((names::of_organization(conn, actor, id)?, one.settings))
}

fn page_of(visitor: &Visitor, id: &str, name: String, form: Guards) -> GuardsPage {
    GuardsPage {
        frame: visitor.frame(format!("Guards: {name}"), Section::DirectorySync),
        id: id.to_owned(),
        name,
        form,
        problems: Vec::new(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    }
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, asked) = (visitor.actor.clone(), id.clone());
    let (name, settings) = state.read(move |conn| kept(conn, &actor, &asked)).await?;
    page(&page_of(&visitor, &id, name, Guards::of(&settings)))
}

async fn save(
    act: Act<Guards>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, form) = (act.visitor, act.form);
    let settings = match form.settings() {
        Ok(settings) => settings,
        Err(problems) => return wrong(&visitor, &id, form, problems, &state).await,
    };
    let (actor, now, asked) = (visitor.actor.clone(), visitor.now, id.clone());
    let update = SettingsUpdate {
        settings,
        confirm: false,
    };
    let done = state.change_settings(actor, asked, update, now).await;
    match done {
        Ok(_) => Ok(go(&format!("{}?done=guarded", home_of(&id)))),
        Err(OperationError::Problems(problems)) => {
            wrong(&visitor, &id, form, problems, &state).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn wrong(
    visitor: &Visitor,
    id: &str,
    form: Guards,
    problems: Vec<Problem>,
    state: &HttpState,
) -> Result<HttpResponse, Refusal> {
    let (actor, asked) = (visitor.actor.clone(), id.to_owned());
    let (name, _) = state.read(move |conn| kept(conn, &actor, &asked)).await?;
    let mut one = page_of(visitor, id, name, form);
    one.problems = problems;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_the_settings_say() {
        let known = Settings::default();
        let named = Guards::of(&known).settings().unwrap();
        let read: Settings = serde_json::from_value(Value::Object(named)).unwrap();
        assert_eq!(read, known);
    }

    #[test]
    fn everything_that_is_no_number_is_told_at_once() {
        let form = Guards {
            removal_floor: "many".to_owned(),
            swap_percent: "-1".to_owned(),
            ..Guards::of(&Settings::default())
        };
        let places: Vec<String> = form
            .settings()
            .unwrap_err()
            .into_iter()
            .map(|one| one.path)
            .collect();
        assert_eq!(places, ["removal_guard.floor", "swap_guard.percent"]);
    }
}
