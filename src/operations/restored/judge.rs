//! Whether a database is an older copy of itself, pure: from what it says and what is known outside of it.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::store::installation::{Installation, Place};

/// A promotion gives a server another timeline, and so does a recovery to a point in time. A promotion goes by
/// in less than this.
const PROMOTION: Duration = Duration::from_secs(120);

/// What is known of a database outside of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its id.
    pub installation: String,
    /// The highest mark it was seen at.
    pub mark: i64,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It goes on where it was left, or is new.
    Same,
    /// It is an older copy, and how that shows.
    Restored(String),
}

/// Judges. `made` says that the row was made just now, `used_before` that the database held events already
/// although something outside tells of a database that had a row.
pub(super) fn judge(
    row: &Installation,
    made: bool,
    used_before: bool,
    known: Option<&Known>,
    place: Option<&Place>,
    now: Timestamp,
) -> Judgement {
    if used_before {
        return Judgement::Restored(
            "it was made by a version that kept no mark in it, and a later version has run on it"
                .to_owned(),
        );
    }
    // Another id: a database of its own, put where this one was. It has sent what it has sent.
    if let Some(known) = known.filter(|known| known.installation == row.id) {
        if known.mark > row.mark {
            return Judgement::Restored(format!(
                "it was last seen at mark {} and says {}: it is an older copy",
                known.mark, row.mark
            ));
        }
        return Judgement::Same;
    }
    if made {
        return Judgement::Same;
    }
    let (Some(place), Some(server), Some(timeline)) = (place, &row.server, &row.timeline) else {
        return Judgement::Same;
    };
    if *server != place.server {
        return Judgement::Restored(
            "it lies on another server, or under another number there, than it was last used on: it is a copy".to_owned(),
        );
    }
    let away = now.since(row.marked_at);
    if *timeline != place.timeline && away > PROMOTION {
        return Judgement::Restored(format!(
            "the server's timeline was {timeline} and is {}, and nobody has worked on it for {} s: it was recovered to a \
             point in time",
            place.timeline,
            away.as_secs()
        ));
    }
    Judgement::Same
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(mark: i64) -> Installation {
        Installation {
            id: "installation_1".to_owned(),
            mark,
            marked_at: Timestamp(0),
            server: Some("7/5".to_owned()),
            timeline: Some("00000001".to_owned()),
        }
    }

    fn known(installation: &str, mark: i64) -> Known {
        Known {
            installation: installation.to_owned(),
            mark,
        }
    }

    fn place(server: &str, timeline: &str) -> Place {
        Place {
            server: server.to_owned(),
            timeline: timeline.to_owned(),
        }
    }

    fn is_restored(
        row: &Installation,
        known: Option<&Known>,
        place: Option<&Place>,
        now: i64,
    ) -> bool {
        judge(row, false, false, known, place, Timestamp(now * 1_000_000)) != Judgement::Same
    }

    #[test]
    fn a_database_that_says_less_than_is_known_of_it_is_an_older_copy() {
        let id = "installation_1";
        assert!(is_restored(&row(4), Some(&known(id, 5)), None, 0));
        assert!(!is_restored(&row(5), Some(&known(id, 5)), None, 0));
        assert!(!is_restored(&row(6), Some(&known(id, 5)), None, 0));
        assert!(!is_restored(&row(4), Some(&known("another", 5)), None, 0));
        assert!(!is_restored(&row(4), None, None, 0));
    }

    #[test]
    fn a_copy_on_another_server_is_recognized() {
        assert!(is_restored(
            &row(4),
            None,
            Some(&place("8/5", "00000001")),
            0
        ));
        assert!(is_restored(
            &row(4),
            None,
            Some(&place("7/6", "00000001")),
            0
        ));
        assert!(!is_restored(
            &row(4),
            None,
            Some(&place("7/5", "00000001")),
            9_999
        ));
    }

    #[test]
    fn a_promotion_is_no_restore_and_a_recovery_to_a_point_in_time_is_one() {
        let promoted = place("7/5", "00000002");
        assert!(!is_restored(&row(4), None, Some(&promoted), 60));
        assert!(is_restored(&row(4), None, Some(&promoted), 3_600));
        let stayed = known("installation_1", 4);
        assert!(
            !is_restored(&row(4), Some(&stayed), Some(&promoted), 3_600),
            "whoever worked on it all the time knows that nothing is missing"
        );
    }

    #[test]
    fn a_database_from_before_marks_under_a_mark_of_later_is_an_older_copy() {
        let restored = judge(
            &row(0),
            true,
            true,
            Some(&known("i", 9)),
            None,
            Timestamp(0),
        );
        assert!(matches!(restored, Judgement::Restored(_)));
        assert_eq!(
            judge(&row(0), true, false, None, None, Timestamp(0)),
            Judgement::Same
        );
    }
}
