//! Reading what narrows a trigger (the field that changed, the community joined or left) and what
//! gathers its messages (the digest), with the same promise: every problem is told at once.

use serde_json::{Map, Value};

use super::read::{Reader, dotted};
use super::{Channel, Digest, Event, Recipient};
use crate::domain::FIELDS;
use crate::triggers::template;

/// The fewest messages that a digest may stand for.
const FEWEST: u64 = 2;

impl Reader {
    /// `field`, `changed_to` and `community`: each only with the events it belongs to.
    pub(super) fn narrowing(
        &mut self,
        object: &Map<String, Value>,
        on: Option<Event>,
    ) -> (Option<String>, Option<Value>, Option<String>) {
        let said = |key: &str| object.get(key).filter(|value| !value.is_null());
        let of_field = matches!(on, None | Some(Event::FieldChanged));
        let of_membership = matches!(
            on,
            None | Some(Event::MembershipBegan | Event::MembershipEnded)
        );
        for key in ["field", "changed_to"] {
            if said(key).is_some() && !of_field {
                self.complain::<()>(key, "only \"field.changed\" has one; leave it out");
            }
        }
        if said("community").is_some() && !of_membership {
            self.complain::<()>(
                "community",
                "only \"membership.began\" and \"membership.ended\" have one; leave it out",
            );
        }
        if said("changed_to").is_some() && said("field").is_none() {
            self.complain::<()>("field", "say which field is meant by \"changed_to\"");
        }
        let field = said("field").and_then(|value| self.field(value));
        let community = said("community").and_then(|value| match value.as_str() {
            Some(text) if !text.trim().is_empty() => Some(text.to_owned()),
            _ => self.complain("community", "the id or name of a community is wanted"),
        });
        (field, said("changed_to").cloned(), community)
    }

    fn field(&mut self, value: &Value) -> Option<String> {
        let name = value.as_str().unwrap_or_default();
        let custom = name
            .strip_prefix("attributes.")
            .is_some_and(|rest| !rest.is_empty());
        if custom || name == "roles" || FIELDS.contains(&name) {
            return Some(name.to_owned());
        }
        let known = FIELDS.join(", ");
        self.complain(
            "field",
            format!("one of {known}, roles or attributes.<name> is wanted"),
        )
    }

    /// The outer `None` is a problem, the inner one a step without a digest.
    pub(super) fn digest(
        &mut self,
        value: Option<&Value>,
        path: &str,
        channel: Option<Channel>,
        to: Option<&Recipient>,
    ) -> Option<Option<Digest>> {
        let here = dotted(path, "digest");
        let object = match value {
            None | Some(Value::Null) => return Some(None),
            Some(Value::Object(object)) => object,
            Some(_) => return self.complain(here, "an object with at_least and text is wanted"),
        };
        self.only(object, &here, &["at_least", "text", "subject"]);
        let of_many = matches!(channel?, Channel::Email | Channel::Slack)
            && !matches!(to?, Recipient::Person | Recipient::Manager);
        if !of_many {
            return self.complain(
                here,
                "a digest goes to a place that hears of many people: a Slack channel or a fixed address",
            );
        }
        let at_least = object
            .get("at_least")
            .map_or(Some(5), Value::as_u64)
            .filter(|least| (FEWEST..=1_000).contains(least))
            .and_then(|least| u32::try_from(least).ok());
        let text = self.digest_text(object, &here, "text", true);
        let mail = channel == Some(Channel::Email);
        let subject = self.digest_text(object, &here, "subject", mail);
        if !mail && matches!(subject, Some(Some(_))) {
            return self.complain(
                dotted(&here, "subject"),
                "only \"email\" has one; leave it out",
            );
        }
        match (at_least, text?, subject?) {
            (Some(at_least), Some(text), subject) => Some(Some(Digest {
                at_least,
                text,
                subject,
            })),
            _ => self.complain(
                dotted(&here, "at_least"),
                format!("a number of {FEWEST} to 1000 is wanted"),
            ),
        }
    }

    fn digest_text(
        &mut self,
        object: &Map<String, Value>,
        here: &str,
        key: &str,
        wanted: bool,
    ) -> Option<Option<String>> {
        let place = dotted(here, key);
        match object.get(key) {
            None | Some(Value::Null) if wanted => self.complain(
                place,
                "a template is wanted, such as \"{{ count }} people joined: {{ names | join(', ') }}\"",
            ),
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) if !text.trim().is_empty() => self
                .judged(text, place, template::check_digest)
                .map(Some),
            Some(_) => self.complain(place, "a text is wanted"),
        }
    }
}
