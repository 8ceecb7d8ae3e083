//! The observations: what each event said of its directory user. Written once, read only when an
//! older event arrives and what follows it has to be folded again.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::observations;
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::domain::{Observation, Said};
use crate::workos::OrderKey;

use super::{to_json, unreadable};

#[derive(Queryable, Insertable)]
#[diesel(table_name = observations, treat_none_as_default_value = false)]
struct Row {
    event_id: String,
    directory_user_id: String,
    organization_id: String,
    at: Timestamp,
    removal: bool,
    said: String,
}

/// Which of the given events have left a observation already.
pub fn known(conn: &mut Conn, event_ids: &[String]) -> QueryResult<BTreeSet<String>> {
    let ids: Vec<String> = on_backend!(conn, c => observations::table
        .filter(observations::event_id.eq_any(event_ids))
        .select(observations::event_id)
        .load(c))?;
    Ok(ids.into_iter().collect())
}

/// All observations about the given directory users.
pub fn of_links(conn: &mut Conn, directory_users: &[String]) -> QueryResult<Vec<Observation>> {
    let mut all = Vec::new();
    for chunk in directory_users.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = on_backend!(conn, c => observations::table.filter(observations::directory_user_id.eq_any(chunk)).load(c))?;
        for row in rows {
            let said: Said = serde_json::from_str(&row.said)
                .map_err(|error| unreadable("observation", &row.event_id, &error))?;
            // What was kept before a rule of cleaning changed is read like what comes today.
            let said = Said {
                user: said.user.cleaned(),
                ..said
            };
            all.push(Observation {
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

/// Adds observations; those that are known stay as they are.
pub fn add(conn: &mut Conn, new: &[(String, Observation)]) -> QueryResult<()> {
    for chunk in new.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<Row> = chunk
            .iter()
            .map(|(organization_id, observation)| {
                Ok(Row {
                    event_id: observation.key.event_id.clone(),
                    directory_user_id: observation.said.user.id.clone(),
                    organization_id: organization_id.clone(),
                    at: observation.key.at,
                    removal: observation.key.removal,
                    said: to_json(&observation.said)?,
                })
            })
            .collect::<QueryResult<_>>()?;
        on_backend!(conn, c => diesel::insert_into(observations::table).values(&rows).on_conflict_do_nothing().execute(c))?;
    }
    Ok(())
}

/// Deletes everything said of people who were erased.
pub fn delete_of(conn: &mut Conn, directory_users: &[String]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(observations::table
        .filter(observations::directory_user_id.eq_any(directory_users)))
        .execute(c))?;
    Ok(())
}

/// What was taken back.
#[derive(Debug, Default)]
pub struct TakenBack {
    /// The directory users it spoke of.
    pub users: BTreeSet<String>,
    /// The events that said it.
    pub events: BTreeSet<String>,
}

/// Takes observations back: an operator rejected the events that made them. Where they were removals,
/// those that followed of the same directory users go with them (`and_removals`): a deactivation is
/// often followed by a deletion, which alone would keep the person out.
pub fn take_back(
    conn: &mut Conn,
    event_ids: &[String],
    and_removals: bool,
) -> QueryResult<TakenBack> {
    let mut taken = TakenBack::default();
    for chunk in event_ids.chunks(ROWS_PER_STATEMENT) {
        let first: Vec<(String, String, Timestamp)> = on_backend!(conn, c => observations::table
            .filter(observations::event_id.eq_any(chunk))
            .select((observations::event_id, observations::directory_user_id, observations::at))
            .load(c))?;
        let since: BTreeMap<&str, Timestamp> = first
            .iter()
            .map(|(_, user, at)| (user.as_str(), *at))
            .collect();
        let users: Vec<&str> = since.keys().copied().collect();
        let removals: Vec<(String, String, Timestamp)> = on_backend!(conn, c => observations::table
            .filter(observations::directory_user_id.eq_any(&users))
            .filter(observations::removal.eq(true))
            .select((observations::event_id, observations::directory_user_id, observations::at))
            .load(c))?;
        let later = removals.iter().filter(|(_, user, at)| {
            and_removals && since.get(user.as_str()).is_some_and(|since| at >= since)
        });
        let all: BTreeSet<String> = first
            .iter()
            .chain(later)
            .map(|(event, ..)| event.clone())
            .collect();
        let gone: Vec<&String> = all.iter().collect();
        for some in gone.chunks(ROWS_PER_STATEMENT) {
            on_backend!(conn, c => diesel::delete(observations::table.filter(observations::event_id.eq_any(some.iter().copied()))).execute(c))?;
        }
        taken.events.extend(all);
        taken
            .users
            .extend(first.into_iter().map(|(_, user, _)| user));
    }
    Ok(taken)
}
