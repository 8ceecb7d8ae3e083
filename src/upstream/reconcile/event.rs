//! The event that would mend a difference: the shape of a webhook's body, under an id that follows
//! from the comparison and the thing, so that applying twice is applying once.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::store::reconciles::{Drift, Reconcile};

/// Makes the difference of one thing.
pub(crate) struct Event<'a> {
    one: &'a Reconcile,
    kind: &'static str,
    subject: &'a str,
    fields: Vec<String>,
}

impl<'a> Event<'a> {
    pub(crate) fn of(one: &'a Reconcile, kind: &'static str, subject: &'a str) -> Self {
        Self {
            one,
            kind,
            subject,
            fields: Vec::new(),
        }
    }

    /// Names what differs.
    pub(crate) fn fields(mut self, fields: Vec<String>) -> Self {
        self.fields = fields;
        self
    }

    /// The directory is linked. Dated by its making, so that everything in it comes after.
    pub(crate) fn linked(self, directory: &Value, now: Timestamp) -> Drift {
        let mut data = directory.clone();
        data["state"] = json!("active");
        let at = time_in(&data, "created_at").unwrap_or(now).min(now);
        self.saying("dsync.activated", data, at)
    }

    /// The event of this type with these data.
    pub(crate) fn saying(self, event_type: &str, data: Value, at: Timestamp) -> Drift {
        let event_id = self.event_id();
        let body = json!({
            "object": "event", "id": event_id, "event": event_type, "data": data,
            "created_at": at.to_string(),
            "context": {"source": "reconcile", "reconcile_id": self.one.id},
        });
        Drift {
            reconcile_id: self.one.id.clone(),
            kind: self.kind.to_owned(),
            subject: self.subject.to_owned(),
            fields: json!(self.fields).to_string(),
            state: "open".to_owned(),
            reason: None,
            event_id,
            occurred_at: at,
            body: body.to_string(),
        }
    }

    fn event_id(&self) -> String {
        let digest = Sha256::digest(format!("{}\0{}\0{}", self.one.id, self.kind, self.subject));
        format!(
            "reconcile_{}",
            hex::encode(digest.get(..13).unwrap_or_default())
        )
    }
}

/// A time inside data.
pub(crate) fn time_in(data: &Value, key: &str) -> Option<Timestamp> {
    Timestamp::parse(data.get(key)?.as_str()?)
}
