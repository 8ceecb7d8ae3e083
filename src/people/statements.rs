//! The statements: what each event said of its directory user. Written once, read only when an
//! older event arrives and what follows it has to be folded again.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::statements;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::roll::Statement;
use crate::workos::OrderKey;

use super::{to_json, unreadable};

#[derive(Queryable, Insertable)]
#[diesel(table_name = statements, treat_none_as_default_value = false)]
struct Row {
    event_id: String,
    directory_user_id: String,
    organization_id: String,
    at: Timestamp,
    removal: bool,
    said: String,
}

/// Which of the given events have left a statement already.
pub fn known(conn: &mut Conn, event_ids: &[String]) -> QueryResult<BTreeSet<String>> {
    let ids: Vec<String> = on_backend!(conn, c => statements::table
        .filter(statements::event_id.eq_any(event_ids))
        .select(statements::event_id)
        .load(c))?;
    Ok(ids.into_iter().collect())
}

/// All statements about the given directory users.
pub fn of_links(conn: &mut Conn, directory_users: &[String]) -> QueryResult<Vec<Statement>> {
    let mut all = Vec::new();
    for chunk in directory_users.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = on_backend!(conn, c => statements::table.filter(statements::directory_user_id.eq_any(chunk)).load(c))?;
        for row in rows {
            let said = serde_json::from_str(&row.said)
                .map_err(|error| unreadable("statement", &row.event_id, &error))?;
            all.push(Statement {
                key: OrderKey {
                    at: row.at,
                    removal: row.removal,
                    event_id: row.event_id,
                },
                said,
            });
        }
    }
    Ok(all)
}

/// Adds statements; those that are known stay as they are.
pub fn add(conn: &mut Conn, new: &[(String, Statement)]) -> QueryResult<()> {
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = chunk
            .iter()
            .map(|(organization_id, statement)| {
                Ok(Row {
                    event_id: statement.key.event_id.clone(),
                    directory_user_id: statement.said.user.id.clone(),
                    organization_id: organization_id.clone(),
                    at: statement.key.at,
                    removal: statement.key.removal,
                    said: to_json(&statement.said)?,
                })
            })
            .collect::<QueryResult<_>>()?;
        on_backend!(conn, c => diesel::insert_into(statements::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Takes statements back: an operator rejected the events that made them. Answers the directory
/// users they spoke of.
pub fn take_back(conn: &mut Conn, event_ids: &[String]) -> QueryResult<BTreeSet<String>> {
    let users: Vec<String> = on_backend!(conn, c => statements::table
        .filter(statements::event_id.eq_any(event_ids))
        .select(statements::directory_user_id)
        .load(c))?;
    on_backend!(conn, c => diesel::delete(statements::table.filter(statements::event_id.eq_any(event_ids))).execute(c))?;
    Ok(users.into_iter().collect())
}
