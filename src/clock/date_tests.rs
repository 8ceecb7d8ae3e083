//! What HR systems were seen to write, and that nothing else passes for a date.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn day(text: &str) -> Date {
    Date::Day(NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap())
}

#[test]
fn r79_days_are_read_in_every_form_that_can_mean_only_one() {
    for value in [
        json!("2027-01-09"),
        json!(" 2027-01-09 "),
        json!("2027-1-9"),
        json!("2027/01/09"),
        json!("2027.01.09"),
        json!("2027-01-09-08:00"),
        json!("2027-01-09+01:00"),
        json!("2027-01-09Z"),
        json!("2027-01-09T23:30:00.000-08:00"),
        json!("2027-01-09T00:00:00+14:00"),
        json!("2027-01-09 11:00:00.000"),
        json!("2027-01-09 11:00"),
        json!("2027-01-09T11:00:00Z"),
        json!("2027-01-09T110000Z"),
        json!("20270109"),
        json!(20_270_109),
        json!("20270109T000000Z"),
        json!("1799452800"),
        json!(1_799_452_800),
        json!(1_799_452_800.5),
        json!("1799452800000"),
        json!(1_799_452_800_000_i64),
        json!("1799452800000.0"),
    ] {
        for order in [DateOrder::Ymd, DateOrder::Dmy, DateOrder::Mdy] {
            assert_eq!(
                Date::read(&value, order),
                day("2027-01-09"),
                "{value} {order:?}"
            );
        }
    }
}

#[test]
fn r79_day_first_and_month_first_are_read_by_the_organizations_setting_only() {
    for (text, dmy, mdy) in [
        ("09/01/2027", "2027-01-09", "2027-09-01"),
        ("09.01.2027", "2027-01-09", "2027-09-01"),
        ("09-01-2027", "2027-01-09", "2027-09-01"),
        ("9/1/2027", "2027-01-09", "2027-09-01"),
        ("09/01/2027 12:00:00 AM", "2027-01-09", "2027-09-01"),
        ("9/1/2027 0:00", "2027-01-09", "2027-09-01"),
    ] {
        assert_eq!(Date::read_text(text, DateOrder::Dmy), day(dmy), "{text}");
        assert_eq!(Date::read_text(text, DateOrder::Mdy), day(mdy), "{text}");
        let unset = Date::read_text(text, DateOrder::Ymd);
        assert!(matches!(unset, Date::Unreadable(_)), "{text}");
    }
    let impossible = Date::read_text("31/12/2027", DateOrder::Mdy);
    assert_eq!(impossible, Date::Unreadable("99/99/9999".to_owned()));
}

#[test]
fn r79_zeros_and_years_past_nine_thousand_are_no_date() {
    for value in [
        json!(null),
        json!(""),
        json!("  "),
        json!("0000-00-00"),
        json!("0000-00-00 00:00:00"),
        json!("0000-00-00T00:00:00Z"),
        json!("00000000"),
        json!("00/00/0000"),
        json!("00.00.0000"),
        json!("9999-12-31"),
        json!("9999-12-31T23:59:59.999Z"),
        json!("99991231"),
        json!(99_991_231),
        json!(253_402_214_400_000_i64),
    ] {
        for order in [DateOrder::Ymd, DateOrder::Dmy, DateOrder::Mdy] {
            assert_eq!(Date::read(&value, order), Date::None, "{value} {order:?}");
        }
    }
    assert_eq!(Date::read_text("31/12/9999", DateOrder::Dmy), Date::None);
    assert_eq!(
        day("9000-12-31"),
        Date::read_text("9000-12-31", DateOrder::Ymd)
    );
}

#[test]
fn r79_what_cannot_be_read_shows_its_shape_and_not_its_text() {
    for (value, shape) in [
        (json!("next Monday"), "aaaa Aaaaaa"),
        (json!("Jan 9, 2027"), "Aaa 9, 9999"),
        (json!("09/01/27"), "99/99/99"),
        (json!("2027-02-30"), "9999-99-99"),
        (json!("2027-01-09 at noon"), "9999-99-99 aa aaaa"),
        (json!("2027-01-09T25"), "9999-99-99A99"),
        (json!("2027-01-"), "9999-99-"),
        (json!("2027-01/09"), "9999-99/99"),
        (json!("12345"), "99999"),
        (json!(46_031), "99999"),
        (json!(-5), "-9"),
        (json!(0), "9"),
        (json!("N/A"), "A/A"),
        (json!(true), "true or false"),
        (json!(["2027-01-09"]), "a list"),
        (json!({"day": 9}), "an object"),
        (json!("２０２７-01-09"), "9999-99-99"),
        (json!("0000-01-01"), "9999-99-99"),
    ] {
        let read = Date::read(&value, DateOrder::Ymd);
        assert_eq!(read, Date::Unreadable(shape.to_owned()), "{value}");
    }
    let long = Date::read_text(&"é".repeat(100), DateOrder::Ymd);
    assert_eq!(long, Date::Unreadable(format!("{}…", "a".repeat(32))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn r79_every_day_reads_back_from_every_form(days in 0_u64..60_000, tail in 0_usize..6) {
        let first = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
        let wanted = first.checked_add_days(chrono::Days::new(days)).unwrap();
        let tail = ["", "T00:00:00.000Z", "-08:00", "+13:45", " 23:59:59", "T12:00:00+02:00"][tail];
        let iso = format!("{}{tail}", wanted.format("%Y-%m-%d"));
        prop_assert_eq!(Date::read_text(&iso, DateOrder::Mdy), Date::Day(wanted));
        let digits = wanted.format("%Y%m%d").to_string();
        prop_assert_eq!(Date::read_text(&digits, DateOrder::Ymd), Date::Day(wanted));
        let dotted = wanted.format("%d.%m.%Y").to_string();
        prop_assert_eq!(Date::read_text(&dotted, DateOrder::Dmy), Date::Day(wanted));
        let slashed = wanted.format("%m/%d/%Y").to_string();
        prop_assert_eq!(Date::read_text(&slashed, DateOrder::Mdy), Date::Day(wanted));
    }

    #[test]
    fn r79_no_text_stops_the_reader_and_no_shape_shows_a_letter_of_it(text in ".{0,60}") {
        if let Date::Unreadable(shape) = Date::read_text(&text, DateOrder::Dmy) {
            prop_assert!(shape.chars().all(|letter| "9aA?… ".contains(letter) || letter.is_ascii_punctuation()));
        }
    }
}
