//! Random company histories: few people, few addresses, two directories, so that everything that can
//! collide does. Each step also says how its event is written (both forms of instants, old and new
//! payloads) and how it travels: how late it comes, whether it comes again, whether a batch ends
//! behind it. Shown as one line a step, so that a failing one reads. It knows nothing of Rollcall:
//! the suite sends the same stories to the real service.

use std::fmt;

use serde_json::{Map, Value};

mod communities;
mod made;
mod sent;

pub use communities::communities;
pub use made::histories;

/// 2026-03-02 09:00 UTC, in milliseconds: when every story begins.
pub const BEGINNING: u64 = 1_772_442_000_000;

/// A text in a payload.
#[derive(Clone, Debug)]
pub enum Word {
    /// The key is not there.
    Unsaid,
    Null,
    Text(&'static str),
}

/// What happens in the company.
#[derive(Clone, Debug)]
pub enum Act {
    Speak(Speech),
    Link {
        directory: u8,
        linked: bool,
        kind: Option<&'static str>,
        /// `dsync.deactivated`, which WorkOS sent for `dsync.deleted` in former days.
        former_name: bool,
    },
    Group {
        directory: u8,
        group: u8,
        name: Option<&'static str>,
    },
    Join {
        directory: u8,
        group: u8,
        /// What the event calls the group beside its id (R95).
        named: Option<&'static str>,
        /// The user is named by the provider's id alone (R95).
        by_provider: bool,
        who: u8,
        again: u8,
        joins: bool,
        /// With a few wrong words about the user, of which nothing may be believed (R76).
        partial: bool,
    },
    /// An event of a kind that is not acted on.
    Noise,
}

/// What one event says of one directory user.
#[derive(Clone, Debug)]
pub struct Speech {
    /// Whom the provider means: decides the idp id.
    pub who: u8,
    pub directory: u8,
    /// Which of their directory user ids.
    pub again: u8,
    pub life: Life,
    pub idp: Idp,
    pub email: Word,
    /// The address stands in the older `emails` list.
    pub listed: bool,
    pub first_name: Word,
    pub custom: Option<Map<String, Value>>,
    /// A deprecated title: at the top level, or in a SCIM body.
    pub old_title: Option<OldTitle>,
    /// Nothing but the ids it cannot do without.
    pub bare: bool,
}

/// What a payload says of the provider's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idp {
    Own,
    Unsaid,
    /// A word that stands where somebody had nothing to write (R86).
    Placeholder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Active,
    Unsaid,
    /// `inactive`, or the older `suspended`.
    Inactive(&'static str),
    /// `dsync.user.deleted`, with what its payload still says of the state.
    Deleted(Option<&'static str>),
}

#[derive(Clone, Copy, Debug)]
pub enum OldTitle {
    TopLevel,
    Scim,
}

/// How the instant of an event is written.
#[derive(Clone, Copy, Debug)]
pub enum Stamp {
    /// `2026-03-02T09:00:00.000Z`
    Rfc,
    /// `2026-03-02 09:00:00.000`
    Spaced,
    /// Only in the event id's ULID.
    InTheId,
}

/// One event and how it travels.
#[derive(Clone, Debug)]
pub struct Step {
    pub act: Act,
    /// Milliseconds since the event before it; 0 is a tie.
    pub gap: u16,
    pub stamp: Stamp,
    /// How many events overtake it.
    pub delay: u8,
    /// It comes once more, so much later.
    pub again: Option<u8>,
    pub cut: bool,
}

#[derive(Clone)]
pub struct History(pub Vec<Step>);

/// Where an event belongs: by when it happened, what ends something last within one instant, then by
/// its id (R66). Said by the story, which knows when it was, and not by reading the event.
pub type Place = (u64, bool, String);

impl History {
    /// The events as they happened, each with its place. `company` keeps histories apart.
    pub fn events(&self, company: u32) -> Vec<(Place, Value)> {
        let mut at = BEGINNING;
        let mut all = Vec::new();
        for (number, step) in self.0.iter().enumerate() {
            at += u64::from(step.gap);
            let id = event_id(at, number, company);
            let body = step.body(at, &id, company);
            all.push(((at, step.act.ends_something(), id), body));
        }
        all
    }

    /// The events in their order, each once.
    pub fn in_order(&self, company: u32) -> Vec<Value> {
        let mut all = self.events(company);
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all.into_iter().map(|(_, body)| body).collect()
    }

    /// The batches in which the events arrive, late ones and copies included.
    pub fn arrivals(&self, company: u32) -> Vec<Vec<Value>> {
        let mut arrivals = Vec::new();
        for (number, (step, (_, body))) in self.0.iter().zip(self.events(company)).enumerate() {
            let place = |delay: u8| number + usize::from(delay);
            if let Some(again) = step.again {
                arrivals.push((place(again), number, body.clone(), step.cut));
            }
            arrivals.push((place(step.delay), number, body, step.cut));
        }
        arrivals.sort_by_key(|(place, number, ..)| (*place, *number));
        let mut batches = vec![Vec::new()];
        for (_, _, body, cut) in arrivals {
            batches.last_mut().unwrap().push(body);
            if cut {
                batches.push(Vec::new());
            }
        }
        batches
    }
}

/// Ids do not follow the order of the story: within one instant they decide.
fn event_id(at: u64, number: usize, company: u32) -> String {
    let rank = ((number * 37) % 101) as u128;
    format!(
        "event_{}",
        ulid::Ulid::from_parts(at, (rank << 64) | u128::from(company))
    )
}

impl Act {
    pub fn ends_something(&self) -> bool {
        match self {
            Self::Speak(speech) => matches!(speech.life, Life::Inactive(_) | Life::Deleted(_)),
            Self::Link { linked, .. } => !linked,
            Self::Group { name, .. } => name.is_none(),
            Self::Join { joins, .. } => !joins,
            Self::Noise => false,
        }
    }
}

impl fmt::Debug for History {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = self.events(0);
        for (number, (step, ((at, ..), _))) in self.0.iter().zip(&events).enumerate() {
            let since = at - BEGINNING;
            let rank = (number * 37) % 101;
            write!(
                out,
                "\n  {:>2}.{:03} s, id {rank:03}: ",
                since / 1_000,
                since % 1_000
            )?;
            step.act.tell_line(out)?;
            match step.stamp {
                Stamp::Rfc => {}
                Stamp::Spaced => write!(out, " | instant with a space")?,
                Stamp::InTheId => write!(out, " | instant in the id")?,
            }
            if step.delay > 0 {
                write!(out, " | comes {} later", step.delay)?;
            }
            if let Some(again) = step.again {
                write!(out, " | again {again} later")?;
            }
            if step.cut {
                write!(out, " | batch ends")?;
            }
        }
        writeln!(out)
    }
}

impl Act {
    fn tell_line(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Speak(speech) => speech.tell_line(out),
            Self::Link {
                directory,
                linked,
                kind,
                former_name,
            } => {
                let turn = match (linked, former_name) {
                    (true, _) => "linked",
                    (false, true) => "deactivated",
                    (false, false) => "deleted",
                };
                let kind = kind.unwrap_or("unsaid");
                write!(out, "directory d{directory} {turn}, type {kind}")
            }
            Self::Group {
                directory,
                group,
                name,
            } => {
                let name = name.unwrap_or("deleted");
                write!(out, "group g{group}.d{directory} {name}")
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
                match by_provider {
                    true => write!(out, "idp i{who} of d{directory}")?,
                    false => write!(out, "u{who}.d{directory}.{again}")?,
                }
                let verb = if *joins { "joins" } else { "leaves" };
                write!(out, " {verb} g{group}.d{directory}")?;
                if let Some(named) = named {
                    write!(out, ", called {named}")?;
                }
                write!(out, "{}", if *partial { ", partial user" } else { "" })
            }
            Self::Noise => write!(out, "an event of another kind"),
        }
    }
}

impl Speech {
    fn tell_line(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let life = match self.life {
            Life::Active => "active".to_owned(),
            Life::Unsaid => "(no state)".to_owned(),
            Life::Inactive(word) => word.to_owned(),
            Life::Deleted(None) => "deleted".to_owned(),
            Life::Deleted(Some(word)) => format!("deleted while {word}"),
        };
        write!(
            out,
            "u{}.d{}.{} {life}",
            self.who, self.directory, self.again
        )?;
        if self.bare {
            return write!(out, ", bare");
        }
        match self.idp {
            Idp::Own => write!(out, ", idp i{}", self.who)?,
            Idp::Unsaid => write!(out, ", no idp")?,
            Idp::Placeholder => write!(out, ", idp N/A")?,
        }
        for (name, word) in [("email", &self.email), ("first name", &self.first_name)] {
            match word {
                Word::Unsaid => {}
                Word::Null => write!(out, ", {name} null")?,
                Word::Text(text) => write!(out, ", {name} {text}")?,
            }
        }
        if self.listed {
            write!(out, " in a list")?;
        }
        if let Some(custom) = &self.custom {
            write!(out, ", custom {}", Value::Object(custom.clone()))?;
        }
        match self.old_title {
            None => Ok(()),
            Some(OldTitle::TopLevel) => write!(out, ", old title"),
            Some(OldTitle::Scim) => write!(out, ", old title in SCIM"),
        }
    }
}
