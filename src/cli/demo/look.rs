//! What there is to see at the end, and the counts that the steps claim: the People list, one
//! person's history, the messages, and where to look further.

use std::collections::BTreeMap;

use super::company::ORGANIZATION;
use super::stage::Stage;
use super::tell::Teller;
use crate::cli::Failure;
use crate::cli::output::{Cell, Output, Tone};
use crate::operations::MAX_LIMIT;
use crate::operations::deliveries::{self as sent, DeliveryQuery, DeliveryView};
use crate::operations::events::{self, EventQuery, EventView};
use crate::operations::profiles::{self, EntryKind, ProfileQuery, ProfileView};

/// How many rows of the People list are shown.
const SHOWN: usize = 8;

/// How many people there are.
pub(super) struct Headcount {
    pub(super) active: usize,
}

/// Everybody of that status, those first seen last on top.
pub(super) fn people(stage: &Stage, status: &str) -> Result<Vec<ProfileView>, Failure> {
    let query = ProfileQuery {
        organization_id: Some(ORGANIZATION.to_owned()),
        status: Some(status.to_owned()),
        limit: Some(MAX_LIMIT),
        ..ProfileQuery::default()
    };
    Ok(stage
        .read(|conn| profiles::list(conn, &stage.actor, &query))?
        .data)
}

pub(super) fn headcount(stage: &Stage) -> Result<Headcount, Failure> {
    Ok(Headcount {
        active: people(stage, "active")?.len(),
    })
}

/// Every event that was stored.
pub(super) fn events(stage: &Stage) -> Result<Vec<EventView>, Failure> {
    let query = EventQuery {
        limit: Some(MAX_LIMIT),
        ..EventQuery::default()
    };
    Ok(stage
        .read(|conn| events::list(conn, &stage.actor, &query))?
        .data)
}

/// How many events had each outcome.
pub(super) fn outcomes(stage: &Stage) -> Result<BTreeMap<String, usize>, Failure> {
    let mut counts = BTreeMap::new();
    for event in events(stage)? {
        *counts
            .entry(event.outcome.unwrap_or(event.state))
            .or_default() += 1;
    }
    Ok(counts)
}

/// How many messages there are, whatever became of them.
pub(super) fn deliveries(stage: &Stage) -> Result<usize, Failure> {
    let all = DeliveryQuery {
        limit: Some(MAX_LIMIT),
        ..DeliveryQuery::default()
    };
    let page = stage.read(|conn| sent::list(conn, &stage.actor, &all))?;
    Ok(page.data.len())
}

/// The newest of the People list.
pub(super) fn show_people(stage: &Stage, tell: &Teller<'_>, out: &Output) -> Result<(), Failure> {
    let all = people(stage, "active")?;
    tell.title(&format!("People: the newest {SHOWN} of {}", all.len()));
    tell.plain("");
    let rows = all.iter().take(SHOWN).map(|one| {
        vec![
            Cell::from(one.display_name.as_str()),
            Cell::State(one.status.clone(), Tone::Good),
            Cell::from(one.title.clone()),
            Cell::from(one.department.clone()),
            Cell::from(one.communities.len()),
        ]
    });
    out.table(
        &["name", "status", "title", "department", "communities"],
        rows.collect(),
    );
    Ok(())
}

/// Everything that happened to one person, and why.
pub(super) fn show_history(stage: &Stage, tell: &Teller<'_>, id: &str) -> Result<(), Failure> {
    let told = stage.read(|conn| {
        profiles::history(conn, &stage.actor, id, &profiles::HistoryQuery::default())
    })?;
    tell.title(&format!("The history of {}", told.profile.display_name));
    tell.plain("");
    for entry in &told.data {
        let label = match entry.kind {
            EntryKind::Event => "event",
            EntryKind::Change => "",
            EntryKind::Delivery => "message",
            EntryKind::Operator => "by hand",
        };
        tell.say(label, &entry.sentence);
    }
    Ok(())
}

/// The messages that would have gone out, with their text.
pub(super) fn show_messages(
    stage: &Stage,
    tell: &Teller<'_>,
    messages: &[DeliveryView],
) -> Result<(), Failure> {
    tell.title("Messages that would have gone out");
    for one in messages {
        let now = stage.now();
        let whole = stage.read(|conn| sent::show(conn, &stage.actor, &one.id, now))?;
        let to = one.recipient.as_deref().unwrap_or("nobody");
        tell.plain("");
        tell.say(&one.channel, &format!("to {to}"));
        if let Some(subject) = &one.subject {
            tell.quote(subject);
            tell.quote(" ");
        }
        tell.quote(&readable(whole.text.as_deref().unwrap_or_default()));
    }
    Ok(())
}

/// JSON with spaces to break its lines at; text as it is.
fn readable(body: &str) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(body)
        .and_then(|value| serde_json::to_string_pretty(&value));
    match pretty {
        Ok(pretty) => pretty.lines().map(str::trim).collect::<Vec<_>>().join(" "),
        Err(_) => body.trim_end().to_owned(),
    }
}
