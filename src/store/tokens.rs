//! API tokens as rows: a name, a role, perhaps one organization, and the SHA-256 of the token. The
//! token itself is 32 random bytes and is shown once; a slow hash would add nothing to that.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::tokens;
use crate::db::{Conn, on_backend};

/// A token's row.
#[derive(Debug, Clone, Queryable, Insertable, Selectable)]
#[diesel(table_name = tokens, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    pub role: String,
    pub organization_id: Option<String>,
    pub digest: String,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    pub sensitive: bool,
}

/// Adds a token; false when the name is taken.
pub fn create(conn: &mut Conn, row: &TokenRow) -> QueryResult<bool> {
    let added = on_backend!(conn, c => diesel::insert_into(tokens::table).values(row).on_conflict_do_nothing().execute(c))?;
    Ok(added > 0)
}

/// The live token of that digest.
pub fn by_digest(conn: &mut Conn, digest: &str) -> QueryResult<Option<TokenRow>> {
    on_backend!(conn, c => tokens::table
        .filter(tokens::digest.eq(digest))
        .filter(tokens::revoked_at.is_null())
        .first(c)
        .optional())
}

/// All tokens, newest first.
pub fn list(conn: &mut Conn) -> QueryResult<Vec<TokenRow>> {
    on_backend!(conn, c => tokens::table.order((tokens::created_at.desc(), tokens::id.desc())).load(c))
}

/// Ends a token by id or name; false when there is no live one.
pub fn revoke(conn: &mut Conn, id_or_name: &str, now: Timestamp) -> QueryResult<bool> {
    let ended = on_backend!(conn, c => diesel::update(tokens::table
        .filter(tokens::id.eq(id_or_name).or(tokens::name.eq(id_or_name)))
        .filter(tokens::revoked_at.is_null()))
        .set(tokens::revoked_at.eq(now))
        .execute(c))?;
    Ok(ended > 0)
}
