//! Which address a directory user has (R89). WorkOS and the providers have put it in many places; the
//! first of these that holds one counts: `email`; the lists `emails`, `custom_attributes.emails` and
//! `raw_attributes.emails`; Google's `raw_attributes.primaryEmail`; a user name that looks like an
//! address. What is blank or a placeholder (R86) is passed over, unless there is nothing else.

use serde_json::{Map, Value};

use super::clean;
use super::json::Object;
use super::text::MAX_TEXT;
use super::truth;
use super::user::Said;

/// The address by the order above. Without one: `Null` when the top-level `email` is there, null or
/// blank; else `Absent`, since deprecated fields that are empty say nothing (R47).
pub(super) fn resolve(
    user: &Object<'_>,
    custom: Option<&Map<String, Value>>,
    warnings: &mut Vec<String>,
) -> Said {
    let top_level = Said::read(user, "email", warnings);
    if top_level
        .text()
        .is_some_and(|email| !clean::is_placeholder(email))
    {
        return top_level;
    }
    let custom = |key: &str| custom.and_then(|custom| custom.get(key)).cloned();
    let raw_attributes = user.value("raw_attributes");
    let raw = |key: &str| {
        raw_attributes
            .as_ref()
            .and_then(|raw| raw.get(key))
            .cloned()
    };
    let lists = [user.value("emails"), custom("emails"), raw("emails")];
    let listed = lists.iter().flatten().find_map(in_list);
    let primary = || usable(&raw("primaryEmail")?);
    let usernames = || {
        let names = [custom("username"), user.value("username"), raw("userName")];
        let mut names = names.iter().flatten().filter_map(usable);
        names.find(|name| is_address(name))
    };
    match listed.or_else(primary).or_else(usernames) {
        Some(address) => Said::Text(address),
        // Shown as it is, if it is a placeholder.
        None => top_level,
    }
}

/// The address of an `emails` list: of the primary entry, else of one of type `work`, else of the
/// first. Some providers send one entry without a list.
fn in_list(list: &Value) -> Option<String> {
    let entries = match list {
        Value::Array(entries) => entries.as_slice(),
        entry => std::slice::from_ref(entry),
    };
    let listed: Vec<Listed> = entries.iter().filter_map(Listed::read).collect();
    let chosen = listed.iter().find(|entry| entry.primary);
    let chosen = chosen.or_else(|| listed.iter().find(|entry| entry.work));
    chosen.or(listed.first()).map(|entry| entry.address.clone())
}

/// A text that can be an address: clean, not blank, no placeholder, not over-long.
fn usable(value: &Value) -> Option<String> {
    let address = clean::bare(value.as_str()?);
    let fits = address.chars().count() <= MAX_TEXT;
    (fits && !clean::is_placeholder(&address)).then_some(address)
}

/// Whether a text looks like an e-mail address: one `@`, a domain with a dot, no spaces. Only to
/// tell addresses from user names; deliverability is not judged.
pub(super) fn is_address(text: &str) -> bool {
    let unspaced = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    unspaced
        && text.len() <= MAX_TEXT
        && text.split_once('@').is_some_and(|(local, domain)| {
            let inner = domain.trim_matches('.');
            !local.is_empty() && !domain.contains('@') && inner == domain && inner.contains('.')
        })
}

struct Listed {
    primary: bool,
    work: bool,
    address: String,
}

impl Listed {
    /// One entry: `{primary?, type?, value}`, with `address` for `value` at Google, or the bare
    /// address; `None` without a usable one. Some providers write truth as text or number.
    fn read(entry: &Value) -> Option<Self> {
        let written = ["value", "address"];
        let address = usable(entry).or_else(|| {
            let mut found = written.iter().filter_map(|key| usable(entry.get(*key)?));
            found.next()
        })?;
        let kind = entry.get("type").and_then(Value::as_str);
        Some(Self {
            primary: entry.get("primary").and_then(truth::of) == Some(true),
            work: kind.is_some_and(|kind| clean::fold(kind) == "work"),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(user: &str) -> Said {
        let user = Object::read(user).unwrap();
        let custom = user.value("custom_attributes");
        resolve(
            &user,
            custom.as_ref().and_then(Value::as_object),
            &mut Vec::new(),
        )
    }

    fn text(address: &str) -> Said {
        Said::Text(address.to_owned())
    }

    #[test]
    fn the_address_is_found_in_the_order_of_the_contract() {
        // Each line lacks what the line before it was resolved by.
        for (user, address) in [
            (
                r#"{"email":" top@x.example ","custom_attributes":{"emails":[{"primary":true,"value":"cp@x.example"}]}}"#,
                "top@x.example",
            ),
            (
                r#"{"email":"","custom_attributes":{"emails":[{"value":"c@x.example"},{"primary":true,"value":"cp@x.example"}]},"emails":[{"primary":true,"value":"tp@x.example"}]}"#,
                "tp@x.example",
            ),
            (
                r#"{"email":null,"custom_attributes":{"emails":[{"type":"work","value":"cw@x.example"}]},"emails":[{"primary":true,"value":"tp@x.example"}]}"#,
                "tp@x.example",
            ),
            (
                r#"{"emails":[{"type":"home","value":"h@x.example"},{"type":"Work","value":"w@x.example"}],"username":"u@x.example"}"#,
                "w@x.example",
            ),
            (
                r#"{"emails":[{"primary":true,"value":null},{"type":"home","value":"h@x.example"}],"username":"u@x.example"}"#,
                "h@x.example",
            ),
            (
                r#"{"emails":[],"custom_attributes":{"username":"no address"},"username":"u@x.example"}"#,
                "u@x.example",
            ),
        ] {
            assert_eq!(resolved(user), text(address), "{user}");
        }
    }

    #[test]
    fn r47_empty_deprecated_fields_say_nothing_and_an_empty_email_says_none() {
        for silent in [
            "{}",
            r#"{"emails":[],"username":null}"#,
            r#"{"emails":[{"primary":true,"value":null}],"username":"ada"}"#,
            r#"{"email":7}"#,
        ] {
            assert_eq!(resolved(silent), Said::Absent, "{silent}");
        }
        for none in [r#"{"email":null,"emails":[]}"#, r#"{"email":" "}"#] {
            assert_eq!(resolved(none), Said::Null, "{none}");
        }
    }

    #[test]
    fn only_what_looks_like_an_address_is_taken_from_a_user_name() {
        assert!(is_address("b.lunn@old.example") && is_address("zoë@bücher.example"));
        for name in [
            "ada",
            "@x.example",
            "ada@",
            "ada@x",
            "a@b@x.example",
            "a b@x.example",
            "a@.example",
        ] {
            assert!(!is_address(name), "{name}");
        }
    }
    #[test]
    fn r89_an_address_is_found_in_every_shape_that_is_sent() {
        for (user, address) in [
            (
                r#"{"email":"N/A","emails":[{"value":"-"},{"address":"first@x.example"}]}"#,
                "first@x.example",
            ),
            (
                r#"{"emails":[{"value":"a@x.example"},{"primary":"True","address":"b@x.example"}]}"#,
                "b@x.example",
            ),
            (
                r#"{"emails":[{"value":"a@x.example","primary":"false"},{"primary":1,"value":"b@x.example"}]}"#,
                "b@x.example",
            ),
            (
                r#"{"emails":[],"custom_attributes":{"emails":[{"type":"WORK ","address":"c@x.example"}]}}"#,
                "c@x.example",
            ),
            (
                r#"{"emails":[{"value":"top@x.example"}],"custom_attributes":{"emails":[{"primary":true,"value":"c@x.example"}]}}"#,
                "top@x.example",
            ),
            (
                r#"{"email":"","raw_attributes":{"primaryEmail":"p@x.example","emails":[{"address":"r@x.example"}]}}"#,
                "r@x.example",
            ),
            (
                r#"{"email":"","raw_attributes":{"primaryEmail":" p@x.example\u200b"},"username":"u@x.example"}"#,
                "p@x.example",
            ),
            (
                r#"{"raw_attributes":{"userName":"u@x.example"},"emails":["",7,null]}"#,
                "u@x.example",
            ),
            (r#"{"emails":["bare@x.example"]}"#, "bare@x.example"),
            (r#"{"emails":{"value":"one@x.example"}}"#, "one@x.example"),
            (r#"{"email":"tbd","username":"ada"}"#, "tbd"),
        ] {
            assert_eq!(resolved(user), text(address), "{user}");
        }
    }
}
