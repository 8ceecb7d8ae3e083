//! Local time (R61), pure: whose zone counts, what instant a time of day there is on either side of
//! a clock change, and when the quiet hours end. A local time that does not exist becomes the next
//! minute that does; of one that comes twice, the first counts.

use chrono::{Duration, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use serde_json::Value;

use crate::clock::{Date, DateOrder, Timestamp};
use crate::domain::{MessageSettings, QuietHours};

use super::when::LocalTime;

/// No clock change skips more than a day and an hour: Samoa left out a whole day in 2011.
const LONGEST_GAP_MINUTES: i64 = 25 * 60;

/// An IANA zone by name.
pub fn named(name: &str) -> Option<Tz> {
    name.trim().parse().ok()
}

/// The zone of a person: their own attribute, else that of their first community that has one, else
/// the organization's. A name that is not known counts as none (R61).
pub fn of_person(settings: &MessageSettings, profile: &Value, communities: &[String]) -> Tz {
    let own = profile
        .get("attributes")
        .and_then(|all| all.get(&settings.timezone_attribute))
        .and_then(Value::as_str)
        .and_then(named);
    let shared = || {
        let zones = communities.iter().filter_map(|id| {
            let name = settings.community_timezones.get(id)?;
            named(name)
        });
        zones.into_iter().next()
    };
    own.or_else(shared)
        .or_else(|| named(&settings.timezone))
        .unwrap_or(Tz::UTC)
}

/// What clock and calendar there say.
pub fn local(zone: Tz, at: Timestamp) -> NaiveDateTime {
    at.to_chrono().with_timezone(&zone).naive_local()
}

/// The instant of a time of day on a day there.
pub fn instant(zone: Tz, day: NaiveDate, time: LocalTime) -> Timestamp {
    let wanted = day
        .and_hms_opt(u32::from(time.hour), u32::from(time.minute), 0)
        .unwrap_or_default();
    for minutes in 0..=LONGEST_GAP_MINUTES {
        let candidate = wanted + Duration::minutes(minutes);
        if let Some(found) = zone.from_local_datetime(&candidate).earliest() {
            return Timestamp(found.timestamp_micros());
        }
    }
    Timestamp(wanted.and_utc().timestamp_micros())
}

/// So many days on; the calendar's last day where it ends.
pub fn days_on(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_add_days(chrono::Days::new(days))
        .unwrap_or(NaiveDate::MAX)
}

/// The day in a start date, whatever time and zone stand behind it: `2021-06-27T12:00:00.000Z` is
/// 27 June everywhere (R61). What a profile has was read by the organization's own date order before.
pub fn day(text: &str) -> Option<NaiveDate> {
    Date::read_text(text, DateOrder::Ymd).day()
}

/// The first start date that is greeted after messaging was turned on (R57), by the organization's own zone.
pub fn first_greeted(
    settings: &MessageSettings,
    messaging_enabled_at: Timestamp,
) -> Option<NaiveDate> {
    let zone = named(&settings.timezone).unwrap_or(Tz::UTC);
    first_greeted_in(settings, zone, messaging_enabled_at)
}

/// The same, where a person is.
pub fn first_greeted_in(
    settings: &MessageSettings,
    zone: Tz,
    messaging_enabled_at: Timestamp,
) -> Option<NaiveDate> {
    let grace = chrono::Days::new(u64::from(settings.grace_days));
    local(zone, messaging_enabled_at)
        .date()
        .checked_sub_days(grace)
}

/// When the quiet hours that hold at this instant are over; `None` where it is not quiet.
pub fn quiet_until(hours: &QuietHours, zone: Tz, now: Timestamp) -> Option<Timestamp> {
    let (from, to) = (
        LocalTime::parse(&hours.from).ok()?,
        LocalTime::parse(&hours.to).ok()?,
    );
    let here = local(zone, now);
    let clock = LocalTime::of(here.time());
    let quiet = if from <= to {
        from <= clock && clock < to
    } else {
        clock >= from || clock < to
    };
    if !quiet {
        return None;
    }
    let end = instant(zone, here.date(), to);
    Some(if end > now {
        end
    } else {
        instant(zone, days_on(here.date(), 1), to)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Timelike;
    use proptest::prelude::*;
    use serde_json::json;

    fn at(text: &str) -> LocalTime {
        LocalTime::parse(text).unwrap()
    }

    fn date(text: &str) -> NaiveDate {
        day(text).unwrap()
    }

    fn instant_in(zone: &str, day: &str, time: &str) -> String {
        instant(named(zone).unwrap(), date(day), at(time)).to_string()
    }

    #[test]
    fn r61_a_time_that_the_clocks_skip_is_the_next_minute_that_exists() {
        // Berlin goes from 02:00 to 03:00 on the last Sunday of March.
        assert_eq!(
            instant_in("Europe/Berlin", "2026-03-29", "02:30"),
            "2026-03-29T01:00:00.000Z"
        );
        assert_eq!(
            instant_in("Europe/Berlin", "2026-03-29", "03:00"),
            "2026-03-29T01:00:00.000Z"
        );
        // Half an hour on Lord Howe; midnight itself in Beirut; a whole day in Samoa.
        assert_eq!(
            instant_in("Australia/Lord_Howe", "2026-10-04", "02:15"),
            "2026-10-03T15:30:00.000Z"
        );
        assert_eq!(
            instant_in("Asia/Beirut", "2026-03-29", "00:00"),
            "2026-03-28T22:00:00.000Z"
        );
        assert_eq!(
            instant_in("Pacific/Apia", "2011-12-30", "09:00"),
            "2011-12-30T10:00:00.000Z"
        );
    }

    #[test]
    fn r61_of_a_time_that_comes_twice_the_first_counts() {
        assert_eq!(
            instant_in("Europe/Berlin", "2026-10-25", "02:30"),
            "2026-10-25T00:30:00.000Z"
        );
        assert_eq!(
            instant_in("America/New_York", "2026-11-01", "01:30"),
            "2026-11-01T05:30:00.000Z"
        );
    }

    #[test]
    fn r61_a_start_date_is_the_same_day_everywhere() {
        for text in [
            "2021-06-27T12:00:00.000Z",
            "2021-06-27",
            "2021-06-27T23:59:59+14:00",
        ] {
            assert_eq!(day(text), NaiveDate::from_ymd_opt(2021, 6, 27), "{text}");
        }
        for text in ["", "27.06.2021", "soon", "2021-13-40", "2021-06-2é7"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn r61_an_unknown_zone_is_the_communitys_and_then_the_organizations() {
        let settings = MessageSettings {
            timezone: "Europe/Berlin".to_owned(),
            community_timezones: [("c1".to_owned(), "Asia/Tokyo".to_owned())].into(),
            ..MessageSettings::default()
        };
        let person = |zone: &str| json!({ "attributes": { "timezone": zone } });
        let of = |zone: &str, communities: &[String]| {
            of_person(&settings, &person(zone), communities).name()
        };
        let c1 = ["c0".to_owned(), "c1".to_owned()];
        assert_eq!(of("America/Lima", &c1), "America/Lima");
        assert_eq!(of("Middle/Earth", &c1), "Asia/Tokyo");
        assert_eq!(of("Middle/Earth", &[]), "Europe/Berlin");
        assert_eq!(
            of_person(&settings, &json!({}), &[]).name(),
            "Europe/Berlin"
        );
    }

    #[test]
    fn quiet_hours_end_in_the_morning_there() {
        let hours = QuietHours {
            from: "20:00".to_owned(),
            to: "07:30".to_owned(),
        };
        let berlin = named("Europe/Berlin").unwrap();
        let until = |text: &str| {
            quiet_until(&hours, berlin, Timestamp::parse(text).unwrap()).map(|at| at.to_string())
        };
        let morning = Some("2026-11-24T06:30:00.000Z".to_owned());
        assert_eq!(until("2026-11-23T19:00:00Z"), morning);
        assert_eq!(until("2026-11-24T05:00:00Z"), morning);
        assert_eq!(until("2026-11-24T06:30:00Z"), None);
        assert_eq!(until("2026-11-23T18:59:00Z"), None);
    }

    fn any_zone() -> impl Strategy<Value = Tz> {
        (0..chrono_tz::TZ_VARIANTS.len()).prop_map(|place| chrono_tz::TZ_VARIANTS[place])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn r61_in_every_zone_on_every_day_a_time_is_itself_or_the_next_that_exists(
            zone in any_zone(), days in 0_u64..25_000, minute in 0_u16..1_440,
        ) {
            let first = NaiveDate::from_ymd_opt(1970, 1, 5).unwrap();
            let day = days_on(first, days);
            let time = LocalTime { hour: (minute / 60) as u8, minute: (minute % 60) as u8 };
            let wanted = day.and_hms_opt(u32::from(time.hour), u32::from(time.minute), 0).unwrap();
            let found = instant(zone, day, time);
            let shown = local(zone, found);
            if zone.from_local_datetime(&wanted).earliest().is_some() {
                prop_assert_eq!(shown, wanted);
                // The first of two: no earlier instant of the last hours shows the same clock.
                for back in 1..=180 {
                    let earlier = Timestamp(found.micros() - back * 60_000_000);
                    prop_assert!(local(zone, earlier) != wanted, "it came before");
                }
            } else {
                prop_assert!(shown > wanted);
                prop_assert_eq!(shown.second(), 0);
                let before = shown - Duration::minutes(1);
                prop_assert!(zone.from_local_datetime(&before).earliest().is_none(), "an earlier minute exists");
            }
        }
    }
}
