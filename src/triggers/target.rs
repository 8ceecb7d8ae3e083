//! To whom a step goes, looked up at the moment of sending and never earlier (R81): a manager is the
//! person whom the directory names now, at their present address; one who has left, is suspended, has
//! opted out or is not known gets nothing, and the step's fallback does where it names one.

use std::borrow::Cow;

use diesel::QueryResult;
use serde_json::Value;

use crate::db::Conn;
use crate::store::managers::{self, Manager};
use crate::store::opt_outs;
use crate::store::profiles::ProfileRow;
use crate::workos::clean;

use super::definition::{Recipient, Step};
use super::suspended;

/// Where a step goes for one person.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    /// The step, with its fallback in the recipient's place where that is who gets it.
    pub step: Cow<'a, Step>,
    /// The address; nothing while none is known (R26), or where nobody gets it.
    pub address: Option<String>,
    /// Why nobody gets it; names profiles, no people.
    pub refused: Option<String>,
    /// Why the fallback gets it.
    pub note: Option<String>,
}

/// Looks the recipient up.
pub(crate) fn target_of<'a>(
    conn: &mut Conn,
    step: &'a Step,
    person: &ProfileRow,
    vars: &Value,
) -> QueryResult<Target<'a>> {
    if step.to != Recipient::Manager {
        return Ok(Target {
            address: address_of(&step.to, vars),
            step: Cow::Borrowed(step),
            refused: None,
            note: None,
        });
    }
    let (address, why) = match manager_of(conn, person)? {
        Ok(manager) => match (manager.email, &step.fallback) {
            (None, Some(_)) => {
                let why = format!("the manager ({}) has no e-mail address", manager.id);
                (None, Some(why))
            }
            (address, _) => (address, None),
        },
        Err(why) => (None, Some(why)),
    };
    Ok(match (why, &step.fallback) {
        (None, _) => Target {
            step: Cow::Borrowed(step),
            address,
            refused: None,
            note: None,
        },
        (Some(why), Some(fallback)) => Target {
            address: address_of(fallback, vars),
            step: Cow::Owned(Step {
                to: fallback.clone(),
                fallback: None,
                ..step.clone()
            }),
            refused: None,
            note: Some(format!("went to the fallback, because {why}")),
        },
        (Some(why), None) => Target {
            step: Cow::Borrowed(step),
            address: None,
            refused: Some(format!("nothing was sent to the manager: {why}")),
            note: None,
        },
    })
}

/// The manager who may be written to, or why there is none.
fn manager_of(conn: &mut Conn, person: &ProfileRow) -> QueryResult<Result<ProfileRow, String>> {
    let found = managers::of(conn, std::slice::from_ref(person))?.remove(&person.id);
    let found = found.unwrap_or(Manager::Unnamed);
    if let Some(why) = found.problem() {
        return Ok(Err(why));
    }
    let Manager::Known(row) = found else {
        return Ok(Err("there is no manager".to_owned()));
    };
    if !suspended::among(conn, std::slice::from_ref(&row.id))?.is_empty() {
        return Ok(Err(format!("the manager ({}) is suspended", row.id)));
    }
    if opt_outs::of_person(conn, &row.id)?.is_some() {
        return Ok(Err(format!("the manager ({}) wants no messages", row.id)));
    }
    Ok(Ok(*row))
}

/// The address of a recipient that needs no looking up.
fn address_of(to: &Recipient, vars: &Value) -> Option<String> {
    match to {
        Recipient::Person => vars
            .get("email")
            .and_then(Value::as_str)
            // A placeholder is shown and is nobody's address (R86).
            .filter(|address| !clean::is_placeholder(address))
            .map(str::to_owned),
        Recipient::Manager => None,
        Recipient::Address(text) | Recipient::Url(text) | Recipient::SlackChannel(text) => {
            Some(text.clone())
        }
    }
}
