//! Where somebody is named in passing: in what a job was asked to do, and in what an operator decided about
//! who is who. The rows stay; an erasure (R65) puts another word in the place of the name.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::Value;

use crate::db::schema::{jobs, operator_acts};
use crate::db::{Conn, contains, on_backend};

use super::profiles::ERASED;
use super::to_json;

/// Puts `other` where a job's filter says `name`. Where a job stopped may be somebody, too; one that goes
/// on needs to know.
pub fn replace_in_jobs(conn: &mut Conn, name: &str, other: &str) -> QueryResult<()> {
    let (name, other) = (to_json(&name)?, to_json(&other)?);
    let payload =
        "UPDATE jobs SET payload = replace(payload, $1, $2) WHERE payload LIKE $3 ESCAPE '\\'";
    replace(conn, payload, &name, &other)?;
    let cursor = "UPDATE jobs SET cursor = replace(cursor, $1, $2) \
                  WHERE cursor LIKE $3 ESCAPE '\\' AND ended_at IS NOT NULL";
    replace(conn, cursor, &name, &other)
}

/// Puts `other` where an act speaks of the directory user `name`.
pub fn replace_in_acts(conn: &mut Conn, name: &str, other: &str) -> QueryResult<()> {
    let targets = "UPDATE operator_acts SET target = replace(target, $1, $2) WHERE target = $1";
    on_backend!(conn, c => diesel::sql_query(targets)
        .bind::<Text, _>(name)
        .bind::<Text, _>(other)
        .execute(c))?;
    let details = "UPDATE operator_acts SET detail = replace(detail, $1, $2) \
                   WHERE act IN ('conflict.same_as', 'conflict.new_person') AND detail LIKE $3 ESCAPE '\\'";
    replace(conn, details, &format!(" {name} "), &format!(" {other} "))
}

/// Takes the words out of a job's search that are somebody's names: what was looked for is told for as long as
/// the job is.
pub fn hide_in_searches(conn: &mut Conn, names: &[String]) -> QueryResult<()> {
    let names: BTreeSet<String> = names
        .iter()
        .flat_map(|name| name.split_whitespace())
        .map(str::to_lowercase)
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let searching: Vec<(String, String)> = on_backend!(conn, c => jobs::table
        .filter(jobs::payload.like("%\"q\":\"%"))
        .select((jobs::id, jobs::payload))
        .load(c))?;
    for (id, payload) in searching {
        let Ok(mut said) = serde_json::from_str::<Value>(&payload) else {
            continue;
        };
        if hide(&mut said, &names) {
            let payload = said.to_string();
            on_backend!(conn, c => diesel::update(jobs::table.find(&id))
                .set(jobs::payload.eq(&payload))
                .execute(c))?;
        }
    }
    Ok(())
}

fn hide(said: &mut Value, names: &BTreeSet<String>) -> bool {
    match said {
        Value::Object(members) => members.iter_mut().fold(false, |hid, (key, value)| {
            let hides = match value {
                Value::String(q) if key == "q" => {
                    let lower = q.to_lowercase();
                    let mut words = lower.split(|letter: char| !letter.is_alphanumeric());
                    let named = words.any(|word| names.contains(word));
                    if named {
                        ERASED.clone_into(q);
                    }
                    named
                }
                other => hide(other, names),
            };
            hides || hid
        }),
        Value::Array(items) => {
            // Every one of them, also behind the first that is hidden.
            let hid = items
                .iter_mut()
                .filter_map(|item| hide(item, names).then_some(()));
            hid.count() > 0
        }
        _ => false,
    }
}

/// Takes away why somebody's data had to be kept: the reason was written about them.
pub fn hide_reasons(conn: &mut Conn, profile: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(operator_acts::table
        .filter(operator_acts::target.eq(profile))
        .filter(operator_acts::act.eq("profile.legal_hold_placed")))
        .set(operator_acts::detail.eq(ERASED))
        .execute(c))?;
    Ok(())
}

fn replace(conn: &mut Conn, sql: &str, name: &str, other: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(name)
        .bind::<Text, _>(other)
        .bind::<Text, _>(contains(name))
        .execute(c))?;
    Ok(())
}
