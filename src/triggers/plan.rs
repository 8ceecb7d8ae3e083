//! What falls due, pure: from what happened to a person and the organization's triggers to the
//! deliveries to be made, each under a key that no second one can have (R63). Text is filled in and
//! addresses are looked up when it is sent, not now (R23, R64).

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::conditions::Facts;
use crate::roll::{FIELDS, Profile, Status};

use super::definition::{Event, NewTrigger, Status as TriggerStatus, Step};
use super::when::LocalTime;

/// What happened to one person.
#[derive(Debug, Clone)]
pub struct Happening {
    /// The organization.
    pub organization_id: String,
    /// The person before.
    pub before: Option<Profile>,
    /// The person now.
    pub after: Profile,
    /// The fields that changed.
    pub changed_fields: Vec<String>,
    /// The communities they joined.
    pub began_communities: Vec<String>,
    /// The communities they left.
    pub ended_communities: Vec<String>,
    /// The event behind it.
    pub event_id: Option<String>,
    /// What tells it from its like where no event is behind it.
    pub occasion: Option<String>,
}

/// A trigger as it is kept.
#[derive(Debug, Clone)]
pub struct KeptTrigger {
    /// Our id.
    pub id: String,
    /// What it says.
    pub definition: NewTrigger,
}

/// One delivery to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// (profile, trigger, step, occasion).
    pub key: String,
    /// What it listens to.
    pub on: Event,
    /// The trigger.
    pub trigger_id: String,
    /// Which of its steps.
    pub step: i32,
    /// The channel's name.
    pub channel: &'static str,
    /// When.
    pub due_at: Timestamp,
}

impl Happening {
    /// What this is, in the triggers' terms. Somebody who returns without a new employment period
    /// is not greeted again (R31, R33).
    pub fn events(&self) -> Vec<Event> {
        let had = self
            .before
            .as_ref()
            .is_some_and(|before| before.status.has_access());
        let has = self.after.status.has_access();
        let greeted = self.before.as_ref().is_some_and(|before| {
            before.status == Status::Removed && before.period == self.after.period
        });
        let mut events = Vec::new();
        if has && !had && !greeted {
            events.push(Event::ProfileActivated);
        }
        if had && !has {
            events.push(Event::ProfileRemoved);
        }
        if had && has && !self.changed_fields.is_empty() {
            events.extend([Event::ProfileUpdated, Event::FieldChanged]);
        }
        if !self.began_communities.is_empty() {
            events.push(Event::MembershipBegan);
        }
        if !self.ended_communities.is_empty() {
            events.push(Event::MembershipEnded);
        }
        events
    }

    /// Whether any trigger could care.
    pub fn matters(&self) -> bool {
        !self.events().is_empty()
    }

    /// What makes a repetition of the same occasion the same: the employment period of an
    /// activation, the instant of a removal, the event of a change.
    fn occasion(&self, on: Event) -> String {
        match on {
            Event::ProfileActivated => self.after.period.clone(),
            Event::ProfileRemoved | Event::MembershipEnded => self
                .after
                .removed_at
                .map_or_else(|| self.by_event(), |at| at.micros().to_string()),
            Event::ProfileUpdated | Event::FieldChanged | Event::MembershipBegan => self.by_event(),
        }
    }

    fn by_event(&self) -> String {
        self.event_id
            .clone()
            .or_else(|| self.occasion.clone())
            .unwrap_or_else(|| self.after.updated.micros().to_string())
    }
}

/// What one published trigger makes due.
pub fn due(
    happening: &Happening,
    trigger: &KeptTrigger,
    facts: &Facts<'_>,
    now: Timestamp,
) -> Vec<Due> {
    let definition = &trigger.definition;
    let concerns = definition.status == TriggerStatus::Published
        && definition.organization_id == happening.organization_id
        && happening.events().contains(&definition.on)
        && definition
            .when
            .as_ref()
            .is_none_or(|when| when.matches(facts));
    if !concerns {
        return Vec::new();
    }
    let occasion = happening.occasion(definition.on);
    let steps = definition
        .steps
        .iter()
        .enumerate()
        .map(|(place, step)| Due {
            key: format!("{}:{}:{place}:{occasion}", happening.after.id, trigger.id),
            on: definition.on,
            trigger_id: trigger.id.clone(),
            step: i32::try_from(place).unwrap_or(i32::MAX),
            channel: step.channel.name(),
            due_at: due_at(step, now),
        });
    steps.collect()
}

/// `after` from now, then the next time that clock time comes round (UTC).
fn due_at(step: &Step, now: Timestamp) -> Timestamp {
    let earliest = now.plus(step.after.duration());
    step.at.map_or(earliest, |at| next(at, earliest))
}

fn next(at: LocalTime, earliest: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000_000;
    let of_day = (i64::from(at.hour) * 60 + i64::from(at.minute)) * 60_000_000;
    let midnight = earliest.micros() - earliest.micros().rem_euclid(DAY);
    let today = Timestamp(midnight + of_day);
    if today >= earliest {
        today
    } else {
        Timestamp(midnight + DAY + of_day)
    }
}

/// The profile as conditions and templates see it: the names of `/v1/profiles`.
pub fn facts_of(organization_id: &str, profile: &Profile) -> Value {
    let mut all = Map::new();
    all.insert("id".into(), json!(profile.id));
    all.insert("organization_id".into(), json!(organization_id));
    all.insert("status".into(), json!(profile.status.as_str()));
    for name in FIELDS {
        all.insert(name.into(), json!(profile.field(name)));
    }
    all.insert(
        "attributes".into(),
        Value::Object(profile.attributes.clone()),
    );
    all.insert("removed_at".into(), json!(profile.removed_at));
    all.insert("removed_reason".into(), json!(profile.removed_reason));
    Value::Object(all)
}
