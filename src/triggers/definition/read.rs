//! Reading a trigger from JSON, key by key, going on past each problem so that all are told.

use serde_json::{Map, Value};

use super::{Channel, Event, MAX_STEPS, NewTrigger, Policy, Recipient, Status, Step};
use crate::conditions::{Condition, Problem};
use crate::triggers::template;
use crate::triggers::when::{After, LocalTime};

/// The longest name, and organization id, in characters.
const MAX_NAME: usize = 200;

pub(super) fn trigger(
    body: &Value,
    policy: Policy,
    texts: Texts,
) -> Result<NewTrigger, Vec<Problem>> {
    let Value::Object(object) = body else {
        return Err(vec![Problem::new(
            "",
            "a trigger is a JSON object with organization_id, name, on and steps",
        )]);
    };
    let mut reader = Reader {
        problems: Vec::new(),
        policy,
        texts,
    };
    reader.only(
        object,
        "",
        &[
            "organization_id",
            "name",
            "on",
            "field",
            "changed_to",
            "community",
            "when",
            "status",
            "steps",
        ],
    );
    let organization_id = reader.name(object, "organization_id");
    let name = reader.name(object, "name");
    let on = reader.one_of(
        object,
        "",
        "on",
        Event::parse,
        &Event::ALL.map(|(name, _)| name),
    );
    let status = match object.get("status") {
        None | Some(Value::Null) => Some(Status::default()),
        Some(_) => reader.one_of(object, "", "status", Status::parse, &["draft", "published"]),
    };
    let (field, changed_to, community) = reader.narrowing(object, on);
    let when = reader.when(object.get("when"));
    let steps = reader.steps(object.get("steps"));
    reader.for_machines(on, steps.as_deref().unwrap_or_default());
    match (organization_id, name, on, when, status, steps) {
        (Some(organization_id), Some(name), Some(on), Some(when), Some(status), Some(steps))
            if reader.problems.is_empty() =>
        {
            Ok(NewTrigger {
                organization_id,
                name,
                on,
                field,
                changed_to,
                community,
                when,
                status,
                steps,
            })
        }
        _ => Err(reader.problems),
    }
}

/// Whether the templates of a trigger are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// Somebody saves it: what is wrong with them is told.
    Checked,
    /// It was saved: a text that today's bounds refuse fails the message it is for, with that reason, and
    /// neither the sender nor the worker.
    AsKept,
}

pub(super) struct Reader {
    problems: Vec<Problem>,
    policy: Policy,
    texts: Texts,
}

impl Reader {
    pub(super) fn complain<T>(
        &mut self,
        path: impl Into<String>,
        message: impl Into<String>,
    ) -> Option<T> {
        self.problems.push(Problem::new(path, message));
        None
    }

    pub(super) fn only(&mut self, object: &Map<String, Value>, path: &str, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let key: String = key.chars().take(60).collect();
            self.complain::<()>(
                dotted(path, &key),
                format!("unknown key; known are {}", known.join(", ")),
            );
        }
    }

    /// Nobody is written to about what an operator has not decided yet.
    fn for_machines(&mut self, on: Option<Event>, steps: &[Step]) {
        let Some(on) = on.filter(|on| on.is_for_machines()) else {
            return;
        };
        for (place, step) in steps.iter().enumerate() {
            if step.channel != Channel::Webhook {
                self.complain::<()>(
                    format!("steps[{place}].channel"),
                    format!("{} goes to machines only: use `webhook`", on.name()),
                );
            }
        }
    }

    fn name(&mut self, object: &Map<String, Value>, key: &str) -> Option<String> {
        let text = object.get(key).and_then(Value::as_str).map(str::trim);
        match text {
            Some(text)
                if (1..=MAX_NAME).contains(&text.chars().count())
                    && !text.chars().any(char::is_control) =>
            {
                Some(text.to_owned())
            }
            _ => self.complain(
                key,
                format!("a text of 1 to {MAX_NAME} characters is wanted"),
            ),
        }
    }

    fn one_of<T>(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        key: &str,
        parse: fn(&str) -> Option<T>,
        known: &[&str],
    ) -> Option<T> {
        match object.get(key).and_then(Value::as_str).and_then(parse) {
            Some(found) => Some(found),
            None => self.complain(
                dotted(path, key),
                format!("one of {} is wanted", known.join(", ")),
            ),
        }
    }

    /// The outer `None` is a problem, the inner one everybody.
    fn when(&mut self, value: Option<&Value>) -> Option<Option<Condition>> {
        match value {
            None | Some(Value::Null) => Some(None),
            Some(value) => match Condition::parse(value, "when") {
                Ok(condition) => Some(Some(condition)),
                Err(problems) => {
                    self.problems.extend(problems);
                    None
                }
            },
        }
    }

    fn steps(&mut self, value: Option<&Value>) -> Option<Vec<Step>> {
        let Some(Value::Array(all)) = value.filter(|value| {
            value
                .as_array()
                .is_some_and(|all| (1..=MAX_STEPS).contains(&all.len()))
        }) else {
            return self.complain(
                "steps",
                format!("a list of 1 to {MAX_STEPS} steps is wanted"),
            );
        };
        let read: Vec<Option<Step>> = all
            .iter()
            .enumerate()
            .map(|(at, step)| self.step(step, &format!("steps[{at}]")))
            .collect();
        read.into_iter().collect()
    }

    fn step(&mut self, value: &Value, path: &str) -> Option<Step> {
        let Value::Object(object) = value else {
            return self.complain(
                path,
                "a step is a JSON object with channel, to and its texts",
            );
        };
        self.only(
            object,
            path,
            &[
                "channel", "to", "fallback", "after", "at", "subject", "text", "html", "digest",
            ],
        );
        let channel = self.one_of(
            object,
            path,
            "channel",
            Channel::parse,
            &["email", "slack", "webhook"],
        );
        let to = self.to(object, path, channel);
        let fallback = self.fallback(object, path, channel, to.as_ref());
        let after = self.parsed(object, path, "after", After::parse);
        let at = self.parsed(object, path, "at", LocalTime::parse);
        if let (Some(Some(after)), Some(Some(_))) = (after, at)
            && after.whole_days().is_none()
        {
            self.complain::<()>(
                dotted(path, "after"),
                "with a time of day in \"at\", whole days are wanted here, such as P1D",
            );
        }
        let (subject, text, html) = self.texts(object, path, channel);
        let digest = self.digest(object.get("digest"), path, channel, to.as_ref());
        Some(Step {
            channel: channel?,
            to: to?,
            fallback: fallback?,
            after: after?.unwrap_or_default(),
            at: at?,
            subject: subject?,
            text: text?,
            html: html?,
            digest: digest?,
        })
    }

    fn to(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        channel: Option<Channel>,
    ) -> Option<Recipient> {
        let here = dotted(path, "to");
        let Some(text) = object.get("to").and_then(Value::as_str) else {
            return self.complain(
                here,
                "\"person\", \"manager\", an address, a #channel or a URL is wanted",
            );
        };
        let to = Recipient::from(text.to_owned());
        match to.check(channel?, self.policy) {
            Ok(()) => Some(to),
            Err(message) => self.complain(here, message),
        }
    }

    /// The outer `None` is a problem, the inner one a step without a fallback.
    fn fallback(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        channel: Option<Channel>,
        to: Option<&Recipient>,
    ) -> Option<Option<Recipient>> {
        let here = dotted(path, "fallback");
        let text = match object.get("fallback") {
            None | Some(Value::Null) => return Some(None),
            Some(Value::String(text)) => text.clone(),
            Some(_) => {
                return self.complain(
                    here,
                    "\"person\", an address, a #channel or a URL is wanted",
                );
            }
        };
        if *to? != Recipient::Manager {
            return self.complain(here, "only a step to \"manager\" has one; leave it out");
        }
        let fallback = Recipient::from(text);
        if fallback == Recipient::Manager {
            return self.complain(here, "name somebody other than the manager");
        }
        match fallback.check(channel?, self.policy) {
            Ok(()) => Some(Some(fallback)),
            Err(message) => self.complain(here, message),
        }
    }

    fn parsed<T>(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        key: &str,
        parse: fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let message = match object.get(key) {
            None | Some(Value::Null) => return Some(None),
            Some(Value::String(text)) => match parse(text) {
                Ok(found) => return Some(Some(found)),
                Err(message) => message,
            },
            Some(_) => "a text is wanted".to_owned(),
        };
        self.complain(dotted(path, key), message)
    }

    /// Subject, text and HTML: which of them a channel wants, and that they are good templates.
    #[expect(
        clippy::type_complexity,
        reason = "three optional readings of one kind, used in one place"
    )]
    fn texts(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        channel: Option<Channel>,
    ) -> (
        Option<Option<String>>,
        Option<Option<String>>,
        Option<Option<String>>,
    ) {
        let email = channel == Some(Channel::Email);
        let no_mail = channel.is_some_and(|channel| channel != Channel::Email);
        let subject = self.template(object, path, "subject", email, no_mail);
        let text = self.template(
            object,
            path,
            "text",
            channel.is_some_and(|channel| channel != Channel::Webhook),
            false,
        );
        let html = self.template(object, path, "html", false, no_mail);
        (subject, text, html)
    }

    pub(super) fn template(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        key: &str,
        wanted: bool,
        unwanted: bool,
    ) -> Option<Option<String>> {
        let here = dotted(path, key);
        match object.get(key) {
            None | Some(Value::Null) if wanted => self.complain(
                here,
                "this channel wants one: a template, such as \"Welcome {{ first_name }}\"",
            ),
            None | Some(Value::Null) => Some(None),
            Some(_) if unwanted => self.complain(here, "only \"email\" has one; leave it out"),
            Some(Value::String(text)) if text.trim().is_empty() => {
                self.complain(here, "this is empty; write a text, or leave it out")
            }
            Some(Value::String(text)) => self.judged(text, here, template::check).map(Some),
            Some(_) => self.complain(here, "a text is wanted"),
        }
    }
}

impl Reader {
    pub(super) fn judged(
        &mut self,
        text: &str,
        here: String,
        check: fn(&str) -> Result<(), template::TemplateError>,
    ) -> Option<String> {
        if self.texts == Texts::AsKept {
            return Some(text.to_owned());
        }
        match check(text) {
            Ok(()) => Some(text.to_owned()),
            Err(error) => self.complain(here, error.to_string()),
        }
    }
}

pub(super) fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
