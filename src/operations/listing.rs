//! Which list a cursor belongs to. A cursor is encrypted with a key of this installation, and the list, what its
//! reader is limited to and its filters are authenticated with it: it shows no id, cannot be made up or edited,
//! and continues only the list that it was given out for. Every list is read and cut through [`Listing`].

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::store::secrets;

use super::{Actor, Cursor, OperationError, Page};

/// No list of ours gives out a longer one.
const LONGEST_CURSOR: usize = 16_384;

/// This installation's key for cursors: every process that serves the same database has the same one.
pub struct CursorKey(LessSafeKey);

impl CursorKey {
    /// From the random text that is kept. The databases make up texts of different lengths; a key has one.
    pub fn from_kept(kept: &str) -> Result<Self, OperationError> {
        UnboundKey::new(&CHACHA20_POLY1305, &Sha256::digest(kept.as_bytes()))
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| OperationError::Invalid("the key for cursors cannot be used".to_owned()))
    }

    fn load(conn: &mut Conn) -> Result<Self, OperationError> {
        let kept = secrets::find(conn, secrets::CURSOR_KEY)?;
        Self::from_kept(&kept.ok_or(diesel::result::Error::NotFound)?)
    }
}

/// One list as one reader asked for it.
#[derive(Debug, Clone)]
pub struct Listing(String);

impl Listing {
    /// The list of that name with these filters; a query's own `cursor` and `limit` are not part of them.
    pub fn of(actor: &Actor, name: &str, filters: &impl Serialize) -> Result<Self, OperationError> {
        let mut filters = serde_json::to_value(filters).map_err(|error| {
            OperationError::Invalid(format!(
                "the filters of this list cannot be written: {error}"
            ))
        })?;
        if let Value::Object(fields) = &mut filters {
            fields.retain(|name, value| !value.is_null() && name != "cursor" && name != "limit");
        }
        let reader = actor.organization_id.as_deref();
        Ok(Self(json!([name, reader, filters]).to_string()))
    }

    /// The row after which a page in order of time begins.
    pub fn cursor(
        &self,
        conn: &mut Conn,
        given: Option<&str>,
    ) -> Result<Option<Cursor>, OperationError> {
        let Some([at, id]) = self.place(conn, given)? else {
            return Ok(None);
        };
        let at = at.parse().map_err(|_| of_another_list())?;
        Ok(Some(Cursor {
            at: Timestamp(at),
            id,
        }))
    }

    /// The values that a page begins after in a list that has another order.
    pub fn place<const N: usize>(
        &self,
        conn: &mut Conn,
        given: Option<&str>,
    ) -> Result<Option<[String; N]>, OperationError> {
        let Some(given) = given else { return Ok(None) };
        let key = CursorKey::load(conn)?;
        self.open(&key, given).map(Some).ok_or_else(of_another_list)
    }

    /// A page from `limit + 1` rows: the surplus one says that there are more.
    pub fn cut<T>(
        &self,
        conn: &mut Conn,
        rows: Vec<T>,
        limit: i64,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Result<Page<T>, OperationError> {
        self.cut_at(conn, rows, limit, |row| values(cursor(row)))
    }

    /// As [`Listing::cut`], in a list that is not in order of time.
    pub fn cut_at<T, const N: usize>(
        &self,
        conn: &mut Conn,
        mut rows: Vec<T>,
        limit: i64,
        place: impl Fn(&T) -> [String; N],
    ) -> Result<Page<T>, OperationError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = match rows.last().filter(|_| more) {
            Some(last) => Some(self.seal(&CursorKey::load(conn)?, &place(last))?),
            None => None,
        };
        Ok(Page {
            data: rows,
            next_cursor,
        })
    }

    /// A cursor that continues after that row.
    pub fn after(&self, conn: &mut Conn, cursor: Cursor) -> Result<String, OperationError> {
        self.seal(&CursorKey::load(conn)?, &values(cursor))
    }

    /// Writes a cursor.
    pub fn seal(&self, key: &CursorKey, place: &[String]) -> Result<String, OperationError> {
        let mut nonce = [0_u8; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|error| {
            OperationError::Invalid(format!("the system gave no random bytes: {error}"))
        })?;
        let mut sealed = json!(place).to_string().into_bytes();
        key.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(self.0.as_bytes()),
                &mut sealed,
            )
            .map_err(|_| {
                OperationError::Invalid("the next page's cursor cannot be made".to_owned())
            })?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Reads a cursor; `None` where this list never gave it out.
    pub fn open<const N: usize>(&self, key: &CursorKey, given: &str) -> Option<[String; N]> {
        if given.len() > LONGEST_CURSOR {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(given).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.0.as_bytes());
        let place = key.0.open_in_place(nonce, aad, sealed).ok()?;
        let values: Vec<String> = serde_json::from_slice(place).ok()?;
        values.try_into().ok()
    }
}

fn values(cursor: Cursor) -> [String; 2] {
    [cursor.at.micros().to_string(), cursor.id]
}

fn of_another_list() -> OperationError {
    OperationError::Invalid(
        "the cursor does not belong to this list: pass next_cursor as it came, with the filters and the \
         organization of the page before, or leave it out to begin anew"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(actor: &Actor, name: &str, organization: &str) -> Listing {
        let filters = json!({"organization_id": organization, "cursor": "x", "limit": 3});
        Listing::of(actor, name, &filters).unwrap()
    }

    #[test]
    fn a_cursor_continues_only_its_own_list_reader_and_filters() {
        let (cli, key) = (Actor::cli(), CursorKey::from_kept("a").unwrap());
        let own = listing(&cli, "events", "org_1");
        let place = ["1".to_owned(), "org_secret".to_owned()];
        let given = own.seal(&key, &place).unwrap();
        assert_eq!(own.open(&key, &given), Some(place));
        let limited = Actor {
            organization_id: Some("org_1".to_owned()),
            ..Actor::cli()
        };
        let others = [
            listing(&cli, "jobs", "org_1"),
            listing(&cli, "events", "org_2"),
            listing(&limited, "events", "org_1"),
        ];
        for other in others {
            assert_eq!(other.open::<2>(&key, &given), None, "{other:?}");
        }
        assert_eq!(
            own.open::<2>(&CursorKey::from_kept("b").unwrap(), &given),
            None
        );
        assert_eq!(own.open::<3>(&key, &given), None);
    }

    #[test]
    fn a_cursor_shows_nothing_and_no_bit_of_it_can_be_changed() {
        let key = CursorKey::from_kept("a").unwrap();
        let own = listing(&Actor::cli(), "events", "org_1");
        let place = ["1".to_owned(), "org_secret".to_owned()];
        let given = own.seal(&key, &place).unwrap();
        assert_ne!(given, own.seal(&key, &place).unwrap());
        let bytes = URL_SAFE_NO_PAD.decode(&given).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("org_"));
        for bit in 0..bytes.len() * 8 {
            let mut edited = bytes.clone();
            edited[bit / 8] ^= 1 << (bit % 8);
            let edited = URL_SAFE_NO_PAD.encode(edited);
            assert_eq!(own.open::<2>(&key, &edited), None, "bit {bit}");
        }
        for length in 0..given.len() {
            assert_eq!(own.open::<2>(&key, &given[..length]), None, "{length}");
        }
    }
}
