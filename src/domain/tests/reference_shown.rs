//! The second opinion on what is shown: where everybody stands, and their fields.

use super::*;

impl Model {
    /// R27-R35, C2, as their users speak now; `but` is left aside.
    pub(super) fn status_of(&self, person: &str, but: &str) -> &'static str {
        let known = &self.people[person];
        let theirs = || {
            self.users
                .iter()
                .filter(|(id, user)| *id != but && user.person == person)
                .map(|(_, user)| user)
        };
        if theirs().any(|user| user.state == "active" && user.waits.is_none()) {
            return "active";
        }
        let worked = known.worked || theirs().any(|user| user.worked && user.waits.is_none());
        if worked || theirs().any(|user| user.state == "deleted") {
            "removed"
        } else {
            "pending"
        }
    }

    pub(super) fn left_at(&self, person: &str) -> usize {
        let known = &self.people[person];
        let left = known.left.filter(|_| known.status == "removed");
        left.map_or(self.time, |(time, ..)| time)
    }

    /// Where everybody stands after an event.
    pub(super) fn stand(&mut self, at: Timestamp) {
        let ids: Vec<String> = self.people.keys().cloned().collect();
        for id in ids {
            let mut status = self.status_of(&id, "");
            let theirs = || self.users.values().filter(|user| user.person == id);
            let ended = theirs().filter(|user| ["deleted", "inactive"].contains(&user.state));
            let reason = match ended.max_by_key(|user| user.spoke_of_life) {
                Some(user) if user.state == "deleted" => "deleted in the directory",
                _ => "deactivated in the directory",
            };
            let counting = theirs().filter(|user| user.state == "active" && user.waits.is_none());
            let starts = counting.filter_map(|user| user.fields.get("start_date")?.as_str());
            let start = starts.max().map(str::to_owned);
            let worked = theirs().any(|user| user.worked && user.waits.is_none());
            let title = self.fields_of(&id).0["title"].as_str().map(str::to_owned);
            let title = title.filter(|_| self.screens && status == "active");
            let works = status == "active";
            let person = self.people.get_mut(&id).unwrap();
            person.excluded = title.as_deref() == Some("Engineer");
            person.admitted |= works && !person.excluded;
            let mut reason = reason;
            if person.excluded {
                status = if person.admitted {
                    "removed"
                } else {
                    "pending"
                };
                reason = "excluded";
            } else if title.as_deref() == Some("Lead") {
                status = "on_leave";
            }
            if status == "removed" && person.status != "removed" {
                person.left = Some((self.time, at, reason));
                person.renewed = false;
            }
            // R33: a new period only where the new start lies after the removal, once a return.
            let works = !["removed", "pending"].contains(&status);
            if let (Some((_, left, _)), true, Some(start)) = (person.left, works, start)
                && Timestamp::parse(&start).unwrap() > left
                && !person.renewed
            {
                person.period = start;
                person.renewed = true;
            }
            person.worked |= worked || works;
            person.status = status;
        }
        for user in self.users.values_mut() {
            let counts = user.state == "active" && user.waits.is_none();
            if user.counted && !counts {
                user.ended = self.time;
            }
            user.worked |= counts;
            user.counted = counts;
        }
    }

    /// What the desk must show as well.
    pub fn shown(&self) -> BTreeMap<String, Value> {
        let name = |person: &str| {
            let mut theirs = self.users.iter().filter(|(_, user)| user.person == person);
            theirs
                .next()
                .map_or("nobody".to_owned(), |(id, _)| id.clone())
        };
        let mut shown = BTreeMap::new();
        for (id, user) in &self.users {
            let value = json!({
                "person": name(&user.person), "state": user.state, "waits": user.waits,
                "idp_id": user.idp, "wanted_email": user.email.as_ref().filter(|_| user.refused),
            });
            shown.insert(format!("link {id}"), value);
        }
        for (id, person) in &self.people {
            let (fields, attributes) = self.fields_of(id);
            let left = person.left.filter(|_| person.status == "removed");
            let excluded = person.excluded.then_some("excluded");
            let reason = excluded.or(left.map(|left| left.2));
            let value = json!({
                "status": person.status,
                "in": self.communities_of(id),
                "fields": fields,
                "attributes": attributes,
                "period": person.period,
                "possible_rehire_of": person.maybe.as_deref().map(name),
                "removed": format!("{:?} {:?}", left.map(|left| left.1), reason),
            });
            shown.insert(format!("person {}", name(id)), value);
        }
        shown
    }

    /// What a person is shown under whose working users never said an address.
    fn email_of_ended(&self, person: &str) -> Option<String> {
        let (counting, mut ended): (Vec<&User>, Vec<&User>) = self
            .users
            .values()
            .filter(|user| user.person == person)
            .partition(|user| user.state == "active" && user.waits.is_none());
        if counting.iter().any(|user| user.email.is_some()) {
            return None;
        }
        ended.sort_by_key(|user| (std::cmp::Reverse(user.ended), user.first));
        ended.iter().find(|user| user.email.is_some())?.shown()
    }

    pub(super) fn fields_of(&self, person: &str) -> (Value, Value) {
        let theirs = || self.users.values().filter(|user| user.person == person);
        let mut counting: Vec<&User> = theirs()
            .filter(|user| user.state == "active" && user.waits.is_none())
            .collect();
        let mut ended: Vec<&User> = theirs()
            .filter(|user| user.state != "active" || user.waits.is_some())
            .collect();
        counting.sort_by_key(|user| user.first);
        ended.sort_by_key(|user| (std::cmp::Reverse(user.ended), user.first));
        let pick_from = |counting: &[&User], ended: &[&User], name: &str| {
            let said = counting.iter().filter_map(|user| user.fields.get(name));
            let from_here = said
                .clone()
                .find(|value| !value.is_null())
                .or_else(|| said.clone().next());
            let before = || ended.iter().find_map(|user| user.fields.get(name));
            from_here
                .or_else(before)
                .filter(|value| !value.is_null())
                .cloned()
        };
        let pick = |name: &str| pick_from(&counting, &ended, name);
        // R90: a full name counts down to whoever gives the first one of its parts.
        let has_part = |user: &&&User| user.fields.get("first_name").is_some_and(Value::is_string);
        let upto = |users: &[&User]| users.iter().take_while(|user| !has_part(user)).count() + 1;
        let full_name = match counting.iter().any(|user| has_part(&user)) {
            true => pick_from(&counting[..upto(&counting)], &[], "display_name"),
            false => {
                let end = upto(&ended).min(ended.len());
                pick_from(&counting, &ended[..end], "display_name")
            }
        };
        let here = counting.iter().find_map(|user| user.shown());
        // R24: what an ended user once had is not shown of somebody who works, once another is shown
        // under it, for a better reason or for the same.
        let given_away = |email: &Option<String>| {
            let works = |user: &&User| user.state == "active" && user.waits.is_none();
            let others = || self.users.values().filter(|user| user.person != person);
            let shown = |user: &User| key_of(&user.shown()) == key_of(email);
            !counting.is_empty()
                && key_of(email).is_some()
                && (others().filter(works).any(shown)
                    || others()
                        .filter(works)
                        .any(|user| key_of(&self.email_of_ended(&user.person)) == key_of(email)))
        };
        let email = match counting.iter().any(|user| user.email.is_some()) {
            true => here,
            false => self
                .email_of_ended(person)
                .filter(|email| !given_away(&Some(email.clone()))),
        };
        let mut fields = json!({});
        for name in [
            "first_name",
            "title",
            "department",
            "start_date",
            "employee_number",
        ] {
            if let Some(value) = pick(name) {
                fields[name] = value;
            }
        }
        let first_name = fields
            .get("first_name")
            .and_then(Value::as_str)
            .map(str::to_owned);
        fields["display_name"] = full_name
            .as_ref()
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or(first_name)
            .or(email.clone())
            .unwrap_or("(no name)".to_owned())
            .into();
        if let Some(email) = email {
            fields["email"] = email.into();
        }
        let mut attributes = json!({});
        for name in ["badge", "emails", "display_name"] {
            if let Some(value) = pick(name) {
                attributes[name] = value;
            }
        }
        (fields, attributes)
    }
}

/// Fields by C3, C13, R46, R47 and R51, for the few that the stories use.
pub(super) mod fields {
    use super::*;
    use crate::workos::DirectoryUser;

    pub fn take(fields: &mut BTreeMap<&'static str, Value>, said: &DirectoryUser) {
        let part = |fields: &BTreeMap<&'static str, Value>| {
            fields
                .get("first_name")
                .filter(|name| name.is_string())
                .cloned()
        };
        let former = part(fields);
        let former_badge = fields.get("badge").cloned();
        match &said.first_name {
            Word::Text(name) => drop(fields.insert("first_name", json!(name))),
            Word::Null => drop(fields.insert("first_name", Value::Null)),
            Word::Absent => {}
        }
        let empty = [Value::Null, json!(""), json!([])];
        let of = |name: &str| {
            let custom = said.custom.as_ref().and_then(|custom| custom.get(name));
            let full = |value: &&Value| !empty.contains(value);
            custom
                .filter(full)
                .or_else(|| said.legacy.get(name))
                .cloned()
        };
        let clears = said.custom.is_some();
        let mut put = |target: &'static str,
                       value: Option<Value>,
                       read: &dyn Fn(&Value) -> Option<Value>| match value {
            Some(value) => drop(read(&value).map(|value| fields.insert(target, value))),
            None if clears => drop(fields.insert(target, Value::Null)),
            None => {}
        };
        put("title", of("job_title"), &|value| {
            value.is_string().then(|| value.clone())
        });
        put("department", of("department_name"), &|value| {
            Some(value.clone())
        });
        put(
            "employee_number",
            of("employee_number"),
            &|value| match value {
                Value::Number(number) => Some(json!(number.to_string())),
                text => text.is_string().then(|| text.clone()),
            },
        );
        put("start_date", of("employment_start_date"), &|value| {
            let text = match value {
                Value::Number(number) => {
                    let digits = number.to_string();
                    format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..])
                }
                text => text.as_str()?.to_owned(),
            };
            match text.as_bytes()[4] {
                // R79: a year past 9000 is no date.
                b'-' if text.starts_with('9') => Some(Value::Null),
                b'-' => Some(json!(&text[..10])),
                _ => None,
            }
        });
        // R83: a list in another order is the same one, and the earlier stays.
        for name in ["badge", "emails", "display_name"] {
            put(name, of(name), &|value| Some(value.clone()));
        }
        if let (Some(former), Some(badge)) = (former_badge, fields.get("badge"))
            && in_order(badge).is_some()
            && in_order(&former) == in_order(badge)
        {
            fields.insert("badge", former);
        }
        let now = part(fields);
        let given = of("display_name").is_some_and(|name| name.is_string());
        if former != now && !given && fields.get("display_name").is_some_and(Value::is_string) {
            fields.insert("display_name", now.unwrap_or(Value::Null));
        }
    }

    fn in_order(list: &Value) -> Option<Vec<String>> {
        let mut items: Vec<String> = list.as_array()?.iter().map(Value::to_string).collect();
        items.sort();
        Some(items)
    }
}
