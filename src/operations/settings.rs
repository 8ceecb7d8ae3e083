//! An organization's settings: changed one by one, checked as a whole with every problem
//! told, and applied to everybody. A change that would shut out more people than the organization's guard
//! lets go at once is refused until somebody says that it is meant; whom it would shut out is found before
//! anything is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::conditions::{Condition, Problem};
use crate::db::Conn;
use crate::domain::{Settings, UNASKED};
use crate::outbox::{lock_part, part_of};
use crate::store::{holds, organizations, profiles, succession};
use crate::worker::{self, reapply};

use super::jobs::JobView;
use super::organizations::{OrganizationView, seen, show};
use super::profiles::has_access;
use super::visibility::Redaction;
use super::{Actor, OperationError, Role, audit};

/// Longest time between two comparisons: thirty days.
const LONGEST_INTERVAL: u32 = 30 * 24;
/// Longest poll cycle: a day.
const LONGEST_CYCLE: u32 = 24 * 60;

/// The body of `PATCH /v1/organizations/{id}`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct SettingsUpdate {
    /// Setting by setting: what is named replaces what is there, `null` brings back the default.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The change may end as many people's access as it does.
    #[serde(default)]
    pub confirm: bool,
}

/// The organization as it is now, and whom the change reached.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[allow(missing_docs, reason = "the fields of the API")]
pub struct SettingsView {
    #[serde(flatten)]
    pub organization: OrganizationView,
    /// Directory users folded again under the new settings until now.
    pub reapplied: usize,
    /// How many people had access before, and how many have it once everybody is folded again.
    pub people_before: usize,
    pub people_after: usize,
    /// The job that goes on with the others; null when everybody has these settings.
    pub job: Option<JobView>,
}

/// What a change would do, found without holding up whoever writes.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// What it was found under.
    known: Settings,
    /// How many people have access, and how many of them would lose it or come in.
    people: usize,
    going: usize,
    coming: usize,
}

impl Forecast {
    /// How many have access, and how many of them would lose it.
    pub fn going(&self) -> (usize, usize) {
        (self.going, self.people)
    }
}

/// Counts whose access other settings would end or give. Asked on a reading connection: it looks at everybody.
pub fn foresee(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    update: &SettingsUpdate,
    now: Timestamp,
) -> Result<Forecast, OperationError> {
    let (known, settings) = judged(conn, actor, id, update)?;
    let mut forecast = Forecast {
        people: holds::headcount(conn, id)?,
        known,
        going: 0,
        coming: 0,
    };
    if folds(&settings) != folds(&forecast.known) {
        let everybody = i64::MAX - 1;
        let (mut going, mut coming) = (0, 0);
        reapply::rehearse(conn, id, &settings, everybody, now, &mut |person| {
            let had = person
                .before
                .as_ref()
                .is_some_and(|was| was.status.has_access());
            match (had, person.after.status.has_access()) {
                (true, false) => going += 1,
                (false, true) => coming += 1,
                _ => {}
            }
        })?;
        (forecast.going, forecast.coming) = (going, coming);
    }
    Ok(forecast)
}

/// Changes an organization's settings and applies them to everybody: in a large one by a job. `forecast` is what
/// [`foresee`] said of the same change.
pub fn update(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    update: &SettingsUpdate,
    forecast: &Forecast,
    now: Timestamp,
) -> Result<SettingsView, OperationError> {
    actor.require(Role::Operator)?;
    lock_part(conn, part_of(id))?;
    let (known, settings) = judged(conn, actor, id, update)?;
    if known != forecast.known {
        return Err(OperationError::Conflict(format!(
            "the settings of {id} were changed by somebody else meanwhile; nothing was changed. Look at them, and repeat it if it is still meant"
        )));
    }
    let Forecast {
        people,
        going,
        coming,
        ..
    } = *forecast;
    if going > settings.removal_guard.limit(people) && !update.confirm {
        return Err(OperationError::Conflict(format!(
            "this would end the access of {going} of {people} people, more than the removal guard lets go at once; nothing was changed. Repeat it with `confirm` if it is meant"
        )));
    }
    let mut job = None;
    if settings != known {
        organizations::save_settings(conn, id, &settings)?;
        let names: Vec<&str> = update.settings.keys().map(String::as_str).collect();
        let detail = names.join(", ");
        let act = "organization.settings_changed";
        audit(conn, actor, act, id, Some(id), Some(&detail), now)?;
        // What the directory said is read anew: nobody is messaged because of it, as with a mapping.
        let reread = (settings.date_order != known.date_order).then(|| known.clone());
        if reread.is_some() || folds(&settings) != folds(&known) {
            job = Some(reapply::ask_settings(conn, id, reread, &actor.name, now)?);
        }
        if settings.removal_guard.access != known.removal_guard.access {
            worker::follow_organization(conn, id, &actor.name, now)?;
        }
        if settings.succession.bots != known.succession.bots {
            succession::look_again(conn, id, &settings.succession, now)?;
        }
    }
    let reapplied = job.as_ref().map_or(0, |job| job.done);
    Ok(SettingsView {
        organization: show(conn, actor, id)?,
        reapplied: usize::try_from(reapplied).unwrap_or(0),
        people_before: people,
        people_after: people.saturating_sub(going) + coming,
        job: job.filter(|job| job.ended_at.is_none()).map(JobView::from),
    })
}

/// The settings as they are and as they would be, where the actor may make them so and they are right.
fn judged(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    update: &SettingsUpdate,
) -> Result<(Settings, Settings), OperationError> {
    actor.require(Role::Operator)?;
    actor.scope(Some(id))?;
    let known = seen(conn, actor, id)?.settings;
    let settings = merged(&known, &update.settings).map_err(OperationError::Problems)?;
    judge_redaction(conn, actor, id, &known, &settings)?;
    let mut problems = problems_of(&settings);
    problems.extend(fallback_problem(conn, id, &settings)?);
    if !problems.is_empty() {
        return Err(OperationError::Problems(problems));
    }
    Ok((known, settings))
}

/// Who is left out or on leave tells the value that decides it: nobody decides it by a field that they may
/// not see. Asked before anything is counted, since the count would tell it, too.
fn judge_redaction(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    known: &Settings,
    settings: &Settings,
) -> Result<(), OperationError> {
    let redaction = Redaction::over_one(conn, actor, id)?;
    let asked = |settings: &Settings| -> Vec<Condition> {
        let excluded = settings.exclude.iter().map(|rule| rule.when.clone());
        excluded.chain(settings.on_leave.when.clone()).collect()
    };
    let before = asked(known);
    let new = asked(settings)
        .into_iter()
        .filter(|when| !before.contains(when));
    if new
        .flat_map(|when| when.fields())
        .any(|field| redaction.covers(&field))
    {
        redaction.refuse("a condition on a sensitive field")?;
    }
    Ok(())
}

/// What of the settings the fold looks at.
fn folds(settings: &Settings) -> impl PartialEq + use<> {
    (
        settings.exclude.clone(),
        settings.on_leave.when.clone(),
        settings.directory_priority.clone(),
        settings.employee_numbers,
    )
}

/// The settings with what is named replaced; all that cannot be read is told at once.
fn merged(known: &Settings, named: &Map<String, Value>) -> Result<Settings, Vec<Problem>> {
    let all = |settings: &Settings| match serde_json::to_value(settings) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    };
    let defaults = all(&Settings::default());
    let mut whole = all(known);
    let mut problems = Vec::new();
    for (name, value) in named {
        let path = format!("settings.{name}");
        let Some(default) = defaults.get(name) else {
            let names: Vec<&str> = defaults.keys().map(String::as_str).collect();
            let message = format!("there is no such setting; there are {}", names.join(", "));
            problems.push(Problem::new(path, message));
            continue;
        };
        if name == "mapping" {
            let message = "it is changed by PUT /v1/organizations/{id}/fields";
            problems.push(Problem::new(path, message));
            continue;
        }
        let value = match (value, whole.get(name)) {
            (Value::Null, _) => default.clone(),
            (Value::Object(some), Some(Value::Object(here))) => replaced(here, some, default),
            (value, _) => value.clone(),
        };
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        match serde_json::from_value::<Settings>(Value::Object(alone)) {
            Ok(_) => {
                whole.insert(name.clone(), value);
            }
            Err(why) => problems.push(Problem::new(path, why.to_string())),
        }
    }
    if problems.is_empty() {
        serde_json::from_value(Value::Object(whole))
            .map_err(|why| vec![Problem::new("settings", why.to_string())])
    } else {
        Err(problems)
    }
}

/// A setting of several parts keeps those that are not named.
fn replaced(here: &Map<String, Value>, some: &Map<String, Value>, default: &Value) -> Value {
    let mut parts = here.clone();
    for (name, value) in some {
        let value = match value {
            Value::Null => default.get(name).cloned().unwrap_or(Value::Null),
            value => value.clone(),
        };
        parts.insert(name.clone(), value);
    }
    Value::Object(parts)
}

fn problems_of(settings: &Settings) -> Vec<Problem> {
    let mut problems = super::messages::problems_of(&settings.messages);
    let mut judge = |path: String, when: &Condition, unasked: &[&str]| {
        for field in when.fields() {
            if unasked.contains(&field.as_str()) {
                let message = format!(
                    "{field} cannot be asked here: only fields and attributes of the profile, and directory"
                );
                problems.push(Problem::new(path.clone(), message));
            }
        }
    };
    for (place, rule) in settings.exclude.iter().enumerate() {
        judge(
            format!("settings.exclude[{place}].when"),
            &rule.when,
            &UNASKED,
        );
    }
    if let Some(when) = &settings.on_leave.when {
        judge("settings.on_leave.when".to_owned(), when, &UNASKED);
    }
    for (name, percent) in [
        ("removal_guard", settings.removal_guard.percent),
        ("leave_guard", settings.leave_guard.percent),
        ("swap_guard", settings.swap_guard.percent),
    ] {
        if percent > 100 {
            let path = format!("settings.{name}.percent");
            problems.push(Problem::new(path, "a share of the people: 0 to 100"));
        }
    }
    if settings.poll_cycle_minutes.0 > LONGEST_CYCLE {
        let path = "settings.poll_cycle_minutes";
        problems.push(Problem::new(path, "0 to 1440 minutes"));
    }
    let hours = settings.reconcile.interval_hours;
    if hours.is_some_and(|hours| !(1..=LONGEST_INTERVAL).contains(&hours)) {
        let path = "settings.reconcile.interval_hours";
        problems.push(Problem::new(path, "1 to 720 hours"));
    }
    problems
}

/// The fallback owner is somebody of the organization who may come in.
fn fallback_problem(
    conn: &mut Conn,
    id: &str,
    settings: &Settings,
) -> Result<Option<Problem>, OperationError> {
    let Some(owner) = &settings.succession.fallback_owner else {
        return Ok(None);
    };
    let there = profiles::find(conn, owner)?
        .is_some_and(|row| row.organization_id == id && has_access(&row.status));
    let message = "the profile id of somebody of this organization who is active or on leave";
    Ok((!there).then(|| Problem::new("settings.succession.fallback_owner", message)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_share_is_no_more_than_everybody_in_any_guard() {
        let guards = ["removal_guard", "leave_guard", "swap_guard"];
        for name in guards {
            let named = Map::from_iter([(name.to_owned(), json!({"percent": 101}))]);
            let settings = merged(&Settings::default(), &named).unwrap();
            let paths: Vec<String> = problems_of(&settings)
                .into_iter()
                .map(|one| one.path)
                .collect();
            assert_eq!(paths, [format!("settings.{name}.percent")]);
        }
    }
}
