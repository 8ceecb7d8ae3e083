//! Whether a word about somebody who was erased may be heard (R65). What is older than the erasure
//! never is. While the directory still lists them, its updates are not either; once it has let them
//! go, only their coming is: as somebody new, of whom nothing is remembered. Pure.

use crate::clock::Timestamp;

/// That somebody was erased, and until when words about them are not heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// The profile that was erased.
    pub profile_id: String,
    /// When; never before the newest word that was known of them.
    pub erased_at: Timestamp,
    /// When the directory let them go; `None` while it lists them.
    pub ended_at: Option<Timestamp>,
}

/// What a word about somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// They are active, or join a group.
    Comes,
    /// They are inactive or deleted.
    Goes,
    /// Anything else.
    Speaks,
}

/// What becomes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It is heard.
    Heard,
    /// Nothing is kept of it.
    Dropped,
    /// Nothing is kept of it but that they were gone by then.
    Ends,
}

impl Tombstone {
    /// What becomes of a word said at `at`. `returned`: somebody of the same ids has come since.
    pub fn rule(&self, at: Timestamp, word: Word, returned: bool) -> Ruling {
        let heard_after = self.ended_at.map(|ended| ended.max(self.erased_at));
        match (heard_after, word) {
            _ if at <= self.erased_at => Ruling::Dropped,
            (None, Word::Goes) => Ruling::Ends,
            (None, _) => Ruling::Dropped,
            (Some(end), _) if at <= end => Ruling::Dropped,
            (Some(_), _) if returned => Ruling::Heard,
            (Some(_), Word::Comes) => Ruling::Heard,
            // An older coming that arrives later must find that they had gone again.
            (Some(_), Word::Goes) => Ruling::Ends,
            (Some(_), Word::Speaks) => Ruling::Dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stone(ended_at: Option<i64>) -> Tombstone {
        Tombstone {
            profile_id: "profile_1".to_owned(),
            erased_at: Timestamp(100),
            ended_at: ended_at.map(Timestamp),
        }
    }

    #[test]
    fn r65_what_is_older_than_the_erasure_is_never_heard() {
        for word in [Word::Comes, Word::Goes, Word::Speaks] {
            for returned in [false, true] {
                let ruling = stone(Some(100)).rule(Timestamp(100), word, returned);
                assert_eq!(ruling, Ruling::Dropped);
            }
        }
    }

    #[test]
    fn r65_while_the_directory_lists_them_its_updates_bring_nobody_back() {
        let listed = stone(None);
        assert_eq!(
            listed.rule(Timestamp(200), Word::Comes, false),
            Ruling::Dropped
        );
        assert_eq!(listed.rule(Timestamp(200), Word::Goes, false), Ruling::Ends);
    }

    #[test]
    fn r65_once_they_are_gone_only_a_newer_coming_is_heard_and_then_everything() {
        let gone = stone(Some(150));
        assert_eq!(
            gone.rule(Timestamp(150), Word::Comes, false),
            Ruling::Dropped
        );
        assert_eq!(
            gone.rule(Timestamp(151), Word::Speaks, false),
            Ruling::Dropped
        );
        assert_eq!(gone.rule(Timestamp(151), Word::Goes, false), Ruling::Ends);
        assert_eq!(gone.rule(Timestamp(151), Word::Comes, false), Ruling::Heard);
        assert_eq!(gone.rule(Timestamp(152), Word::Goes, true), Ruling::Heard);
    }
}
