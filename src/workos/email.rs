//! Which address a directory user has. WorkOS moved it over the years (contract 3.2): `email`,
//! else the primary one of `custom_attributes.emails` or the older top-level `emails`, else one of
//! type `work`, else the first, else a user name that looks like an address.

use serde_json::{Map, Value};

use super::json::Object;
use super::text::MAX_TEXT;
use super::user::Said;

/// The address by the resolution order above. Without one: `Null` when the top-level `email` is
/// there, null or blank; else `Absent`, since deprecated fields that are empty say nothing (R47).
pub(super) fn resolve(
    user: &Object<'_>,
    custom: Option<&Map<String, Value>>,
    warnings: &mut Vec<String>,
) -> Said {
    let top_level = Said::read(user, "email", warnings);
    if let Said::Text(email) = top_level {
        return Said::Text(email.trim().to_owned());
    }
    let custom_said = |key| custom.and_then(|custom| custom.get(key));
    let older = user.value("emails");
    let listed: Vec<Listed<'_>> = [custom_said("emails"), older.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Listed::read)
        .collect();
    let chosen = listed.iter().find(|email| email.primary);
    let chosen = chosen.or_else(|| listed.iter().find(|email| email.work));
    if let Some(email) = chosen.or_else(|| listed.first()) {
        return Said::Text(email.address.to_owned());
    }
    let usernames = [custom_said("username").cloned(), user.value("username")];
    let mut addresses = usernames
        .iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::trim)
        .filter(|name| is_address(name));
    match addresses.next() {
        Some(address) => Said::Text(address.to_owned()),
        None => top_level,
    }
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

struct Listed<'a> {
    primary: bool,
    work: bool,
    address: &'a str,
}

impl<'a> Listed<'a> {
    /// One entry of an `emails` array: `{primary?, type?, value}`; `None` without a usable value.
    fn read(entry: &'a Value) -> Option<Self> {
        let address = entry.get("value")?.as_str()?.trim();
        let usable = !address.is_empty() && address.chars().count() <= MAX_TEXT;
        let kind = entry.get("type").and_then(Value::as_str);
        usable.then_some(Self {
            primary: entry.get("primary") == Some(&Value::Bool(true)),
            work: kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work")),
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
                "cp@x.example",
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
}
