//! Whom we have erased, known by keyed hashes only (R65): whoever holds the database without the key
//! cannot ask it about anybody, and a late or replayed event finds that it is not to be heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use diesel::prelude::*;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::clock::Timestamp;
use crate::db::schema::{erasures, link_keys, links};
use crate::db::{Conn, ROWS_PER_STATEMENT, on_backend};
use crate::domain::erasure::Tombstone;
use crate::domain::idp_key;
use crate::workos::provider_user;

use super::secrets;

/// The key under which ids are hashed; made when somebody is erased for the first time.
#[derive(Clone)]
pub struct ErasureKey(Hmac<Sha256>);

impl std::fmt::Debug for ErasureKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ErasureKey(…)")
    }
}

impl ErasureKey {
    /// The key of that secret.
    pub fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// The hash of a directory user's id. It stands in the id's place wherever one is still needed.
    pub fn of_user(&self, user: &str) -> String {
        self.hash(&format!("user\0{user}"))
    }

    /// The hash of a provider's id in its directory.
    pub fn of_idp(&self, directory: &str, idp_id: &str) -> String {
        self.hash(&format!("idp\0{directory}\0{idp_id}"))
    }

    /// Both hashes of a directory user.
    pub fn of(&self, user: &str, directory: &str, idp_id: Option<&str>) -> Vec<String> {
        let mut keys = vec![self.of_user(user)];
        // A placeholder is nobody's id: it must not silence words about others (R86).
        let idp_id = idp_id.filter(|id| idp_key(id).is_some());
        keys.extend(idp_id.map(|idp_id| self.of_idp(directory, idp_id)));
        keys
    }

    /// By what the key is known again without being told.
    pub fn mark(&self) -> String {
        self.hash("mark")
    }

    fn hash(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        format!("erased_{}", hex::encode(mac.finalize().into_bytes()))
    }
}

/// The key that this process was configured with. A global, since it is one for each process like the
/// database: every road that hashes an id would have to carry it otherwise.
static CONFIGURED: OnceLock<ErasureKey> = OnceLock::new();

/// Uses that key from now on, in the place of one in the database.
pub fn configure(key: ErasureKey) {
    // A second time in one process it is the same one.
    let _ = CONFIGURED.set(key);
}

/// The installation's key; `None` while nobody was ever erased and none is configured.
pub fn key(conn: &mut Conn) -> QueryResult<Option<ErasureKey>> {
    if let Some(key) = CONFIGURED.get() {
        return Ok(Some(key.clone()));
    }
    Ok(secrets::find(conn, secrets::ERASURE_KEY)?.and_then(|secret| ErasureKey::new(&secret)))
}

/// One hash of one erased profile.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = erasures, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct NewErasure {
    pub key: String,
    pub profile_id: String,
    pub organization_id: String,
    pub of_user: bool,
    pub erased_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

/// Notes who was erased.
pub fn add(conn: &mut Conn, all: &[NewErasure]) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(erasures::table).values(all).on_conflict_do_nothing().execute(c))?;
    Ok(())
}

/// The tombstones under the given hashes.
pub fn load(
    conn: &mut Conn,
    keys: &BTreeSet<String>,
) -> QueryResult<BTreeMap<String, Vec<Tombstone>>> {
    let keys: Vec<&String> = keys.iter().collect();
    let mut found: BTreeMap<String, Vec<Tombstone>> = BTreeMap::new();
    for chunk in keys.chunks(ROWS_PER_STATEMENT) {
        let rows: Vec<(String, String, Timestamp, Option<Timestamp>)> = on_backend!(conn, c => erasures::table
            .filter(erasures::key.eq_any(chunk.iter().copied()))
            .select((erasures::key, erasures::profile_id, erasures::erased_at, erasures::ended_at))
            .load(c))?;
        for (key, profile_id, erased_at, ended_at) in rows {
            found.entry(key).or_default().push(Tombstone {
                profile_id,
                erased_at,
                ended_at,
            });
        }
    }
    Ok(found)
}

/// Notes that the directory had let somebody go by then.
pub fn end(conn: &mut Conn, profile: &str, at: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(erasures::table
        .filter(erasures::profile_id.eq(profile))
        .filter(erasures::ended_at.is_null().or(erasures::ended_at.lt(at))))
        .set(erasures::ended_at.eq(at))
        .execute(c))?;
    Ok(())
}

/// Under which names events speak of somebody: their directory users, and what stands in the place
/// of those that were erased.
pub fn subjects_of(conn: &mut Conn, profile: &str) -> QueryResult<Vec<String>> {
    let held: Vec<(String, String, Option<String>)> = on_backend!(conn, c => links::table
        .filter(links::profile_id.eq(profile))
        .select((links::directory_user_id, links::directory_id, links::idp_id))
        .load(c))?;
    let mut all = Vec::new();
    for (user, directory, idp_id) in held {
        // Membership events may name them by the provider's id alone (R95).
        all.extend(idp_id.map(|id| provider_user(&directory, &id)));
        all.push(user);
    }
    let erased: Vec<String> = on_backend!(conn, c => erasures::table
        .filter(erasures::profile_id.eq(profile))
        .filter(erasures::of_user.eq(true))
        .select(erasures::key)
        .load(c))?;
    all.extend(erased);
    Ok(all)
}

/// The directory users there are of those with these ids, or with these provider's ids in their
/// organizations: directory user, directory, provider's id.
pub fn present(
    conn: &mut Conn,
    users: &[String],
    idp_ids: &BTreeSet<(String, String)>,
) -> QueryResult<Vec<(String, String, Option<String>)>> {
    let columns = (links::directory_user_id, links::directory_id, links::idp_id);
    let mut all: Vec<(String, String, Option<String>)> = on_backend!(conn, c => links::table
        .filter(links::directory_user_id.eq_any(users))
        .select(columns)
        .load(c))?;
    for (organization, idp_id) in idp_ids {
        let Some(key) = idp_key(idp_id) else { continue };
        let some: Vec<(String, String, Option<String>)> = on_backend!(conn, c => links::table
            .inner_join(link_keys::table.on(link_keys::directory_user_id.eq(links::directory_user_id)))
            .filter(link_keys::organization_id.eq(organization))
            .filter(link_keys::key.eq(key))
            .select(columns)
            .load(c))?;
        all.extend(some);
    }
    Ok(all)
}
