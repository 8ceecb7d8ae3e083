//! The facts a condition is asked about, and how each operator reads them. Days are compared as
//! days in every time zone (R61); text is compared clean and with its case (R87), e-mail addresses
//! without (R22, R88).

use serde_json::Value;

use super::{Field, Op, Test};
use crate::clock::{Date, DateOrder, Timestamp};
use crate::workos::{clean, truth};

/// What is known of one person at the moment of asking.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The profile as `/v1/profiles/{id}` shows it (design section 6).
    pub profile: &'a Value,
    /// The directory groups they are in: WorkOS id and name.
    pub groups: &'a [(String, String)],
    /// The communities they are in: id and name.
    pub communities: &'a [(String, String)],
    /// The ids of the directories they have an active link in.
    pub directories: &'a [String],
    /// How the organization's directories write dates (R79).
    pub date_order: DateOrder,
}

impl Facts<'_> {
    pub(super) fn fits(&self, test: &Test) -> bool {
        match &test.field {
            Field::Group => named(self.groups, test),
            Field::Community => named(self.communities, test),
            Field::Directory => several(self.directories.iter().map(String::as_str), test),
            Field::Attribute(name) => one(
                self.profile.get("attributes").and_then(|all| all.get(name)),
                test,
                false,
                self.date_order,
            ),
            Field::Profile("roles") => {
                let roles = self.profile.get("roles").and_then(Value::as_array);
                let slugs = roles.into_iter().flatten().filter_map(Value::as_str);
                // A set contains a whole slug or does not.
                let op = match test.op {
                    Op::Contains => Op::Eq,
                    op => op,
                };
                several(slugs, &Test { op, ..test.clone() })
            }
            Field::Profile(name) => one(
                self.profile.get(*name),
                test,
                matches!(*name, "email" | "manager_email"),
                self.date_order,
            ),
        }
    }
}

/// Groups and communities: id and name both count.
fn named(all: &[(String, String)], test: &Test) -> bool {
    several(
        all.iter()
            .flat_map(|(id, name)| [id.as_str(), name.as_str()]),
        test,
    )
}

/// Something a person has several of: the operator asks whether any of them fits.
fn several<'a>(mut all: impl Iterator<Item = &'a str>, test: &Test) -> bool {
    let wanted = Text {
        value: &test.value,
        fold: false,
    };
    match test.op {
        Op::Eq => all.any(|name| wanted.is(name)),
        Op::Ne => !all.any(|name| wanted.is(name)),
        Op::In => all.any(|name| wanted.is_among(name)),
        Op::Contains => all.any(|name| wanted.is_in(name)),
        Op::StartsWith => all.any(|name| wanted.begins(name)),
        Op::Exists => all.next().is_some() == (test.value == Value::Bool(true)),
        Op::Before | Op::After => false,
    }
}

/// Something a person has one of. A list (a multi-valued attribute) fits `contains` and `in` by any
/// of its elements, and is never equal to a single value.
fn one(fact: Option<&Value>, test: &Test, fold: bool, dates: DateOrder) -> bool {
    let fact = fact.filter(|fact| !is_missing(fact));
    let wanted = Text {
        value: &test.value,
        fold,
    };
    match (test.op, fact) {
        (Op::Exists, fact) => fact.is_some() == (test.value == Value::Bool(true)),
        (Op::Ne, None) => true,
        (_, None) => false,
        (Op::Ne, Some(fact)) => !scalar(fact).is_some_and(|text| wanted.is(&text)),
        (Op::Eq, Some(fact)) => scalar(fact).is_some_and(|text| wanted.is(&text)),
        (Op::In, Some(Value::Array(all))) => all
            .iter()
            .filter_map(scalar)
            .any(|text| wanted.is_among(&text)),
        (Op::In, Some(fact)) => scalar(fact).is_some_and(|text| wanted.is_among(&text)),
        (Op::Contains, Some(Value::Array(all))) => {
            all.iter().filter_map(scalar).any(|text| wanted.is(&text))
        }
        (Op::Contains, Some(fact)) => scalar(fact).is_some_and(|text| wanted.is_in(&text)),
        (Op::StartsWith, Some(fact)) => scalar(fact).is_some_and(|text| wanted.begins(&text)),
        (Op::Before, Some(fact)) => {
            order(fact, &test.value, dates).is_some_and(std::cmp::Ordering::is_lt)
        }
        (Op::After, Some(fact)) => {
            order(fact, &test.value, dates).is_some_and(std::cmp::Ordering::is_gt)
        }
    }
}

fn is_missing(fact: &Value) -> bool {
    match fact {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        _ => false,
    }
}

/// Numbers and booleans compare as they are written, so that a directory which sends `"7"` and one
/// which sends `7` mean the same; `7.0` is `7`.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                Some(format!("{float:.0}"))
            }
            _ => Some(number.to_string()),
        },
        _ => None,
    }
}

/// The wanted value, compared with a text.
struct Text<'a> {
    value: &'a Value,
    fold: bool,
}

impl Text<'_> {
    fn wanted(&self, value: &Value) -> Option<String> {
        scalar(value).map(|text| self.folded(&text))
    }

    fn folded(&self, text: &str) -> String {
        match self.fold {
            true => clean::fold(text),
            false => clean::text(text),
        }
    }

    /// The wanted value where it need not be the whole: the white space around it says something.
    fn part(&self) -> Option<String> {
        let written = scalar(self.value)?;
        let space = |is_there: bool| if is_there { " " } else { "" };
        let (before, behind) = (
            space(written.starts_with(char::is_whitespace)),
            space(written.ends_with(char::is_whitespace)),
        );
        Some(format!("{before}{}{behind}", self.folded(&written)))
    }

    fn is(&self, fact: &str) -> bool {
        self.equals(self.value, fact)
    }

    fn is_among(&self, fact: &str) -> bool {
        let all = self.value.as_array();
        all.is_some_and(|all| all.iter().any(|wanted| self.equals(wanted, fact)))
    }

    /// True and false are what they are in any form that a directory writes them.
    fn equals(&self, wanted: &Value, fact: &str) -> bool {
        match wanted {
            Value::Bool(truth) => truth::of(&Value::from(fact)) == Some(*truth),
            _ => self.wanted(wanted) == Some(self.folded(fact)),
        }
    }

    fn is_in(&self, fact: &str) -> bool {
        self.part()
            .is_some_and(|wanted| self.folded(fact).contains(&wanted))
    }

    fn begins(&self, fact: &str) -> bool {
        self.part()
            .is_some_and(|wanted| self.folded(fact).starts_with(&wanted))
    }
}

/// Compares a fact with a day or an instant. Where either is no instant, days are compared: the day
/// of `2021-06-27T12:00:00.000Z` is 27 June everywhere (R61).
fn order(fact: &Value, wanted: &Value, dates: DateOrder) -> Option<std::cmp::Ordering> {
    if let (Some(fact), Some(wanted)) = (instant(fact), instant(wanted)) {
        return Some(fact.cmp(&wanted));
    }
    let fact = Date::read(fact, dates).day()?;
    // What an operator wrote was checked when it was saved, in the one form that needs no setting.
    let wanted = Date::read(wanted, DateOrder::Ymd).day()?;
    Some(fact.cmp(&wanted))
}

/// A text with a time of day; a bare day is none.
fn instant(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?.trim();
    Timestamp::parse(text).filter(|_| text.len() > 10)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Condition;
    use super::*;

    fn holds(condition: Value) -> bool {
        let profile = json!({
            "id": "p1", "status": "active", "first_name": "Ada", "last_name": null, "title": "",
            "email": "Ada@X.com", "department": "Sales", "start_date": "2026-11-23T12:00:00.000Z",
            "attributes": {"level": 7, "float": 7.0, "text": "7", "remote": true, "skills": ["rust", "sql"], "none": [],
                           "cost.centre": "A1", "left": "2026-11-23", "ends": "09.01.2027", "begun": 1_799_452_800_000_i64},
            "role": "admin", "roles": ["admin", "editor"],
        });
        let facts = Facts {
            profile: &profile,
            groups: &[("directory_group_1".into(), "Engineering".into())],
            communities: &[("c1".into(), "Runners".into())],
            directories: &["directory_1".into()],
            date_order: DateOrder::Dmy,
        };
        Condition::parse(&condition, "")
            .unwrap_or_else(|problems| panic!("{problems:?}"))
            .matches(&facts)
    }

    fn test(field: &str, op: &str, value: Value) -> bool {
        holds(json!({"field": field, "op": op, "value": value}))
    }

    #[test]
    fn equality_is_exact_but_for_addresses() {
        assert!(test("department", "eq", json!("Sales")));
        assert!(!test("department", "eq", json!("sales")));
        assert!(test("email", "eq", json!("ada@x.COM")));
        assert!(test("email", "contains", json!("@X.")));
        assert!(test("email", "in", json!(["b@x.com", "ADA@x.com"])));
        assert!(test("department", "starts_with", json!("Sa")));
        assert!(!test("department", "contains", json!("al es")));
    }

    #[test]
    fn what_is_missing_matches_only_ne_not_and_exists_false() {
        for field in [
            "last_name",
            "title",
            "pronouns",
            "attributes.shirt",
            "attributes.none",
        ] {
            for (op, value) in [
                ("eq", json!("x")),
                ("in", json!(["x"])),
                ("contains", json!("x")),
                ("starts_with", json!("x")),
            ] {
                assert!(!test(field, op, value.clone()), "{field} {op}");
                assert!(
                    holds(json!({"not": {"field": field, "op": op, "value": value}})),
                    "not {field} {op}"
                );
            }
            assert!(test(field, "ne", json!("x")));
            assert!(test(field, "exists", json!(false)));
            assert!(!test(field, "exists", json!(true)));
        }
        assert!(holds(json!({"field": "department", "op": "exists"})));
        assert!(!test("attributes.shirt", "before", json!("2026-01-01")));
    }

    #[test]
    fn numbers_and_their_texts_are_the_same() {
        for field in ["attributes.level", "attributes.float", "attributes.text"] {
            assert!(test(field, "eq", json!(7)), "{field}");
            assert!(test(field, "eq", json!("7")), "{field}");
            assert!(test(field, "ne", json!(8)), "{field}");
        }
        assert!(test("attributes.remote", "eq", json!(true)));
        assert!(test("attributes.cost.centre", "eq", json!("A1")));
    }

    #[test]
    fn a_list_fits_by_any_of_its_elements() {
        assert!(test("attributes.skills", "contains", json!("rust")));
        assert!(!test("attributes.skills", "contains", json!("rus")));
        assert!(test("attributes.skills", "in", json!(["cobol", "sql"])));
        assert!(!test("attributes.skills", "eq", json!("rust")));
    }

    #[test]
    fn groups_and_communities_match_by_id_or_name() {
        assert!(test("group", "eq", json!("directory_group_1")));
        assert!(test("group", "eq", json!("Engineering")));
        assert!(!test("group", "eq", json!("engineering")));
        assert!(test("group", "ne", json!("Sales")));
        assert!(test("community", "in", json!(["c1"])));
        assert!(test("community", "starts_with", json!("Run")));
        assert!(test("directory", "eq", json!("directory_1")));
        assert!(test("directory", "exists", json!(true)));
    }

    #[test]
    fn r61_a_start_date_is_a_day_and_not_an_instant() {
        assert!(!test("start_date", "before", json!("2026-11-23")));
        assert!(!test("start_date", "after", json!("2026-11-23")));
        assert!(test("start_date", "after", json!("2026-11-22")));
        assert!(test("start_date", "before", json!("2026-11-24")));
        assert!(test(
            "attributes.left",
            "before",
            json!("2026-11-24T00:00:00Z")
        ));
        assert!(test("start_date", "after", json!("2026-11-23T11:59:00Z")));
        assert!(!test("attributes.text", "after", json!("2020-01-01")));
    }

    #[test]
    fn r79_a_date_is_compared_however_the_directory_writes_it() {
        for field in ["attributes.ends", "attributes.begun"] {
            assert!(test(field, "after", json!("2027-01-08")), "{field}");
            assert!(test(field, "before", json!("2027-01-10")), "{field}");
            assert!(!test(field, "after", json!("2027-01-09")), "{field}");
        }
    }

    #[test]
    fn roles_are_a_set() {
        assert!(test("roles", "contains", json!("admin")));
        assert!(!test("roles", "contains", json!("edit")));
        assert!(test("roles", "eq", json!("editor")));
        assert!(test("roles", "in", json!(["owner", "editor"])));
        assert!(test("roles", "ne", json!("owner")));
        assert!(test("roles", "exists", json!(true)));
        assert!(test("role", "eq", json!("admin")));
    }

    #[test]
    fn all_any_and_not_join() {
        let sales = json!({"field": "department", "op": "eq", "value": "Sales"});
        let nobody = json!({"field": "first_name", "op": "eq", "value": "Nobody"});
        assert!(holds(json!({"any": [nobody, sales]})));
        assert!(!holds(json!({"all": [nobody, sales]})));
        assert!(holds(json!({"all": [{"not": nobody}, sales]})));
    }
}
