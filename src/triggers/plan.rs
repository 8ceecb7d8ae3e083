//! What falls due, pure: from what happened to a person and the organization's triggers to the
//! deliveries to be made, each under a key that no second one can have (R63). Who counts as new is
//! judged here (R57, R58). Text is filled in and addresses are looked up when it is sent, not now
//! (R23, R64).

mod burst;
mod schedule;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::conditions::{Condition, Facts};
use crate::domain::{FIELDS, MessageSettings, Profile, Status};

use super::definition::{Event, NewTrigger, Status as TriggerStatus, Step};
use super::zone;

pub use burst::{Welcome, beyond, too_many};
pub use schedule::{Base, due_at, moved_to};

/// What happened to one person.
#[derive(Debug, Clone)]
pub struct Happening {
    /// The organization.
    pub organization_id: String,
    /// The person before.
    pub before: Option<Profile>,
    /// The person now.
    pub after: Profile,
    /// Since when we have known them.
    pub known_since: Timestamp,
    /// The fields that changed.
    pub changed_fields: Vec<String>,
    /// The communities they joined.
    pub began_communities: Vec<String>,
    /// The communities they left.
    pub ended_communities: Vec<String>,
    /// Whether their access was suspended or came back, without a change of the person.
    pub turn: Option<AccessTurn>,
    /// The event behind it.
    pub event_id: Option<String>,
}

/// What became of somebody's access who stays in People; each names when they were suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTurn {
    /// It is refused until an operator decides (R40).
    Suspended(Timestamp),
    /// They may come in again.
    Resumed(Timestamp),
}

/// What an organization's messages go by.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Since when its triggers may fire (R56). While it is off, people get no message; that somebody left is
    /// told to machines all the same, since sessions hang on it.
    pub messaging_enabled_at: Option<Timestamp>,
    /// Its settings.
    pub settings: MessageSettings,
}

/// A trigger as it is kept.
#[derive(Debug, Clone)]
pub struct KeptTrigger {
    /// Our id.
    pub id: String,
    /// Which version of it.
    pub version: i32,
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
    /// Which version of it.
    pub version: i32,
    /// Which of its steps.
    pub step: i32,
    /// The channel's name.
    pub channel: &'static str,
    /// The community it speaks of.
    pub community_id: Option<String>,
    /// Whether it greets somebody: a first message to people about a newcomer (R59).
    pub welcome: bool,
    /// When.
    pub due_at: Timestamp,
}

/// Of which community an event speaks: its id and name.
type Community<'a> = Option<&'a (String, String)>;

impl Happening {
    /// What this is, in the triggers' terms. Somebody who returns without a new employment period
    /// is not greeted again (R31, R33).
    pub fn events(&self) -> Vec<Event> {
        let had = self
            .before
            .as_ref()
            .is_some_and(|before| before.status.has_access());
        let has = self.after.status.has_access();
        let mut events = Vec::new();
        if self.activates() {
            events.push(Event::ProfileActivated);
        }
        if had && !has {
            events.push(Event::ProfileRemoved);
        }
        if had && has && !self.changed_fields.is_empty() {
            events.extend([Event::ProfileUpdated, Event::FieldChanged]);
        }
        match self.turn {
            Some(AccessTurn::Suspended(_)) => events.push(Event::ProfileSuspended),
            Some(AccessTurn::Resumed(_)) => events.push(Event::ProfileResumed),
            None => {}
        }
        if !self.began_communities.is_empty() {
            events.push(Event::MembershipBegan);
        }
        if !self.ended_communities.is_empty() {
            events.push(Event::MembershipEnded);
        }
        events
    }

    /// Whether somebody comes, for the first time or as who they were not before.
    pub fn activates(&self) -> bool {
        let has = |profile: &Profile| profile.status.has_access();
        let had = self.before.as_ref().is_some_and(has);
        let greeted = self.before.as_ref().is_some_and(|before| {
            before.status == Status::Removed && before.period == self.after.period
        });
        // The start of a rehire may be told only after the return.
        let begins_anew = had
            && self.after.period != "first"
            && self.before.as_ref().map(|before| &before.period) != Some(&self.after.period);
        has(&self.after) && ((!had && !greeted) || begins_anew)
    }

    /// Whether any trigger could care.
    pub fn matters(&self) -> bool {
        !self.events().is_empty()
    }

    /// The start date, where it was said to be another one than before and messages may wait for it.
    pub fn moved_start(&self) -> Option<NaiveDate> {
        let before = self.before.as_ref()?;
        if self.after.start_unreadable.is_some() || self.became_readable() {
            return None;
        }
        let (old, new) = (before.field("start_date"), self.after.field("start_date")?);
        (old != Some(new)).then(|| zone::day(new)).flatten()
    }

    /// Whether the start date was there and could not be read, and now is read or taken back.
    pub fn became_readable(&self) -> bool {
        let unreadable = |profile: &Profile| profile.start_unreadable.is_some();
        self.before.as_ref().is_some_and(unreadable) && !unreadable(&self.after)
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
            Event::ProfileSuspended | Event::ProfileResumed => match self.turn {
                Some(AccessTurn::Suspended(at) | AccessTurn::Resumed(at)) => {
                    at.micros().to_string()
                }
                None => self.by_event(),
            },
            Event::ProfileUpdated | Event::FieldChanged | Event::MembershipBegan => self.by_event(),
        }
    }

    fn by_event(&self) -> String {
        self.event_id
            .clone()
            .unwrap_or_else(|| self.after.updated.micros().to_string())
    }

    /// Whether a newcomer is really new (R57, R58): with a start date, when it is not long before the
    /// messaging was turned on; without one, when nobody knew them before it. Who gets a seat back is not greeted, and
    /// everybody else is no newcomer at all.
    fn may_be_greeted(&self, on: Event, terms: &Terms, zone: Tz) -> bool {
        let activates = self.activates();
        if on == Event::MembershipBegan && !activates {
            return !self.returns();
        }
        if !matches!(on, Event::ProfileActivated | Event::MembershipBegan) {
            return true;
        }
        self.is_new(terms, zone)
    }

    /// Whether they came after messaging was turned on: by their start date, else by when they were first known.
    pub fn is_new(&self, terms: &Terms, zone: Tz) -> bool {
        let Some(messaging_enabled_at) = terms.messaging_enabled_at else {
            return false;
        };
        match self.start() {
            Some(start) => zone::first_greeted_in(&terms.settings, zone, messaging_enabled_at)
                .is_none_or(|by| start >= by),
            None => self.known_since >= messaging_enabled_at,
        }
    }

    /// The start date. One whose last word cannot be read is none: the day before it says nothing of
    /// when somebody starts now (R79).
    pub fn start(&self) -> Option<NaiveDate> {
        if self.after.start_unreadable.is_some() {
            return None;
        }
        self.after.field("start_date").and_then(zone::day)
    }

    /// Whether somebody who was removed is back.
    fn returns(&self) -> bool {
        let removed = |before: &Profile| before.status == Status::Removed;
        self.before.as_ref().is_some_and(removed) && self.after.status.has_access()
    }
}

/// What one published trigger makes due.
pub fn due(
    happening: &Happening,
    trigger: &KeptTrigger,
    facts: &Facts<'_>,
    names: &[(String, String)],
    terms: &Terms,
    now: Timestamp,
) -> Vec<Due> {
    let definition = &trigger.definition;
    let fires = definition.status == TriggerStatus::Published
        && definition.organization_id == happening.organization_id
        && happening.events().contains(&definition.on);
    if !fires {
        return Vec::new();
    }
    let communities: Vec<String> = facts.communities.iter().map(|(id, _)| id.clone()).collect();
    let zone = zone::of_person(&terms.settings, facts.profile, &communities);
    if !happening.may_be_greeted(definition.on, terms, zone) || !change_fits(happening, definition)
    {
        return Vec::new();
    }
    let base = base_of(happening, definition.on);
    let mut all = Vec::new();
    for community in concerned(happening, definition, names) {
        // What is joined or left is what a condition on communities asks about.
        let of_one = community.map(std::slice::from_ref);
        let facts = Facts {
            communities: of_one.unwrap_or(facts.communities),
            ..*facts
        };
        if definition
            .when
            .as_ref()
            .is_some_and(|when| !when.matches(&facts))
        {
            continue;
        }
        for (place, step) in definition.steps.iter().enumerate() {
            if terms.messaging_enabled_at.is_none()
                && !tells_a_machine_who_left(definition.on, step)
            {
                continue;
            }
            all.push(Due {
                key: key(happening, trigger, place, community),
                on: definition.on,
                trigger_id: trigger.id.clone(),
                version: trigger.version,
                step: i32::try_from(place).unwrap_or(i32::MAX),
                channel: step.channel.name(),
                community_id: community.map(|(id, _)| id.clone()),
                welcome: is_welcome(definition.on, step),
                due_at: due_at(step, base, zone, &terms.settings, now),
            });
        }
    }
    all
}

/// What a step's time counts from: the start date of a newcomer who has one, else now (R60).
fn base_of(happening: &Happening, on: Event) -> Base {
    match happening.start().filter(|_| on == Event::ProfileActivated) {
        Some(start) => Base::Start(start),
        None => Base::Now,
    }
}

/// What ends somebody's sessions elsewhere, or lets them in again, goes out also while messaging is off.
fn tells_a_machine_who_left(on: Event, step: &Step) -> bool {
    (on.ends_access() || on.is_for_machines())
        && step.channel == super::definition::Channel::Webhook
}

/// A first message to people about somebody who came; what a machine is told is no greeting.
fn is_welcome(on: Event, step: &Step) -> bool {
    matches!(on, Event::ProfileActivated | Event::MembershipBegan)
        && step.channel != super::definition::Channel::Webhook
        && step.is_of_first_day()
}

fn key(
    happening: &Happening,
    trigger: &KeptTrigger,
    place: usize,
    community: Community<'_>,
) -> String {
    let occasion = happening.occasion(trigger.definition.on);
    let key = format!("{}:{}:{place}:{occasion}", happening.after.id, trigger.id);
    match community {
        Some((id, _)) => format!("{key}:{id}"),
        None => key,
    }
}

/// The communities that a membership trigger speaks of, one message each; nothing in particular for
/// every other trigger.
fn concerned<'a>(
    happening: &Happening,
    definition: &NewTrigger,
    names: &'a [(String, String)],
) -> Vec<Community<'a>> {
    let ids = match definition.on {
        Event::MembershipBegan => &happening.began_communities,
        Event::MembershipEnded => &happening.ended_communities,
        _ => return vec![None],
    };
    let wanted = |(id, name): &(String, String)| {
        ids.contains(id)
            && definition
                .community
                .as_ref()
                .is_none_or(|wanted| wanted == id || wanted == name)
    };
    names.iter().filter(|one| wanted(one)).map(Some).collect()
}

/// Of `field.changed`: whether it is the field that is meant, and says what it should.
fn change_fits(happening: &Happening, definition: &NewTrigger) -> bool {
    if definition.on != Event::FieldChanged {
        return true;
    }
    let changed = |name: &String| happening.changed_fields.contains(name);
    let Some(field) = &definition.field else {
        let named = definition
            .when
            .as_ref()
            .map_or_else(Vec::new, Condition::profile_fields);
        return named.is_empty() || named.iter().any(changed);
    };
    let says = |wanted: &Value| match field.strip_prefix("attributes.") {
        None if field == "roles" => {
            let roles = &happening.after.roles;
            wanted
                .as_str()
                .is_some_and(|slug| roles.iter().any(|role| role == slug))
        }
        Some(name) => happening.after.attributes.get(name) == Some(wanted),
        None => happening.after.field(field) == wanted.as_str(),
    };
    changed(field) && definition.changed_to.as_ref().is_none_or(says)
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
    all.insert("roles".into(), json!(profile.roles));
    all.insert(
        "attributes".into(),
        Value::Object(profile.attributes.clone()),
    );
    all.insert("removed_at".into(), json!(profile.removed_at));
    all.insert("removed_reason".into(), json!(profile.removed_reason));
    Value::Object(all)
}

#[cfg(test)]
mod tests;
