//! Looking at the roll as it is kept: people, their changes and communities, and every row of every
//! table, for tests that say "nothing changed".

use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Text};
use diesel::{QueryableByName, RunQueryDsl};
use rollcall::db::Conn;
use rollcall::domain::{Membership, Role, Source};
use rollcall::store::changes::{self, ChangeRow};
use rollcall::store::communities::{self, Community, MemberRow};
use rollcall::store::profiles::{self, ProfileFilter, ProfileRow};

use super::app::TestApp;
use super::events::{Employee, ORGANIZATION};

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

impl TestApp {
    /// Everybody under somebody's address.
    pub fn profiles(&self, of: &Employee) -> Vec<ProfileRow> {
        self.read(|conn| profiles::by_email(conn, &of.organization, &of.email()))
    }

    /// The one profile under somebody's address.
    pub fn profile(&self, of: &Employee) -> ProfileRow {
        let mut all = self.profiles(of);
        assert_eq!(all.len(), 1, "profiles under {}", of.email());
        all.remove(0)
    }

    /// The addresses in People: who is active, in order.
    pub fn people(&self) -> Vec<String> {
        let filter = ProfileFilter {
            organization_id: Some(ORGANIZATION.to_owned()),
            status: Some("active".to_owned()),
            ..ProfileFilter::default()
        };
        let rows = self.read(|conn| profiles::list(conn, &filter, 10_000));
        let mut all: Vec<String> = rows.into_iter().filter_map(|row| row.email).collect();
        all.sort();
        all
    }

    /// A person's changes, oldest first.
    pub fn history(&self, profile: &str) -> Vec<ChangeRow> {
        self.read(|conn| changes::of_profile(conn, profile))
    }

    /// A community with these people in it.
    pub fn community(&self, name: &str, members: &[(&str, Role)]) -> String {
        let now = self.clock.now();
        let one = Community {
            id: format!("community_{name}"),
            organization_id: ORGANIZATION.to_owned(),
            name: name.to_owned(),
            rules: "[]".to_owned(),
            created_at: now,
            updated_at: now,
            orphaned_at: None,
        };
        let rows: Vec<(String, Membership)> = members
            .iter()
            .map(|(profile, role)| {
                let membership = Membership {
                    community_id: one.id.clone(),
                    profile_id: (*profile).to_owned(),
                    source: Source::Manual,
                    role: *role,
                    given_for: None,
                    former_role: None,
                    stand_in: None,
                    granted_at: now,
                    ended_at: None,
                    ended_reason: None,
                };
                (ORGANIZATION.to_owned(), membership)
            })
            .collect();
        assert!(self.write(|conn| communities::create(conn, &one)));
        self.write(|conn| communities::save_memberships(conn, &rows));
        one.id
    }

    /// Who is in a community now.
    pub fn members(&self, community: &str) -> Vec<MemberRow> {
        self.read(|conn| communities::members(conn, community))
    }

    /// Runs a statement by hand.
    pub fn sql(&self, sql: &str) -> usize {
        self.write(|conn| match conn {
            Conn::Sqlite(c) => diesel::sql_query(sql).execute(c),
            Conn::Postgres(c) => diesel::sql_query(sql).execute(c),
        })
    }

    /// `SELECT count(*)` of what follows.
    pub fn count(&self, from: &str) -> i64 {
        let sql = format!("SELECT count(*) AS n FROM {from}");
        let row: Count = self.read(|conn| match conn {
            Conn::Sqlite(c) => diesel::sql_query(&sql).get_result(c),
            Conn::Postgres(c) => diesel::sql_query(&sql).get_result(c),
        });
        row.n
    }

    /// Rows of one text column, `line`, as the query orders them.
    pub fn lines(&self, sql: &str) -> Vec<String> {
        let rows: Vec<Line> = self.read(|conn| match conn {
            Conn::Sqlite(c) => diesel::sql_query(sql).load(c),
            Conn::Postgres(c) => diesel::sql_query(sql).load(c),
        });
        rows.into_iter().map(|row| row.line).collect()
    }

    /// Every row of every table but `processes`, as text.
    pub fn dump(&self) -> BTreeMap<String, Vec<String>> {
        let lines = |conn: &mut Conn, sql: &str| -> diesel::QueryResult<Vec<String>> {
            let rows: Vec<Line> = match conn {
                Conn::Sqlite(c) => diesel::sql_query(sql).load(c)?,
                Conn::Postgres(c) => diesel::sql_query(sql).load(c)?,
            };
            Ok(rows.into_iter().map(|row| row.line).collect())
        };
        self.read(|conn| {
            let tables = match conn {
                Conn::Sqlite(_) => "SELECT name AS line FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                Conn::Postgres(_) => "SELECT tablename::text AS line FROM pg_tables WHERE schemaname = 'public'",
            };
            let mut all = BTreeMap::new();
            for table in lines(conn, tables)? {
                if ["processes", "installation", "webhook_secret_uses", "console_sessions"].contains(&table.as_str()) {
                    continue;
                }
                let rows = match conn {
                    Conn::Sqlite(_) => {
                        let columns = lines(conn, &format!("SELECT name AS line FROM pragma_table_info('{table}')"))?;
                        format!("SELECT json_array({}) AS line FROM {table} ORDER BY 1", columns.join(", "))
                    }
                    Conn::Postgres(_) => format!("SELECT row_to_json(t)::text AS line FROM {table} t ORDER BY 1"),
                };
                let rows = lines(conn, &rows)?;
                all.insert(table, rows);
            }
            Ok(all)
        })
    }
}
