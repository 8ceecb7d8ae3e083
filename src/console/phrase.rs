//! Conditions and steps in words, for somebody who does not read JSON.

use serde_json::Value;

use crate::triggers::{Channel, NewTrigger, Recipient, Step};

/// A condition as a sentence's part: `department is Research and title starts with Head`.
pub(super) fn condition(value: &Value) -> String {
    let list = |key: &str| value.get(key).and_then(Value::as_array);
    if let Some(all) = list("all") {
        return joined(all, " and ");
    }
    if let Some(any) = list("any") {
        return joined(any, " or ");
    }
    if let Some(not) = value.get("not") {
        return format!("not ({})", condition(not));
    }
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let field = text("field");
    let field = field.strip_prefix("attributes.").unwrap_or(field);
    let field = field.replace('_', " ");
    let wanted = value.get("value").unwrap_or(&Value::Null);
    match text("op") {
        "exists" if *wanted == Value::Bool(false) => format!("{field} is missing"),
        "exists" => format!("{field} is known"),
        "eq" => format!("{field} is {}", plain(wanted)),
        "ne" => format!("{field} is not {}", plain(wanted)),
        "in" => format!("{field} is one of {}", plain(wanted)),
        "starts_with" => format!("{field} starts with {}", plain(wanted)),
        op => format!("{field} {op} {}", plain(wanted)),
    }
}

fn joined(all: &[Value], word: &str) -> String {
    let all: Vec<String> = all
        .iter()
        .map(|one| match one.get("any").or_else(|| one.get("all")) {
            Some(_) => format!("({})", condition(one)),
            None => condition(one),
        })
        .collect();
    all.join(word)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => format!("“{text}”"),
        Value::Array(all) => all.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// What a trigger waits for.
pub(super) fn occasion(trigger: &NewTrigger) -> String {
    let community = |verb: &str| match &trigger.community {
        Some(name) => format!("Somebody {verb} the community “{name}”"),
        None => format!("Somebody {verb} a community"),
    };
    match trigger.on.name() {
        "profile.activated" => "Somebody starts to work here".to_owned(),
        "profile.removed" => "Somebody leaves the company".to_owned(),
        "profile.updated" => "Anything shown about a person changes".to_owned(),
        "membership.began" => community("joins"),
        "membership.ended" => community("leaves"),
        "field.changed" => {
            let field = trigger.field.as_deref().unwrap_or("a field");
            let field = field.strip_prefix("attributes.").unwrap_or(field);
            let field = field.replace('_', " ");
            match &trigger.changed_to {
                Some(value) => format!("Somebody's {field} becomes {}", plain(value)),
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
    fn a_condition_reads_as_a_sentence() {
        let said = condition(&json!({"all": [
            {"field": "department", "op": "eq", "value": "Research"},
            {"any": [{"field": "attributes.cost_center", "op": "in", "value": ["A", 7]},
                {"field": "title", "op": "exists", "value": false}]},
            {"not": {"field": "group", "op": "contains", "value": "ext"}},
        ]}));
        assert_eq!(
            said,
            "department is “Research” and (cost center is one of “A”, 7 or title is missing) \
             and not (group contains “ext”)"
        );
    }

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
