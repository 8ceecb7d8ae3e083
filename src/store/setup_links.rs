//! Set-up links that were opened: when and by whom, never the link.

use diesel::prelude::*;

use crate::clock::Timestamp;
use crate::db::schema::setup_links;
use crate::db::{Conn, on_backend};

/// The link that was opened last for an organization.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = setup_links, treat_none_as_default_value = false)]
#[allow(missing_docs, reason = "the columns are described in the migrations")]
pub struct SetupLink {
    pub organization_id: String,
    pub opened_at: Timestamp,
    pub opened_by: String,
    pub revoked_at: Option<Timestamp>,
}

/// Notes that one was opened.
pub fn opened(conn: &mut Conn, organization: &str, by: &str, now: Timestamp) -> QueryResult<()> {
    let row = SetupLink {
        organization_id: organization.to_owned(),
        opened_at: now,
        opened_by: by.to_owned(),
        revoked_at: None,
    };
    on_backend!(conn, c => diesel::insert_into(setup_links::table)
        .values(&row)
        .on_conflict(setup_links::organization_id)
        .do_update()
        .set((
            setup_links::opened_at.eq(now),
            setup_links::opened_by.eq(by),
            setup_links::revoked_at.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    Ok(())
}

/// Notes that those of an organization were revoked.
pub fn revoked(conn: &mut Conn, organization: &str, now: Timestamp) -> QueryResult<()> {
    on_backend!(conn, c => diesel::update(setup_links::table.find(organization))
        .set(setup_links::revoked_at.eq(now))
        .execute(c))?;
    Ok(())
}

/// The one that was opened last.
pub fn find(conn: &mut Conn, organization: &str) -> QueryResult<Option<SetupLink>> {
    on_backend!(conn, c => setup_links::table.find(organization).first(c).optional())
}
