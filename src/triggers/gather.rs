//! A digest in place of many messages: who is in it, and what it says. A second attempt at one
//! speaks for the same people.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::profiles;

use super::channels::Message;
use super::definition::{Channel, Digest, Event, Step};
use super::deliveries::{self, Gathered, Leased};
use super::suspended;
use super::template::{Escape, TemplateError, render_digest};

/// Whether a message goes alone.
pub(super) enum Together<'a> {
    /// It does.
    Alone,
    /// It speaks for these people, by display name.
    Digest(&'a Digest, Vec<String>),
    /// Another one has spoken for it meanwhile.
    TakenIn,
}

/// For whom an earlier attempt at this message spoke, beside its own person.
pub(super) fn told(conn: &mut Conn, one: &Leased, step: &Step) -> QueryResult<Vec<String>> {
    if step.digest.is_none() {
        return Ok(Vec::new());
    }
    deliveries::told_in(conn, &one.id)
}

/// Gathers what is due together with this message, where its step has a digest.
pub(super) fn gather<'a>(
    conn: &mut Conn,
    one: &Leased,
    step: &'a Step,
    told: Vec<String>,
    now: Timestamp,
) -> QueryResult<Together<'a>> {
    let Some(digest) = &step.digest else {
        return Ok(Together::Alone);
    };
    if !told.is_empty() {
        let mut people = told;
        people.push(one.profile_id.clone());
        return Ok(Together::Digest(digest, names(conn, one, &people)?));
    }
    if one.attempts > 0 {
        return Ok(Together::Alone);
    }
    let all = deliveries::due_together(conn, one, now)?;
    if !all.iter().any(|other| other.id == one.id) {
        return Ok(Together::TakenIn);
    }
    // Whose access is suspended is not spoken of, and their messages wait by themselves.
    let people: Vec<String> = all.iter().map(|other| other.profile_id.clone()).collect();
    let waiting = suspended_of(conn, one, &people)?;
    let all: Vec<Gathered> = all
        .into_iter()
        .filter(|other| !waiting.contains_key(&other.profile_id))
        .collect();
    let people: Vec<String> = all.iter().map(|other| other.profile_id.clone()).collect();
    let names = names(conn, one, &people)?;
    if names.len() < digest.at_least as usize {
        return Ok(Together::Alone);
    }
    let others = |other: &&Gathered| other.id != one.id;
    let ids: Vec<String> = all
        .iter()
        .filter(others)
        .map(|other| other.id.clone())
        .collect();
    deliveries::take_in(conn, &one.id, &ids, now)?;
    Ok(Together::Digest(digest, names))
}

/// The display names of those who may still be spoken of, in alphabetical order.
fn names(conn: &mut Conn, one: &Leased, people: &[String]) -> QueryResult<Vec<String>> {
    let leaving = Event::ENDS_ACCESS.contains(&one.on_event.as_str());
    let distinct: Vec<String> = people
        .iter()
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let waiting = suspended_of(conn, one, &distinct)?;
    let mut names: Vec<String> = profiles::load(conn, &distinct)?
        .into_values()
        .filter(|row| leaving || row.status == "active")
        .filter(|row| !waiting.contains_key(&row.id))
        .map(|row| row.display_name)
        .collect();
    names.sort();
    Ok(names)
}

/// Whose access is suspended, where that matters: what tells of the end of access is told of anybody.
fn suspended_of(
    conn: &mut Conn,
    one: &Leased,
    people: &[String],
) -> QueryResult<BTreeMap<String, Duration>> {
    if Event::ENDS_ACCESS.contains(&one.on_event.as_str()) {
        return Ok(BTreeMap::new());
    }
    suspended::among(conn, people)
}

/// The message of a digest.
pub(super) fn compose(
    key: &str,
    channel: Channel,
    digest: &Digest,
    names: &[String],
    of: &str,
    recipient: String,
    now: Timestamp,
) -> Result<Message, TemplateError> {
    let escape = match channel {
        Channel::Slack => Escape::Slack,
        Channel::Email | Channel::Webhook => Escape::PlainText,
    };
    let subject = digest
        .subject
        .as_deref()
        .map(|subject| render_digest(subject, names, Escape::Header));
    Ok(Message {
        delivery_key: key.to_owned(),
        recipient,
        subject: subject.transpose()?,
        text: render_digest(&digest.text, names, escape)?,
        html: None,
        payload: None,
        event_type: Some(of.to_owned()),
        at: now,
    })
}
