//! Keys that the installation made up for itself and keeps, so that what needs one works without
//! being configured. Several processes that start at once end with the same one.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::kept_secrets;
use crate::db::{Conn, on_backend};

/// The name under which the key of outgoing webhooks is kept.
pub const WEBHOOK_KEY: &str = "webhook";

/// The name under which the key is kept that hides whom we have erased.
pub const ERASURE_KEY: &str = "erasure";

/// The name under which is kept by what the erasure key is known again, where it lies outside of the database.
pub const ERASURE_MARK: &str = "erasure_mark";

/// The name under which the key that encrypts the cursors of lists is kept; the migration that begins them makes it.
pub const CURSOR_KEY: &str = "cursor";

/// The secret of that name, if there is one yet.
pub fn find(conn: &mut Conn, name: &str) -> QueryResult<Option<String>> {
    on_backend!(conn, c => kept_secrets::table.find(name).select(kept_secrets::value).first(c).optional())
}

/// The secret of that name; `made` becomes it where there is none yet.
pub fn keep(conn: &mut Conn, name: &str, made: &str, now: Timestamp) -> QueryResult<String> {
    on_backend!(conn, c => diesel::insert_into(kept_secrets::table)
        .values((
            kept_secrets::name.eq(name),
            kept_secrets::value.eq(made),
            kept_secrets::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    on_backend!(conn, c => kept_secrets::table.find(name).select(kept_secrets::value).first(c))
}

/// Takes a secret away.
pub fn remove(conn: &mut Conn, name: &str) -> QueryResult<()> {
    on_backend!(conn, c => diesel::delete(kept_secrets::table.find(name)).execute(c))?;
    Ok(())
}

/// The name under which the signing secret of a registered WorkOS endpoint is kept.
pub const WORKOS_ENDPOINT: &str = "workos_endpoint";

/// Keeps a secret in the place of the one there was.
pub fn replace(conn: &mut Conn, name: &str, value: &str, now: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::insert_into(kept_secrets::table)
        .values((
            kept_secrets::name.eq(name),
            kept_secrets::value.eq(value),
            kept_secrets::created_at.eq(now),
        ))
        .on_conflict(kept_secrets::name)
        .do_update()
        .set((kept_secrets::value.eq(value), kept_secrets::created_at.eq(now)))
        .execute(c))?;
    Ok(())
}
