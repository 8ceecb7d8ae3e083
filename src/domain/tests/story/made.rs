//! How stories are made up.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Act, History, Idp, Life, OldTitle, Speech, Stamp, Step, Word};

/// Histories of up to `longest` events: of everything, of people who come to claim one number or address,
/// and of addresses that move between people.
pub fn histories(longest: usize) -> impl Strategy<Value = History> {
    let of = |act: BoxedStrategy<Act>| proptest::collection::vec(step(act), 1..=longest);
    let all = prop_oneof![
        6 => of(act().boxed()),
        1 => of(crowd().boxed()),
        1 => of(moves().boxed()),
    ];
    all.prop_map(History)
}

fn step(act: BoxedStrategy<Act>) -> impl Strategy<Value = Step> {
    let gap = prop_oneof![2 => Just(0u16), 1 => Just(1), 7 => (1u16..4).prop_map(|s| s * 1_000)];
    let stamp = prop_oneof![
        3 => Just(Stamp::Rfc),
        2 => Just(Stamp::Spaced),
        1 => Just(Stamp::InTheId),
    ];
    let delay = prop_oneof![2 => Just(0u8), 2 => 0u8..4, 2 => 0u8..20];
    let again = proptest::option::weighted(0.2, 0u8..20);
    let all = (act, gap, stamp, delay, again, any::<bool>());
    all.prop_map(|(act, gap, stamp, delay, again, cut)| Step {
        act,
        gap,
        stamp,
        delay,
        again,
        cut,
    })
}

fn act() -> impl Strategy<Value = Act> {
    let kind = proptest::sample::select(vec![None, Some("okta"), Some("workday")]);
    let link = (0u8..2, any::<bool>(), kind, prop::bool::weighted(0.3)).prop_map(
        |(directory, linked, kind, former_name)| Act::Link {
            directory,
            linked,
            kind,
            former_name,
        },
    );
    let name = proptest::sample::select(vec![Some("Staff"), Some("All"), None]);
    let place = || (prop_oneof![2 => Just(0u8), 1 => Just(1)], 0u8..2);
    let group = (place(), name).prop_map(|((directory, group), name)| Act::Group {
        directory,
        group,
        name,
    });
    let named = proptest::sample::select(vec![None, Some("Staff"), Some("All")]);
    let user = (0u8..3, 0u8..2, prop::bool::weighted(0.2));
    let joins = (prop::bool::weighted(0.7), any::<bool>());
    let join = (place(), named, user, joins).prop_map(
        |((directory, group), named, (who, again, by_provider), (joins, partial))| Act::Join {
            directory,
            group,
            named,
            by_provider,
            who,
            again,
            joins,
            partial,
        },
    );
    prop_oneof![32 => speech(), 8 => link, 5 => group, 10 => join, 1 => Just(Act::Noise)]
}

/// Many people of few directories under one number or one address.
fn crowd() -> impl Strategy<Value = Act> {
    let number = proptest::sample::select(vec![json!("7"), json!("7"), json!(0), json!("N/A")]);
    let email = prop_oneof![
        2 => Just(Word::Unsaid),
        2 => Just(Word::Text("a@x.example")),
        1 => proptest::sample::select(vec!["b@x.example", "none"]).prop_map(Word::Text),
    ];
    let who = (0u8..6, prop_oneof![4 => Just(0u8), 1 => Just(1)], 0u8..2);
    let some = (
        who,
        life(),
        idp(),
        email,
        proptest::option::weighted(0.7, number),
    );
    some.prop_map(|((who, directory, again), life, idp, email, number)| {
        let custom = number.map(|number| Map::from_iter([("employee_number".to_owned(), number)]));
        Act::Speak(Speech {
            who,
            directory,
            again,
            life,
            idp,
            email,
            listed: false,
            first_name: Word::Unsaid,
            custom,
            old_title: None,
            bare: false,
        })
    })
}

/// Four people of one directory, and four addresses that pass between them.
fn moves() -> impl Strategy<Value = Act> {
    let addresses = vec!["a@x.example", "b@x.example", "c@x.example", "d@x.example"];
    let email = proptest::sample::select(addresses);
    let life = prop_oneof![8 => Just(Life::Active), 1 => Just(Life::Deleted(None)), 1 => Just(Life::Unsaid)];
    let again = prop_oneof![5 => Just(0u8), 1 => Just(1)];
    let some = (0u8..4, again, life, email);
    some.prop_map(|(who, again, life, email)| {
        Act::Speak(Speech {
            who,
            directory: 0,
            again,
            life,
            idp: Idp::Own,
            email: Word::Text(email),
            listed: false,
            first_name: Word::Unsaid,
            custom: None,
            old_title: None,
            bare: false,
        })
    })
}

fn idp() -> impl Strategy<Value = Idp> {
    prop_oneof![18 => Just(Idp::Own), 2 => Just(Idp::Unsaid), 1 => Just(Idp::Placeholder)]
}

fn speech() -> impl Strategy<Value = Act> {
    let who = (0u8..3, 0u8..2, prop_oneof![4 => Just(0u8), 1 => Just(1u8)]);
    let email = word(&[
        "a@x.example",
        "A@X.example",
        "b@x.example",
        "c@x.example",
        " a\u{ad}@x.example\u{200b}",
    ]);
    let old_title = prop_oneof![
        4 => Just(None),
        1 => proptest::sample::select(vec![Some(OldTitle::TopLevel), Some(OldTitle::Scim)]),
    ];
    let words = (
        idp(),
        email,
        prop::bool::weighted(0.1),
        word(&["Ada", "Bo"]),
        custom(),
        old_title,
    );
    let bare = prop::bool::weighted(0.15);
    (who, life(), words, bare).prop_map(|((who, directory, again), life, words, bare)| {
        let (idp, email, listed, first_name, custom, old_title) = words;
        Act::Speak(match bare {
            false => Speech {
                who,
                directory,
                again,
                life,
                idp,
                listed: listed && matches!(email, Word::Text(_)),
                email,
                first_name,
                custom,
                old_title,
                bare,
            },
            true => Speech {
                who,
                directory,
                again,
                life,
                idp: Idp::Unsaid,
                email: Word::Unsaid,
                listed: false,
                first_name: Word::Unsaid,
                custom: None,
                old_title: None,
                bare,
            },
        })
    })
}

fn life() -> impl Strategy<Value = Life> {
    let said = vec![None, Some("active"), Some("inactive"), Some("suspended")];
    prop_oneof![
        6 => Just(Life::Active),
        3 => Just(Life::Unsaid),
        3 => proptest::sample::select(vec!["inactive", "suspended"]).prop_map(Life::Inactive),
        3 => proptest::sample::select(said).prop_map(Life::Deleted),
    ]
}

fn word(of: &'static [&'static str]) -> impl Strategy<Value = Word> {
    prop_oneof![
        6 => proptest::sample::select(of).prop_map(Word::Text),
        1 => Just(Word::Null),
        2 => Just(Word::Unsaid),
    ]
}

fn custom() -> impl Strategy<Value = Option<Map<String, Value>>> {
    let title = prop_oneof![
        3 => Just(json!("Engineer")),
        2 => Just(json!("Lead")),
        1 => Just(json!(null)),
        1 => Just(json!(7)),
    ];
    let number = prop_oneof![
        4 => Just(json!("7")),
        2 => Just(json!(8)),
        1 => Just(json!("")),
        1 => Just(json!(0)),
        1 => Just(json!("n/a")),
    ];
    let start = proptest::sample::select(vec![
        json!("2026-03-01"),
        json!("2026-03-02T09:00:09.000Z"),
        json!("2026-04-01"),
        json!("2026-04-01-08:00"),
        json!(20_260_402),
        json!("04/01/2026"),
        json!("9999-12-31"),
    ]);
    let badge = proptest::sample::select(vec![
        json!(1),
        json!([]),
        json!({"a": 1}),
        json!(["a", "b"]),
        json!(["b", "a"]),
    ]);
    let department = prop_oneof![2 => Just(json!("Sales")), 1 => Just(json!("Research"))];
    let some = (
        proptest::option::of(title),
        proptest::option::weighted(0.4, department),
        proptest::option::weighted(0.25, number),
        proptest::option::weighted(0.3, start),
        proptest::option::weighted(0.4, badge),
        proptest::option::weighted(0.2, Just(json!("A. Full"))),
    );
    let some = some.prop_map(|(title, department, number, start, badge, name)| {
        let members = [
            ("job_title", title),
            ("department_name", department),
            ("employee_number", number),
            ("employment_start_date", start),
            ("badge", badge),
            ("display_name", name),
        ];
        let said = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        said.collect::<Map<_, _>>()
    });
    proptest::option::weighted(0.7, some)
}
