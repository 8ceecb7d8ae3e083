//! How stories are made up.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Act, History, Life, OldTitle, Speech, Stamp, Step, Word};

/// Histories of up to `longest` events.
pub fn histories(longest: usize) -> impl Strategy<Value = History> {
    proptest::collection::vec(step(), 1..=longest).prop_map(History)
}

fn step() -> impl Strategy<Value = Step> {
    let gap = prop_oneof![2 => Just(0u16), 1 => Just(1), 7 => (1u16..4).prop_map(|s| s * 1_000)];
    let stamp = prop_oneof![
        3 => Just(Stamp::Rfc),
        2 => Just(Stamp::Spaced),
        1 => Just(Stamp::InTheId),
    ];
    let delay = prop_oneof![2 => Just(0u8), 2 => 0u8..4, 2 => 0u8..20];
    let again = proptest::option::weighted(0.2, 0u8..20);
    let all = (act(), gap, stamp, delay, again, any::<bool>());
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

fn speech() -> impl Strategy<Value = Act> {
    let who = (0u8..3, 0u8..2, prop_oneof![4 => Just(0u8), 1 => Just(1u8)]);
    let email = word(&["a@x.example", "A@X.example", "b@x.example", "c@x.example"]);
    let old_title = prop_oneof![
        4 => Just(None),
        1 => proptest::sample::select(vec![Some(OldTitle::TopLevel), Some(OldTitle::Scim)]),
    ];
    let words = (
        prop::bool::weighted(0.9),
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
                idp: false,
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
    let number = prop_oneof![2 => Just(json!("7")), 1 => Just(json!(8)), 1 => Just(json!(""))];
    let start = proptest::sample::select(vec![
        json!("2026-03-01"),
        json!("2026-03-02T09:00:09.000Z"),
        json!("2026-04-01"),
    ]);
    let badge = proptest::sample::select(vec![json!(1), json!([]), json!({"a": 1})]);
    let department = prop_oneof![2 => Just(json!("Sales")), 1 => Just(json!("Research"))];
    let some = (
        proptest::option::of(title),
        proptest::option::weighted(0.4, department),
        proptest::option::weighted(0.25, number),
        proptest::option::weighted(0.3, start),
        proptest::option::weighted(0.4, badge),
    );
    let some = some.prop_map(|(title, department, number, start, badge)| {
        let members = [
            ("job_title", title),
            ("department_name", department),
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
