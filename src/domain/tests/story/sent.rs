//! The steps of a story as the bodies that WorkOS would send.

use serde_json::{Map, Value, json};

use super::{Act, BEGINNING, Idp, Life, OldTitle, Speech, Stamp, Step, Word};

impl Step {
    pub(super) fn body(&self, at: u64, id: &str, company: u32) -> Value {
        let (kind, data) = self.act.told(company);
        let mut body = json!({"object": "event", "id": id, "event": kind, "data": data});
        if let Some(text) = self.stamp.write(at) {
            body["created_at"] = text.into();
        }
        body
    }
}

impl Stamp {
    fn write(self, at: u64) -> Option<String> {
        // No story is longer than an hour.
        let since = at - BEGINNING;
        let (minute, second, milli) = (since / 60_000, since / 1_000 % 60, since % 1_000);
        match self {
            Self::Rfc => Some(format!("2026-03-02T09:{minute:02}:{second:02}.{milli:03}Z")),
            Self::Spaced => Some(format!("2026-03-02 09:{minute:02}:{second:02}.{milli:03}")),
            Self::InTheId => None,
        }
    }
}

impl Act {
    /// The kind and the data.
    fn told(&self, company: u32) -> (&'static str, Value) {
        let organization = format!("org_{company}");
        let directory_id = |number: u8| format!("d{number}_{company}");
        match self {
            Self::Speak(speech) => {
                let kind = match speech.life {
                    Life::Deleted(_) => "dsync.user.deleted",
                    Life::Active => "dsync.user.created",
                    Life::Unsaid | Life::Inactive(_) => "dsync.user.updated",
                };
                (kind, Value::Object(speech.data(company)))
            }
            Self::Link {
                directory,
                linked,
                kind,
                former_name,
            } => {
                let mut data =
                    json!({"id": directory_id(*directory), "organization_id": organization});
                if let Some(kind) = kind {
                    data["type"] = (*kind).into();
                }
                let event = match (linked, former_name) {
                    (true, _) => "dsync.activated",
                    (false, true) => "dsync.deactivated",
                    (false, false) => "dsync.deleted",
                };
                (event, data)
            }
            Self::Group {
                directory,
                group,
                name,
            } => {
                let mut data = json!({
                    "id": group_id(*group, *directory, company),
                    "directory_id": directory_id(*directory), "organization_id": organization,
                });
                if let Some(name) = name {
                    data["name"] = (*name).into();
                }
                let event = match name {
                    Some("Staff") => "dsync.group.created",
                    Some(_) => "dsync.group.updated",
                    None => "dsync.group.deleted",
                };
                (event, data)
            }
            Self::Join {
                directory,
                group,
                named,
                by_provider,
                who,
                again,
                joins,
                partial,
            } => {
                let mut user = match by_provider {
                    true => json!({"idp_id": format!("i{who}")}),
                    false => json!({"id": user_id(*who, *directory, *again, company)}),
                };
                user["directory_id"] = directory_id(*directory).into();
                if *partial {
                    user["state"] = "active".into();
                    user["first_name"] = "Nobody".into();
                    user["email"] = Value::Null;
                    user["custom_attributes"] = json!({});
                }
                let mut group = json!({"id": group_id(*group, *directory, company)});
                if let Some(named) = named {
                    group["name"] = (*named).into();
                }
                let event = match joins {
                    true => "dsync.group.user_added",
                    false => "dsync.group.user_removed",
                };
                (
                    event,
                    json!({
                        "directory_id": directory_id(*directory), "organization_id": organization,
                        "user": user, "group": group,
                    }),
                )
            }
            Self::Noise => (
                "dsync.token.created",
                json!({"directory_id": directory_id(0)}),
            ),
        }
    }
}

fn group_id(group: u8, directory: u8, company: u32) -> String {
    format!("g{group}.d{directory}_{company}")
}

fn user_id(who: u8, directory: u8, again: u8, company: u32) -> String {
    format!("u{who}.d{directory}.{again}_{company}")
}

impl Speech {
    fn data(&self, company: u32) -> Map<String, Value> {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| drop(data.insert(name.to_owned(), value));
        put(
            "id",
            user_id(self.who, self.directory, self.again, company).into(),
        );
        put(
            "directory_id",
            format!("d{}_{company}", self.directory).into(),
        );
        // A bare event says who and where, and not even whose directory that is (R6).
        if !self.bare {
            put("organization_id", format!("org_{company}").into());
        }
        match self.idp {
            Idp::Own => put("idp_id", format!("i{}", self.who).into()),
            Idp::Unsaid => {}
            Idp::Placeholder => put("idp_id", "N/A".into()),
        }
        match self.life {
            Life::Active => put("state", "active".into()),
            Life::Inactive(word) | Life::Deleted(Some(word)) => put("state", word.into()),
            Life::Unsaid | Life::Deleted(None) => {}
        }
        match &self.email {
            Word::Text(email) if self.listed => {
                put(
                    "emails",
                    json!([{"primary": true, "type": "work", "value": email}]),
                );
            }
            other => other.put("email", &mut put),
        }
        self.first_name.put("first_name", &mut put);
        if let Some(custom) = &self.custom {
            put("custom_attributes", Value::Object(custom.clone()));
        }
        match self.old_title {
            Some(OldTitle::TopLevel) => put("job_title", "Old hand".into()),
            Some(OldTitle::Scim) => put("raw_attributes", json!({"title": "Old hand"})),
            None => {
                // What is deprecated is sent empty nowadays and must clear nothing (R47).
                put("job_title", Value::Null);
                put("raw_attributes", json!({}));
            }
        }
        data
    }
}

impl Word {
    fn put(&self, name: &str, put: &mut impl FnMut(&str, Value)) {
        match self {
            Self::Unsaid => {}
            Self::Null => put(name, Value::Null),
            Self::Text(text) => put(name, (*text).into()),
        }
    }
}
