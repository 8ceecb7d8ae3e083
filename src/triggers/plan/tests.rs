//! What falls due, on made-up people, clocks and zones.

use chrono::{Datelike, Duration, NaiveDate};
use chrono_tz::Tz;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::triggers::definition::Policy;

fn step(days: u64, minutes: u64, at: Option<&str>) -> Step {
    let after = format!("P{days}DT{minutes}M");
    let body = json!({
        "organization_id": "org_1", "name": "n", "on": "profile.activated",
        "steps": [{"channel": "email", "to": "person", "subject": "s", "text": "t",
                   "after": after, "at": at}],
    });
    NewTrigger::parse(&body, Policy::default())
        .unwrap()
        .steps
        .remove(0)
}

fn any_zone() -> impl Strategy<Value = Tz> {
    (0..chrono_tz::TZ_VARIANTS.len()).prop_map(|place| chrono_tz::TZ_VARIANTS[place])
}

/// Any instant from 1975 to 2045.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    (157_000_000_i64..2_366_000_000).prop_map(|seconds| Timestamp(seconds * 1_000_000))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn r60_in_every_zone_a_future_start_is_met_on_its_own_day_and_never_before_now(
        zone in any_zone(), now in any_instant(), ahead in 1_u64..400, days in 0_u64..30,
        hour in 0_u8..24, minute in 0_u8..60,
    ) {
        let settings = MessageSettings::default();
        let start = zone::days_on(zone::local(zone, now).date(), ahead);
        let at = format!("{hour:02}:{minute:02}");
        let step = step(days, 0, Some(&at));
        let due = due_at(&step, Base::Start(start), zone, &settings, now);
        prop_assert!(due > now.minus(std::time::Duration::from_secs(3_600)));
        let shown = zone::local(zone, due);
        let wanted = zone::days_on(start, days).and_hms_opt(u32::from(hour), u32::from(minute), 0).unwrap();
        // Itself, or behind the hole that the clocks left.
        prop_assert!(shown >= wanted && shown - wanted <= Duration::hours(25), "{shown} for {wanted}");
        prop_assert_eq!(moved_to(&step, start, zone, &settings, now), due.max(if days == 0 { now } else { due }));
    }

    #[test]
    fn r61_without_a_start_the_next_such_time_comes_within_the_days_said(
        zone in any_zone(), now in any_instant(), days in 0_u64..30, hour in 0_u8..24,
    ) {
        let step = step(days, 0, Some(&format!("{hour:02}:00")));
        let due = due_at(&step, Base::Now, zone, &MessageSettings::default(), now);
        prop_assert!(due >= now);
        let waited = zone::local(zone, due).date() - zone::local(zone, now).date();
        let days = i64::try_from(days).unwrap();
        prop_assert!((days..=days + 2).contains(&waited.num_days()), "{waited}");
    }

    #[test]
    fn without_a_time_of_day_an_offset_is_a_length_of_time(
        zone in any_zone(), now in any_instant(), minutes in 0_u64..1_440,
    ) {
        let due = due_at(&step(0, minutes, None), Base::Now, zone, &MessageSettings::default(), now);
        prop_assert_eq!(due, now.plus(std::time::Duration::from_secs(minutes * 60)));
    }
}

#[test]
fn r60_a_start_that_lies_behind_counts_as_today_and_one_that_is_today_is_late() {
    let settings = MessageSettings::default();
    let now = Timestamp::parse("2026-11-23T12:00:00Z").unwrap();
    let day = |day: u32| Base::Start(NaiveDate::from_ymd_opt(2026, 11, day).unwrap());
    let due = |base, days| {
        let due = due_at(&step(days, 0, Some("09:00")), base, Tz::UTC, &settings, now);
        let here = due.to_chrono();
        (here.day(), here.format("%H:%M").to_string())
    };
    assert_eq!(due(day(23), 0), (23, "12:00".to_owned()));
    assert_eq!(due(day(20), 0), (24, "09:00".to_owned()));
    assert_eq!(due(day(20), 2), (25, "09:00".to_owned()));
    assert_eq!(due(Base::Now, 0), (24, "09:00".to_owned()));
    assert_eq!(due(day(25), 2), (27, "09:00".to_owned()));
}
