//! Random company histories: few people, few addresses, two directories, so that everything that
//! can collide does. Each step also says how its event travels: how late it comes, whether it comes
//! again, whether a batch ends behind it. Shown as one line a step, so that a failing one reads.

use std::fmt;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::roll::{DirectoryTurn, Said, Statement};
use crate::workos::{DirectoryUser, OrderKey, Said as Word, UserState};

/// One event as the roll reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    User(Box<Statement>),
    Turn(DirectoryTurn),
    Group(OrderKey, String, Option<String>),
    Edge(OrderKey, String, String, bool),
}

impl Told {
    pub fn key(&self) -> &OrderKey {
        match self {
            Self::User(statement) => &statement.key,
            Self::Turn(turn) => &turn.key,
            Self::Group(key, ..) | Self::Edge(key, ..) => key,
        }
    }
}

/// What happens in the company.
#[derive(Clone, Debug)]
pub enum Act {
    Speak(Speech),
    Link {
        directory: u8,
        linked: bool,
        kind: Option<&'static str>,
    },
    Group {
        group: u8,
        name: Option<&'static str>,
    },
    Join {
        group: u8,
        who: u8,
        again: u8,
        joins: bool,
    },
}

/// What one event says of one directory user.
#[derive(Clone, Debug)]
pub struct Speech {
    /// Whom the provider means: decides the idp id.
    pub who: u8,
    pub directory: u8,
    /// Which of their directory user ids.
    pub again: u8,
    pub life: Option<&'static str>,
    pub idp: bool,
    pub email: Word,
    pub first_name: Word,
    pub custom: Option<Map<String, Value>>,
    pub legacy: Map<String, Value>,
}

/// One event and how it travels.
#[derive(Clone, Debug)]
pub struct Step {
    pub act: Act,
    /// Seconds since the event before it; 0 is a tie.
    pub gap: u8,
    pub delay: u8,
    pub again: Option<u8>,
    pub cut: bool,
}

#[derive(Clone)]
pub struct History(pub Vec<Step>);

impl History {
    /// The events as they happened.
    pub fn events(&self) -> Vec<Told> {
        let mut at = Timestamp::parse("2026-03-02T09:00:00Z").unwrap();
        let mut all = Vec::new();
        for (number, step) in self.0.iter().enumerate() {
            at = at.plus(std::time::Duration::from_secs(step.gap.into()));
            // Ids do not follow the order of the story: within one instant they decide.
            let event_id = format!("event_{:03}", (number * 37) % 101);
            let removal = step.act.ends_something();
            all.push(step.act.tell(OrderKey {
                at,
                removal,
                event_id,
            }));
        }
        all
    }

    /// The batches in which the events arrive, late ones and copies included.
    pub fn arrivals(&self) -> Vec<Vec<Told>> {
        let mut arrivals = Vec::new();
        for (number, (step, told)) in self.0.iter().zip(self.events()).enumerate() {
            let place = |delay: u8| number + usize::from(delay);
            arrivals.push((place(step.delay), number, told.clone(), step.cut));
            if let Some(again) = step.again {
                arrivals.push((place(again), number, told, step.cut));
            }
        }
        arrivals.sort_by_key(|(place, number, ..)| (*place, *number));
        let mut batches = vec![Vec::new()];
        for (_, _, told, cut) in arrivals {
            batches.last_mut().unwrap().push(told);
            if cut {
                batches.push(Vec::new());
            }
        }
        batches
    }

    /// Whether a directory goes away: then an address may come to be used twice.
    pub fn has_turns(&self) -> bool {
        self.0
            .iter()
            .any(|step| matches!(step.act, Act::Link { .. }))
    }
}

impl Act {
    fn ends_something(&self) -> bool {
        match self {
            Self::Speak(speech) => !matches!(speech.life, None | Some("active")),
            Self::Link { linked, .. } => !linked,
            Self::Group { name, .. } => name.is_none(),
            Self::Join { joins, .. } => !joins,
        }
    }

    fn tell(&self, key: OrderKey) -> Told {
        match self {
            Self::Speak(speech) => Told::User(Box::new(Statement {
                key,
                said: speech.said(),
            })),
            Self::Link {
                directory,
                linked,
                kind,
            } => Told::Turn(DirectoryTurn {
                key,
                directory_id: format!("d{directory}"),
                removes: false,
                linked: *linked,
                kind: kind.map(str::to_owned),
            }),
            Self::Group { group, name } => {
                Told::Group(key, format!("g{group}"), name.map(str::to_owned))
            }
            Self::Join {
                group,
                who,
                again,
                joins,
            } => Told::Edge(
                key,
                format!("g{group}"),
                format!("u{who}.d0.{again}"),
                *joins,
            ),
        }
    }
}

impl Speech {
    pub fn said(&self) -> Said {
        let state = match self.life {
            Some("active") => Some(UserState::Active),
            Some("inactive") => Some(UserState::Inactive("inactive".to_owned())),
            _ => None,
        };
        Said {
            deleted: self.life == Some("deleted"),
            user: DirectoryUser {
                id: format!("u{}.d{}.{}", self.who, self.directory, self.again),
                directory_id: format!("d{}", self.directory),
                organization_id: Some("org".to_owned()),
                idp_id: self.idp.then(|| format!("i{}", self.who)),
                state,
                email: self.email.clone(),
                first_name: self.first_name.clone(),
                last_name: Word::Absent,
                name: Word::Absent,
                role: None,
                custom: self.custom.clone(),
                legacy: self.legacy.clone(),
                warnings: Vec::new(),
            },
        }
    }
}

fn word(of: &'static [&'static str]) -> impl Strategy<Value = Word> {
    prop_oneof![
        6 => proptest::sample::select(of).prop_map(|text| Word::Text(text.to_owned())),
        1 => Just(Word::Null),
        2 => Just(Word::Absent),
    ]
}

fn custom() -> impl Strategy<Value = Option<Map<String, Value>>> {
    let title = prop_oneof![3 => Just(json!("Engineer")), 2 => Just(json!("Lead")), 1 => Just(json!(null)), 1 => Just(json!(7))];
    let number = prop_oneof![2 => Just(json!("7")), 1 => Just(json!(8)), 1 => Just(json!(""))];
    let start = proptest::sample::select(vec![
        json!("2026-03-01"),
        json!("2026-03-02T09:00:09.000Z"),
        json!("2026-04-01"),
    ]);
    let badge = proptest::sample::select(vec![json!(1), json!([]), json!({"a": 1})]);
    let some = (
        proptest::option::of(title),
        proptest::option::weighted(0.25, number),
        proptest::option::weighted(0.3, start),
        proptest::option::weighted(0.4, badge),
    );
    let some = some.prop_map(|(title, number, start, badge)| {
        let members = [
            ("job_title", title),
            ("employee_number", number),
            ("employment_start_date", start),
            ("badge", badge),
        ];
        let said = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        said.collect::<Map<_, _>>()
    });
    proptest::option::weighted(0.7, some)
}

fn speech() -> impl Strategy<Value = Act> {
    let life = prop_oneof![
        6 => Just(Some("active")),
        3 => Just(None),
        3 => Just(Some("inactive")),
        3 => Just(Some("deleted")),
    ];
    let legacy = prop_oneof![
        4 => Just(Map::new()),
        1 => Just(Map::from_iter([("job_title".to_owned(), json!("Old hand"))])),
    ];
    let who = (0u8..3, 0u8..2, prop_oneof![4 => Just(0u8), 1 => Just(1u8)]);
    let email = word(&["a@x.example", "A@X.example", "b@x.example", "c@x.example"]);
    let rest = (
        prop::bool::weighted(0.9),
        word(&["Ada", "Bo"]),
        custom(),
        legacy,
        prop::bool::weighted(0.15),
    );
    (who, life, email, rest).prop_map(
        |((who, directory, again), life, email, (idp, first_name, custom, legacy, bare))| {
            let full = Speech {
                who,
                directory,
                again,
                life,
                idp,
                email,
                first_name,
                custom,
                legacy,
            };
            if !bare {
                return Act::Speak(full);
            }
            Act::Speak(Speech {
                idp: false,
                email: Word::Absent,
                first_name: Word::Absent,
                custom: None,
                legacy: Map::new(),
                ..full
            })
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    let kind = proptest::sample::select(vec![None, Some("okta"), Some("workday")]);
    let link = (0u8..2, any::<bool>(), kind).prop_map(|(directory, linked, kind)| Act::Link {
        directory,
        linked,
        kind,
    });
    let group = (
        0u8..2,
        proptest::sample::select(vec![Some("Staff"), Some("All"), None]),
    )
        .prop_map(|(group, name)| Act::Group { group, name });
    let join =
        (0u8..2, 0u8..3, 0u8..2, any::<bool>()).prop_map(|(group, who, again, joins)| Act::Join {
            group,
            who,
            again,
            joins,
        });
    prop_oneof![16 => speech(), 3 => link, 1 => group, 2 => join]
}

/// Histories of up to `longest` events.
pub fn histories(longest: usize) -> impl Strategy<Value = History> {
    let delay = prop_oneof![2 => Just(0u8), 2 => 0u8..4, 2 => 0u8..20];
    let step = (
        act(),
        prop_oneof![1 => Just(0u8), 4 => 1u8..4],
        delay,
        proptest::option::weighted(0.2, 0u8..20),
        any::<bool>(),
    );
    let step = step.prop_map(|(act, gap, delay, again, cut)| Step {
        act,
        gap,
        delay,
        again,
        cut,
    });
    proptest::collection::vec(step, 1..=longest).prop_map(History)
}

impl fmt::Debug for History {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (step, told) in self.0.iter().zip(self.events()) {
            let key = told.key();
            write!(out, "\n  {} {} ", &key.at.to_string()[11..19], key.event_id)?;
            step.act.tell_line(out)?;
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
            Self::Speak(speech) => {
                let said = speech.said().user;
                write!(out, "{} {}", said.id, speech.life.unwrap_or("(no state)"))?;
                write!(out, ", idp {}", said.idp_id.as_deref().unwrap_or("none"))?;
                for (name, word) in [("email", &said.email), ("first name", &said.first_name)] {
                    if !word.is_absent() {
                        write!(out, ", {name} {}", word.text().unwrap_or("null"))?;
                    }
                }
                if let Some(custom) = &said.custom {
                    write!(out, ", custom {}", Value::Object(custom.clone()))?;
                }
                if !said.legacy.is_empty() {
                    write!(out, ", legacy {}", Value::Object(said.legacy))?;
                }
                Ok(())
            }
            Self::Link {
                directory,
                linked,
                kind,
            } => {
                let turn = if *linked { "linked" } else { "gone" };
                write!(
                    out,
                    "directory d{directory} {turn}, type {}",
                    kind.unwrap_or("unsaid")
                )
            }
            Self::Group { group, name } => {
                write!(out, "group g{group} {}", name.unwrap_or("deleted"))
            }
            Self::Join {
                group,
                who,
                again,
                joins,
            } => {
                let verb = if *joins { "joins" } else { "leaves" };
                write!(out, "u{who}.d0.{again} {verb} g{group}")
            }
        }
    }
}
