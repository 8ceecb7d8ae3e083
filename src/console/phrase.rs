//! Triggers and their steps in words, for somebody who does not read JSON.

use crate::conditions::{field_in_words, value_in_words};
use crate::triggers::{Channel, NewTrigger, Recipient, Step};

/// What a trigger waits for.
pub(super) fn occasion(trigger: &NewTrigger) -> String {
    let community = |verb: &str| match &trigger.community {
        Some(name) => format!("Somebody {verb} the community “{name}”"),
        None => format!("Somebody {verb} a community"),
    };
    match trigger.on.name() {
        "profile.activated" => "Somebody starts to work here".to_owned(),
        "profile.removed" => "Somebody leaves the company".to_owned(),
        "profile.suspended" => {
            "Somebody's access is suspended until an operator decides".to_owned()
        }
        "profile.resumed" => "Somebody who was suspended may come in again".to_owned(),
        "profile.updated" => "Anything shown about a person changes".to_owned(),
        "membership.began" => community("joins"),
        "membership.ended" => community("leaves"),
        "field.changed" => {
            let field = field_in_words(trigger.field.as_deref().unwrap_or("a field"));
            match &trigger.changed_to {
                Some(value) => format!("Somebody's {field} becomes {}", value_in_words(value)),
                None => format!("Somebody's {field} changes"),
            }
        }
        other => other.to_owned(),
    }
}

/// Where a step goes, without what may be secret in an address.
pub(super) fn place(step: &Step) -> String {
    let via = match step.channel {
        Channel::Email => "E-mail",
        Channel::Slack => "Slack message",
        Channel::Webhook => "Webhook",
    };
    let to = match &step.to {
        Recipient::Person => "the person".to_owned(),
        Recipient::Manager => "their manager".to_owned(),
        Recipient::Url(url) => url
            .parse::<url::Url>()
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_else(|| "a web address".to_owned()),
        other => other.to_string(),
    };
    format!("{via} to {to}")
}

/// When a step is due.
pub(super) fn delay(step: &Step) -> String {
    let after = match step.after.whole_days() {
        Some(0) => "at once".to_owned(),
        Some(1) => "after a day".to_owned(),
        Some(days) => format!("after {days} days"),
        None => format!("after {}", step.after),
    };
    match &step.at {
        Some(at) if after == "at once" => format!("at {at} their time"),
        Some(at) => format!("{after}, at {at} their time"),
        None => after,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_step_tells_the_path_of_a_web_address() {
        let body = json!({"organization_id": "o", "name": "n", "on": "membership.began", "community": "Chess",
            "steps": [{"channel": "slack", "to": "https://hooks.slack.com/services/T0/B0/secret", "text": "hi", "after": "P2D", "at": "09:00"}]});
        let trigger = NewTrigger::parse(&body, crate::triggers::Policy::default()).unwrap();
        assert_eq!(occasion(&trigger), "Somebody joins the community “Chess”");
        assert_eq!(place(&trigger.steps[0]), "Slack message to hooks.slack.com");
        assert_eq!(
            delay(&trigger.steps[0]),
            "after 2 days, at 09:00 their time"
        );
    }
}
