//! The sentences of a history, pure: what an event, a change, a message or an act was, for somebody
//! who has never heard of queues and webhooks.

use std::collections::BTreeMap;

use crate::outbox::EventRow;
use crate::store::acts::ActRow;
use crate::store::changes::ChangeRow;
use crate::store::holds::{self, Hold};
use crate::triggers::deliveries::DeliveryRow;

/// Whether events of a kind take something away: of two in one instant they come last (R66).
pub(super) fn takes_away(event_type: &str) -> bool {
    matches!(
        event_type,
        "dsync.user.deleted" | "dsync.group.user_removed" | "dsync.group.deleted"
    )
}

/// What the directory did, and what came of it.
pub(super) fn of_event(row: &EventRow) -> String {
    let what = match row.event_type.as_str() {
        "dsync.user.created" => "The directory added them".to_owned(),
        "dsync.user.updated" => "The directory updated them".to_owned(),
        "dsync.user.deleted" => "The directory deleted them".to_owned(),
        "dsync.group.user_added" => "The directory put them into a group".to_owned(),
        "dsync.group.user_removed" => "The directory took them out of a group".to_owned(),
        "dsync.group.deleted" => "A group they were in was deleted".to_owned(),
        "organization.deleted" => "Their organization was deleted in WorkOS".to_owned(),
        other => format!("The directory sent {other}"),
    };
    let came_of_it = match (row.state.as_str(), &row.reason, &row.error) {
        ("ready", _, Some(error)) => format!("it failed and will be tried again: {error}"),
        ("ready", _, None) => "waits to be applied".to_owned(),
        ("held", Some(reason), _) => format!("held for a decision: {reason}"),
        ("held", None, _) => "held for a decision".to_owned(),
        ("failed", _, Some(error)) => format!("given up, an operator decides: {error}"),
        (_, Some(reason), _) => reason.clone(),
        (state, None, _) => row.outcome.clone().unwrap_or_else(|| state.to_owned()),
    };
    format!("{what}: {}.", came_of_it.trim_end_matches('.'))
}

/// What changed.
pub(super) fn of_change(row: &ChangeRow, communities: &BTreeMap<String, String>) -> String {
    let by = if row.event_id.is_some() {
        String::new()
    } else {
        format!(" (by {})", row.actor)
    };
    let (old, new) = (row.old.as_deref(), row.new.as_deref());
    let told = match (row.what.as_str(), old, new) {
        ("membership", old, new) => of_membership(&row.name, old, new, communities),
        ("status", Some(old), Some(new)) => {
            format!("Status changed from {} to {}", spoken(old), spoken(new))
        }
        ("status", None, Some(new)) => format!("Status is {}", spoken(new)),
        (_, Some(old), Some(new)) => {
            format!("{} changed from “{old}” to “{new}”", label(&row.name))
        }
        (_, None, Some(new)) => format!("{} set to “{new}”", label(&row.name)),
        (_, Some(old), None) => format!("{} cleared (was “{old}”)", label(&row.name)),
        (_, None, None) => format!(
            "{} changed; what it was and became is erased",
            label(&row.name)
        ),
    };
    format!("{told}{by}.")
}

fn of_membership(
    id: &str,
    old: Option<&str>,
    new: Option<&str>,
    communities: &BTreeMap<String, String>,
) -> String {
    let name = match communities.get(id) {
        Some(name) => format!("the community “{name}”"),
        None => format!("a community that was deleted ({id})"),
    };
    match (old, new) {
        (None, Some(role)) => format!("Joined {name} as {role}"),
        (Some(role), None) => format!("Left {name} (was {role})"),
        (Some(old), Some(new)) => format!("Role in {name} changed from {old} to {new}"),
        (None, None) => format!("Membership of {name} touched"),
    }
}

/// `start_date` as `Start date`, `attributes.cost_center` as `cost_center`.
fn label(field: &str) -> String {
    if let Some(custom) = field.strip_prefix("attributes.") {
        return custom.to_owned();
    }
    let words = spoken(field);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

/// What became of a message.
pub(super) fn of_delivery(row: &DeliveryRow) -> String {
    let message = match row.channel.as_str() {
        "email" => "An e-mail",
        "slack" => "A Slack message",
        _ => "A webhook",
    };
    let message = match &row.subject {
        Some(subject) => format!("{message} “{subject}”"),
        None => message.to_owned(),
    };
    let reason = row.reason.as_deref().unwrap_or("no reason was kept");
    match row.state.as_str() {
        "due" => format!("{message} is due at {}.", row.due_at),
        "held" => format!("{message} waits: {reason}."),
        "claimed" | "attempting" => format!("{message} is being sent."),
        "sent" => format!("{message} was sent."),
        "cancelled" => format!("{message} was cancelled: {reason}."),
        "failed" => format!("{message} was not sent: {reason}."),
        "unknown" => format!("{message} may have been sent: {reason}."),
        other => format!("{message} is {other}."),
    }
}

/// What an operator did.
pub(super) fn of_act(row: &ActRow) -> String {
    let (actor, detail) = (&row.actor, row.detail.as_deref());
    match (row.act.as_str(), detail) {
        ("profile.erased", _) if actor == "retention" => {
            "Erased for good, because they left long ago.".to_owned()
        }
        ("profile.erased", _) => format!("{actor} erased them for good."),
        ("profile.legal_hold_placed", Some(reason)) => {
            format!("{actor} placed a legal hold, so that nothing is erased: {reason}.")
        }
        ("profile.legal_hold_placed", None) => {
            format!("{actor} placed a legal hold, so that nothing is erased.")
        }
        ("profile.legal_hold_released", _) => format!("{actor} released the legal hold."),
        (act, Some(detail)) => format!("{actor}: {} ({detail}).", act.replace(['.', '_'], " ")),
        (act, None) => format!("{actor}: {}.", act.replace(['.', '_'], " ")),
    }
}

/// That something about them waited for an operator.
pub(super) fn of_waiting(hold: &Hold) -> String {
    format!(
        "What the directory said waited for a decision, because {}.",
        hold.reason
    )
}

/// What an operator decided about a batch they were in.
pub(super) fn of_decision(hold: &Hold, applied: bool, by: &str) -> String {
    match (hold.state.as_str(), hold.kind.as_str()) {
        (holds::APPROVED, holds::DIRECTORY_DELETED) => {
            format!("{by} decided that the people of the deleted directory leave.")
        }
        (holds::REJECTED, holds::DIRECTORY_DELETED) => {
            format!("{by} decided that the people of the deleted directory stay.")
        }
        (holds::APPROVED, holds::ORGANIZATION_DELETED) => {
            format!("{by} decided that the people of the deleted organization are removed.")
        }
        (holds::REJECTED, holds::ORGANIZATION_DELETED) => {
            format!("{by} decided that the people of the deleted organization stay.")
        }
        (holds::UNDONE, _) => {
            format!("{by} took the approved batch back: everything is as it was before.")
        }
        (holds::APPROVED, _) => format!("{by} approved the batch they were in."),
        (holds::REJECTED, _) if applied => format!(
            "{by} rejected the batch they were in, and what was applied already was taken back."
        ),
        (holds::REJECTED, _) => {
            format!("{by} rejected the batch they were in: nothing of it is applied.")
        }
        (state, _) => format!("{by}: the batch they were in is {state}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn change(what: &str, name: &str, old: Option<&str>, new: Option<&str>) -> ChangeRow {
        ChangeRow {
            id: 1,
            profile_id: "profile_1".to_owned(),
            what: what.to_owned(),
            name: name.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
            event_id: Some("event_1".to_owned()),
            directory_id: None,
            actor: "directory".to_owned(),
            at: Timestamp(0),
            recorded_at: Timestamp(0),
        }
    }

    #[test]
    fn r70_a_change_reads_as_a_sentence() {
        let names = BTreeMap::from([("community_1".to_owned(), "Runners".to_owned())]);
        let told = |what, name, old, new| of_change(&change(what, name, old, new), &names);
        assert_eq!(
            told("field", "start_date", None, Some("2026-01-07")),
            "Start date set to “2026-01-07”."
        );
        assert_eq!(
            told("field", "attributes.cost_center", Some("7"), None),
            "cost_center cleared (was “7”)."
        );
        assert_eq!(
            told("status", "status", Some("active"), Some("on_leave")),
            "Status changed from active to on leave."
        );
        assert_eq!(
            told("membership", "community_1", Some("admin"), None),
            "Left the community “Runners” (was admin)."
        );
    }

    #[test]
    fn what_an_operator_did_names_them() {
        let mut by_hand = change("membership", "community_9", None, Some("member"));
        by_hand.event_id = None;
        by_hand.actor = "cli:ann".to_owned();
        assert_eq!(
            of_change(&by_hand, &BTreeMap::new()),
            "Joined a community that was deleted (community_9) as member (by cli:ann)."
        );
    }
}
