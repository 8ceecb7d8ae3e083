//! When a step is due, pure: from now or from the start day, at the person's own clock (R60, R61).

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::clock::Timestamp;
use crate::domain::MessageSettings;
use crate::triggers::definition::Step;
use crate::triggers::when::LocalTime;
use crate::triggers::zone;

/// What a step's time counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// What happened, now.
    Now,
    /// The day on which somebody starts.
    Start(NaiveDate),
}

/// Nine in the morning, where the setting cannot be read.
const NINE: LocalTime = LocalTime { hour: 9, minute: 0 };

/// When the step is due. With a time of day, whole days are calendar days at the person's place. A
/// start that lies behind counts as today, so that a late entry gets its steps one after another.
pub fn due_at(
    step: &Step,
    base: Base,
    zone: Tz,
    settings: &MessageSettings,
    now: Timestamp,
) -> Timestamp {
    let today = zone::local(zone, now).date();
    let (days, rest) = step.after.days_and_rest();
    match base {
        Base::Start(start) if start > today => {
            let usual = LocalTime::parse(&settings.send_time).unwrap_or(NINE);
            let day = zone::days_on(start, days);
            zone::instant(zone, day, step.at.unwrap_or(usual)).plus(rest)
        }
        _ => {
            let Some(at) = step.at else {
                return now.plus(step.after.duration());
            };
            let due = zone::instant(zone, zone::days_on(today, days), at);
            if due >= now {
                due
            } else if base == Base::Start(today) {
                // Their first day, and the hour has passed: late is better than tomorrow (R62).
                now
            } else {
                zone::instant(zone, zone::days_on(today, days + 1), at)
            }
        }
    }
}

/// When the step is due once the start has moved to that day (R60). What would lie behind is due now
/// on the first day; a later step keeps its past time, and is skipped as too late (R62).
pub fn moved_to(
    step: &Step,
    start: NaiveDate,
    zone: Tz,
    settings: &MessageSettings,
    now: Timestamp,
) -> Timestamp {
    let (days, rest) = step.after.days_and_rest();
    let usual = LocalTime::parse(&settings.send_time).unwrap_or(NINE);
    let day = zone::days_on(start, days);
    let due = zone::instant(zone, day, step.at.unwrap_or(usual)).plus(rest);
    if step.is_of_first_day() {
        due.max(now)
    } else {
        due
    }
}

impl Step {
    /// Whether it belongs to the first day; later ones are the drip.
    pub fn is_of_first_day(&self) -> bool {
        self.after.days_and_rest().0 == 0
    }
}
