//! A borrowed, shallow view of a JSON object: the keys, and each value as the text it came in.
//! Only what somebody asks for is parsed, so 5,000 groups in a body cost one scan (R8), a wrong
//! type hurts its own field only (R51), and no input makes the parser recurse.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::text::MAX_ID;

/// How deep arrays and objects may nest, the outermost counting as one (C7).
pub(super) const MAX_DEPTH: usize = 128;

/// Whether arrays and objects nest deeper than [`MAX_DEPTH`]. Knows strings, allocates nothing.
pub(super) fn is_too_deep(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' if depth == MAX_DEPTH => return true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The members of one object in the order they came. Of a repeated key the last one counts.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads an object; its values are checked to be JSON, not looked into.
    pub(super) fn read(json: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    /// The members, for those who want them all.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }

    /// A value as the text it came in; `None` when the key is absent.
    pub(super) fn raw(&self, key: &str) -> Option<&'a RawValue> {
        let mut members = self.0.iter().rev();
        members.find(|(name, _)| name == key).map(|member| member.1)
    }

    /// A string; `None` when absent or anything else.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.raw(key).and_then(as_text)
    }

    /// A string that can serve as an id: not blank, at most [`MAX_ID`] characters.
    pub(super) fn id(&self, key: &str) -> Option<String> {
        let id = self.text(key)?;
        let usable = !id.trim().is_empty() && id.chars().count() <= MAX_ID;
        usable.then(|| id.into_owned())
    }

    /// An object within; `None` when absent or anything else.
    pub(super) fn object(&self, key: &str) -> Option<Object<'a>> {
        Object::read(self.raw(key)?.get()).ok()
    }

    /// A value of any type; `None` when absent.
    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.raw(key).map(as_value)
    }
}

/// A string, unescaped; `None` for any other type.
pub(super) fn as_text(raw: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text>(raw.get())
        .ok()
        .map(|text| text.0)
}

/// Any value as a tree. A number beyond what 64 bits and floats hold stays as its digits' text.
pub(super) fn as_value(raw: &RawValue) -> Value {
    // Never too deep for the parser: inside an object at most MAX_DEPTH - 1 levels remain, which
    // is how far it goes by itself.
    serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::from(raw.get()))
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Object<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((Text(key), value)) = map.next_entry()? {
            members.push((key, value));
        }
        Ok(Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_type_is_none_for_its_own_key_only_and_the_last_of_a_repeated_key_counts() {
        let json = r#"{"a":1,"b":"x\n","c":{"d":null},"a":"last","\u0065":2}"#;
        let object = Object::read(json).unwrap();
        assert_eq!(object.text("a").as_deref(), Some("last"));
        assert_eq!(object.text("b").as_deref(), Some("x\n"));
        assert!(object.text("c").is_none() && object.object("b").is_none());
        assert!(object.object("c").unwrap().raw("d").is_some());
        assert_eq!(object.value("e"), Some(Value::from(2)));
        assert_eq!(object.members().count(), 5);
    }

    #[test]
    fn c7_brackets_in_strings_do_not_count_as_depth() {
        let quoted = format!(r#"["{}\"{}"]"#, "[".repeat(500), "{".repeat(500));
        assert!(!is_too_deep(&quoted));
        assert!(!is_too_deep(&"[]".repeat(500)));
        assert!(!is_too_deep(&"[".repeat(MAX_DEPTH)));
        assert!(is_too_deep(&"[".repeat(MAX_DEPTH + 1)));
    }

    #[test]
    fn a_number_that_nothing_holds_stays_as_text() {
        let object = Object::read(r#"{"huge":1e999,"list":[1e999],"n":1.5}"#).unwrap();
        assert_eq!(object.value("huge"), Some(Value::from("1e999")));
        assert_eq!(object.value("list"), Some(Value::from("[1e999]")));
        assert_eq!(object.value("n"), Some(Value::from(1.5)));
    }

    #[test]
    fn a_member_may_nest_as_deep_as_its_object_leaves_room_for() {
        let levels = MAX_DEPTH - 1;
        let json = format!("{{\"deep\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(!is_too_deep(&json));
        let object = Object::read(&json).unwrap();
        assert!(object.value("deep").unwrap().is_array());
    }

    #[test]
    fn an_id_is_a_string_of_bounded_length_that_is_not_blank() {
        let json = format!(
            r#"{{"ok":"{}","long":"{}","blank":" ","number":7}}"#,
            "é".repeat(255),
            "x".repeat(256)
        );
        let object = Object::read(&json).unwrap();
        assert!(object.id("ok").is_some());
        for key in ["long", "blank", "number", "absent"] {
            assert!(object.id(key).is_none(), "{key}");
        }
    }
}
