//! `--fresh`: the same story told now. Event ids are new and `created_at` is moved so that the last
//! event happened just now; order and spacing stay, and two deliveries of one event stay two
//! deliveries of one event. Only the envelope changes: ids of people, groups and directories, and
//! everything in `data`, stay what they were.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::edit::{self, EditError, Path, quoted};
use super::input::Body;
use crate::clock::Timestamp;
use crate::workos::{event_time, new_event_id};

/// `rounds` tellings of `bodies`, one after the other, the last event of the last one at `now`.
/// Without `fresh` each round is the same bytes again.
///
/// # Errors
/// A body that is no JSON object, with the place it came from.
pub fn rounds(
    bodies: &[Body],
    rounds: usize,
    fresh: Option<Timestamp>,
) -> Result<Vec<Body>, (String, EditError)> {
    let Some(now) = fresh else {
        return Ok(bodies
            .iter()
            .cycle()
            .take(bodies.len().saturating_mul(rounds))
            .cloned()
            .collect());
    };
    // Later rounds must be later events, or the second telling would be stale to the first.
    let length = span(bodies, now).saturating_add(Duration::from_millis(1));
    let mut told = Vec::with_capacity(bodies.len().saturating_mul(rounds));
    for before_last in (0..rounds).rev() {
        let back = length.saturating_mul(u32::try_from(before_last).unwrap_or(u32::MAX));
        told.extend(tell(bodies, now.minus(back))?);
    }
    Ok(told)
}

/// One telling that ends at `end`.
fn tell(bodies: &[Body], end: Timestamp) -> Result<Vec<Body>, (String, EditError)> {
    // Whole milliseconds, as ids and WorkOS's own times have them.
    let end = Timestamp::from_millis(end.millis());
    let times: Vec<Timestamp> = bodies
        .iter()
        .map(|body| happened(body).unwrap_or(end))
        .collect();
    let last = times.iter().max().copied().unwrap_or(end);
    let moved: Vec<Timestamp> = times
        .iter()
        .map(|at| Timestamp(end.0 - (last.0 - at.0)))
        .collect();
    let ids = new_ids(bodies, &moved);
    bodies
        .iter()
        .zip(moved)
        .map(|(body, at)| retell(body, at, &ids))
        .collect()
}

fn retell(
    body: &Body,
    at: Timestamp,
    ids: &BTreeMap<String, String>,
) -> Result<Body, (String, EditError)> {
    let mut changes = Vec::new();
    if let Some(id) = id(body).and_then(|old| ids.get(&old)) {
        changes.push(("id", quoted(id)));
    }
    // Legacy bodies have no time of their own: their id tells it.
    if body
        .text()
        .is_some_and(|text| edit::get(text, &["created_at"]).is_some())
    {
        changes.push(("created_at", quoted(&written(at))));
    }
    body.edited(|text| {
        changes
            .iter()
            .try_fold(text.to_owned(), |text, (key, value)| {
                edit::set(&text, &key.parse::<Path>()?, value)
            })
    })
}

/// New ids for the old ones, in the same order: ids decide between events of one instant (R66).
fn new_ids(bodies: &[Body], moved: &[Timestamp]) -> BTreeMap<String, String> {
    let mut first_seen = BTreeMap::new();
    for (body, at) in bodies.iter().zip(moved) {
        if let Some(id) = id(body) {
            first_seen.entry(id).or_insert(*at);
        }
    }
    let old: BTreeSet<(Timestamp, String)> =
        first_seen.into_iter().map(|(id, at)| (at, id)).collect();
    // An id begins with its time, so sorting the new ones keeps them at their instants.
    let mut new: Vec<String> = old.iter().map(|(at, _)| new_event_id(*at)).collect();
    new.sort();
    old.into_iter().map(|(_, id)| id).zip(new).collect()
}

fn id(body: &Body) -> Option<String> {
    edit::get_text(body.text()?, &["id"])
}

/// When the event happened: the envelope's `created_at`, else the time inside its id.
fn happened(body: &Body) -> Option<Timestamp> {
    let created_at =
        edit::get_text(body.text()?, &["created_at"]).and_then(|text| Timestamp::parse(&text));
    created_at.or_else(|| event_time(&id(body)?))
}

fn span(bodies: &[Body], now: Timestamp) -> Duration {
    let times = || bodies.iter().map(|body| happened(body).unwrap_or(now));
    match (times().min(), times().max()) {
        (Some(first), Some(last)) => last.since(first),
        _ => Duration::ZERO,
    }
}

/// RFC 3339, in microseconds where there are any: two events must not fall onto one instant.
fn written(at: Timestamp) -> String {
    if at.micros() % 1_000 == 0 {
        return at.to_string();
    }
    at.to_chrono()
        .to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(texts: &[&str]) -> Vec<Body> {
        texts
            .iter()
            .map(|text| Body::new(text.as_bytes().to_vec(), "test"))
            .collect()
    }

    fn field(body: &Body, name: &str) -> String {
        edit::get_text(body.text().unwrap(), &[name]).unwrap()
    }

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn order_and_spacing_stay_and_the_last_event_is_now() {
        let old = bodies(&[
            r#"{"id":"event_b","created_at":"2026-01-01T00:01:00.000Z","data":{"id":"user_1"}}"#,
            r#"{"id":"event_a","created_at":"2026-01-01 00:00:00.000"}"#,
        ]);
        let new = rounds(&old, 1, Some(NOW)).unwrap();
        assert_eq!(Timestamp::parse(&field(&new[0], "created_at")), Some(NOW));
        assert_eq!(
            Timestamp::parse(&field(&new[1], "created_at")),
            Some(NOW.minus(Duration::from_secs(60)))
        );
        assert!(
            field(&new[1], "id") < field(&new[0], "id"),
            "ids keep the order of time"
        );
        assert_eq!(event_time(&field(&new[0], "id")), Some(NOW));
        assert!(
            new[0].text().unwrap().contains(r#""data":{"id":"user_1"}"#),
            "other ids stay"
        );
    }

    #[test]
    fn duplicates_of_one_id_stay_duplicates_and_ties_keep_their_order() {
        let one = r#"{"id":"event_1","created_at":"2026-01-01T00:00:00.000Z"}"#;
        let two = r#"{"id":"event_2","created_at":"2026-01-01T00:00:00.000Z"}"#;
        for _ in 0..20 {
            let new = rounds(&bodies(&[two, one, one]), 1, Some(NOW)).unwrap();
            assert_eq!(field(&new[1], "id"), field(&new[2], "id"));
            assert!(
                field(&new[1], "id") < field(&new[0], "id"),
                "R66: the id breaks the tie"
            );
        }
    }

    #[test]
    fn microseconds_keep_events_apart() {
        let new = rounds(
            &bodies(&[
                r#"{"id":"event_1","created_at":"2020-05-06 04:21:48.649164"}"#,
                r#"{"id":"event_2","created_at":"2020-05-06 04:21:48.649900"}"#,
            ]),
            1,
            Some(NOW),
        );
        let new = new.unwrap();
        let at = |body: &Body| Timestamp::parse(&field(body, "created_at")).unwrap();
        assert_eq!(at(&new[1]).since(at(&new[0])), Duration::from_micros(736));
    }

    #[test]
    fn a_legacy_body_gets_a_new_id_and_no_time_it_never_had() {
        let new = rounds(
            &bodies(&[r#"{"id":"wh_01FKZ0000000000000000000A1","data":{}}"#]),
            1,
            Some(NOW),
        )
        .unwrap();
        assert!(field(&new[0], "id").starts_with("event_"));
        assert_eq!(event_time(&field(&new[0], "id")), Some(NOW));
        assert!(!new[0].text().unwrap().contains("created_at"));
    }

    #[test]
    fn later_rounds_are_later_events_and_the_same_bytes_without_fresh() {
        let old = bodies(&[
            r#"{"id":"event_1","created_at":"2026-01-01T00:00:00.000Z"}"#,
            r#"{"id":"event_2","created_at":"2026-01-01T00:00:09.000Z"}"#,
        ]);
        let told = rounds(&old, 3, Some(NOW)).unwrap();
        let times: Vec<String> = told.iter().map(|body| field(body, "created_at")).collect();
        assert!(times.is_sorted() && times.len() == 6, "{times:?}");
        let ids: BTreeSet<String> = told.iter().map(|body| field(body, "id")).collect();
        assert_eq!(ids.len(), 6);
        let same = rounds(&old, 2, None).unwrap();
        assert_eq!((same.len(), same[0].text()), (4, same[2].text()));
    }

    #[test]
    fn a_body_that_is_no_object_is_named() {
        let (from, why) = rounds(&bodies(&["[1]"]), 1, Some(NOW))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(from, "test");
        assert!(matches!(why, EditError::NotAnObject));
    }
}
