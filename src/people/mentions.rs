//! Where somebody is named in passing: in what a job was asked to do, and in what an operator decided about
//! who is who. The rows stay; an erasure (R65) puts another word in the place of the name.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::db::{Conn, contains, on_backend};

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

fn replace(conn: &mut Conn, sql: &str, name: &str, other: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::sql_query(sql)
        .bind::<Text, _>(name)
        .bind::<Text, _>(other)
        .bind::<Text, _>(contains(name))
        .execute(c))?;
    Ok(())
}
