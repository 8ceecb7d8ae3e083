//! What cleaning promises, by example and by property.

use proptest::prelude::*;

use super::*;

/// Characters that cleaning has to do with, among plain ones.
fn odd_text() -> impl Strategy<Value = String> {
    let odd = " \t\n\u{a0}\u{85}\u{2001}\u{3000}\u{ad}\u{200b}\u{200d}\u{200e}\u{feff}\u{34f}\u{3164}\
        \u{fe0f}\u{e0067}\0\u{1}eEhH\u{301}\u{307}\u{308}\u{331}\u{338}éÉKk\u{212a}\u{37e}\u{1fef}\
        \u{2126}\u{212b}İßẞſ\u{1100}\u{1161}각❤\u{1f980}<=@.-0x";
    let odd = prop::sample::select(odd.chars().collect::<Vec<_>>());
    let any = prop_oneof![4 => odd, 1 => any::<char>()];
    prop::collection::vec(any, 0..12).prop_map(|all| all.into_iter().collect())
}

/// An address of ASCII characters that can be seen.
fn ascii_address() -> impl Strategy<Value = String> {
    "[!-~]{1,12}@[a-zA-Z0-9.-]{1,12}"
}

/// Another spelling of a text without white space: decomposed letters, invisible characters anywhere,
/// white space around.
fn respelled(text: &str, invisible: &[(prop::sample::Index, char)], around: &str) -> String {
    let nfd = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd();
    let mut letters: Vec<char> = nfd.normalize(text).chars().collect();
    for (place, c) in invisible {
        letters.insert(place.index(letters.len() + 1), *c);
    }
    let respelled: String = letters.into_iter().collect();
    format!("{around}{respelled}{around}")
}

proptest! {
    #[test]
    fn r87_cleaning_twice_is_cleaning_once(raw in odd_text()) {
        for clean in [text, bare, fold, search] {
            let once = clean(&raw);
            prop_assert_eq!(clean(&once), once);
        }
        prop_assert_eq!(fold(&text(&raw)), fold(&raw));
        prop_assert_eq!(key(&raw).as_deref().and_then(key), key(&raw));
        prop_assert_eq!(id_key(&raw).as_deref().and_then(id_key), id_key(&raw));
    }

    #[test]
    fn r87_two_spellings_of_a_value_have_one_key(
        value in "[a-zA-Zéëöñßøžşđ각ạ̈1-9@.]{1,12}",
        invisible in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::sample::select(vec!['\u{200b}', '\u{ad}', '\u{feff}', '\u{200e}'])), 0..3),
        around in "[ \t\u{a0}\u{3000}]{0,2}",
    ) {
        let other = respelled(&value, &invisible, &around);
        prop_assert_eq!(key(&other), key(&value));
        prop_assert_eq!(id_key(&other), id_key(&value));
        prop_assert_eq!(search(&other), search(&value));
        prop_assert_eq!(key(&bare(&value).to_ascii_uppercase()), key(&value));
    }

    #[test]
    fn r88_no_two_ascii_addresses_have_one_key(one in ascii_address(), other in ascii_address()) {
        let same = one.eq_ignore_ascii_case(&other);
        prop_assert_eq!(fold(&one) == fold(&other), same);
        prop_assert!(key(&one).is_none_or(|clean| clean == one.to_ascii_lowercase()));
    }

    #[test]
    fn r88_a_character_that_is_not_ascii_never_makes_an_ascii_address(
        address in ascii_address(), place in any::<prop::sample::Index>(), c in any::<char>(),
    ) {
        prop_assume!(!c.is_ascii() && !c.is_whitespace() && !is_invisible(c));
        let mut letters: Vec<char> = address.chars().collect();
        let at = place.index(letters.len());
        letters[at] = c;
        let other: String = letters.into_iter().collect();
        prop_assert!(!fold(&other).is_ascii());
        prop_assert_ne!(fold(&other), fold(&address));
    }
}

#[test]
fn r88_every_character_that_nfc_makes_ascii_is_listed() {
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let found: Vec<char> = ('\u{80}'..=char::MAX)
        .filter(|c| nfc.normalize(&c.to_string()).is_ascii())
        .collect();
    assert_eq!(found, NEVER_ASCII);
    // Planes 4 and up hold no letters.
    for c in ('\u{80}'..='\u{3ffff}').filter(|&c| !c.is_whitespace() && !is_invisible(c)) {
        for clean in [fold, search] {
            let cleaned = clean(&c.to_string());
            assert!(!cleaned.is_ascii(), "{c:?} becomes {cleaned:?}");
        }
    }
}

#[test]
fn r87_text_is_shown_composed_and_without_what_cannot_be_seen_around_it() {
    for (raw, shown) in [
        ("  Ada \t van\u{a0}\u{2003}Dyke\n", "Ada van Dyke"),
        ("Zoe\u{308}", "Zoë"),
        ("\u{feff}\u{200b} Ada\u{ad} \u{200e}", "Ada"),
        ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ("Team ❤\u{fe0f}", "Team ❤\u{fe0f}"),
        ("\u{3164}", ""),
        ("a\0b", "a\u{fffd}b"),
        ("\u{212b}ngstr\u{f6}m \u{212a}", "Ångström \u{212a}"),
    ] {
        assert_eq!(text(raw), shown, "{raw:?}");
    }
}

#[test]
fn r88_addresses_are_the_same_by_their_cleaned_form_with_ascii_letters_folded() {
    let ada = key("ada@x.example");
    for same in [
        " Ada@X.Example ",
        "ADA@x.example\u{200b}",
        "a\u{ad}da@x.example",
        "\u{feff}ada@x.example\r\n",
    ] {
        assert_eq!(key(same), ada, "{same:?}");
    }
    assert_eq!(key("Zoë@x.example"), key("zoe\u{308}@X.example"));
    assert_ne!(key("zoë@x.example"), key("zoË@x.example"));
    assert_ne!(key("zoë@x.example"), key("zoe@x.example"));
    assert_ne!(key("\u{212a}im@x.example"), key("kim@x.example"));
    assert_ne!(key("\u{430}da@x.example"), ada, "a Cyrillic letter");
    assert_eq!(id_key("00uAb"), Some("00uAb".to_owned()));
}

#[test]
fn r86_a_value_that_says_nothing_is_no_key() {
    for nothing in [
        "",
        " ",
        "\u{200b}",
        "-",
        "0",
        "N/A",
        "na",
        "None",
        "NULL",
        "nil",
        "Unknown",
        "TBD",
        "test",
        "X",
        " n/a\u{a0}",
        "--",
        "—",
        "000",
        "0.0",
        "?",
        "N\u{200b}/A",
    ] {
        assert!(is_placeholder(nothing), "{nothing:?}");
        assert_eq!((key(nothing), id_key(nothing)), (None, None), "{nothing:?}");
    }
    for something in [
        "1",
        "01",
        "00u",
        "x@x.example",
        "tester",
        "nan",
        "no",
        "é",
        "\u{212a}",
        "-1",
    ] {
        assert!(key(something).is_some(), "{something:?}");
    }
}

#[test]
fn text_is_found_whatever_its_case_and_never_by_an_ascii_letter_it_does_not_have() {
    assert_eq!(
        search("ZOE\u{308} O\u{2019}Neil"),
        search("zoë o\u{2019}neil")
    );
    assert!(!search("\u{212a}").contains('k') && !search("İ").contains('i'));
}
