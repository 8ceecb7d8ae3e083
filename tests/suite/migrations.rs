//! The migrations of both databases make what `db::schema` says, column by column, and the same
//! uniques and indexes; they go up, down and up again, and have the same names.

use std::collections::BTreeMap;

use diesel::sql_types::Text;
use diesel::{QueryResult, QueryableByName, RunQueryDsl};
use rollcall::db::{
    Backend, Conn, Db, DbError, migrate, migration_state, revert_all, unreadable_tables,
};

use crate::support::macros::on_both;
use crate::support::place::Place;

on_both!(
    the_migrations_make_what_the_schema_says,
    the_migrations_go_up_down_and_up,
    a_database_that_is_up_to_date_is_left_alone,
    a_database_from_before_the_first_schema_is_refused_and_left_alone,
    a_migration_that_was_edited_after_it_ran_is_recognized_and_nothing_starts_on_it,
    a_table_that_lacks_what_is_read_is_named,
    a_database_from_before_checksums_gets_them,
);

/// By table: the columns in order, as `name type null|not null`, and the primary key.
type Tables = BTreeMap<String, (Vec<String>, Vec<String>)>;

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn lines(conn: &mut Conn, sqlite: &str, postgres: &str) -> QueryResult<Vec<String>> {
    let rows: Vec<Line> = match conn {
        Conn::Sqlite(c) => diesel::sql_query(sqlite).load(c)?,
        Conn::Postgres(c) => diesel::sql_query(postgres).load(c)?,
    };
    Ok(rows.into_iter().map(|row| row.line).collect())
}

const SQLITE_COLUMNS: &str = r#"
    SELECT m.name || '|' || p.name || '|' || p.type || '|' || p."notnull" || '|' || p.pk AS line
    FROM sqlite_master m JOIN pragma_table_info(m.name) p
    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '!_!_%' ESCAPE '!'
    ORDER BY m.name, p.cid"#;

const POSTGRES_COLUMNS: &str = "
    SELECT t.relname || '|' || a.attname || '|' || upper(format_type(a.atttypid, a.atttypmod)) || '|'
        || a.attnotnull::int || '|' || coalesce(array_position(i.indkey::int[], a.attnum::int) + 1, 0) AS line
    FROM pg_class t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = t.oid AND i.indisprimary
    WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE '!_!_%' ESCAPE '!'
    ORDER BY t.relname, a.attnum";

const SQLITE_INDEXES: &str = r#"
    SELECT m.name || ' (' || (SELECT group_concat(i.name, ', ') FROM pragma_index_info(l.name) i) || ')'
        || CASE l."unique" WHEN 1 THEN ' unique' ELSE '' END
        || CASE l.partial WHEN 1 THEN ' partial' ELSE '' END AS line
    FROM sqlite_master m JOIN pragma_index_list(m.name) l
    WHERE m.type = 'table' AND l.origin != 'pk' AND m.name NOT LIKE '!_!_%' ESCAPE '!'"#;

const POSTGRES_INDEXES: &str = "
    SELECT t.relname || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.place)
            FROM unnest(i.indkey) WITH ORDINALITY k(att, place)
            JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.att) || ')'
        || CASE WHEN i.indisunique THEN ' unique' ELSE '' END
        || CASE WHEN i.indpred IS NOT NULL THEN ' partial' ELSE '' END AS line
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE NOT i.indisprimary AND t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE '!_!_%' ESCAPE '!'";

fn tables(conn: &mut Conn) -> QueryResult<Tables> {
    let mut all = Tables::new();
    let mut keys: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for line in lines(conn, SQLITE_COLUMNS, POSTGRES_COLUMNS)? {
        let parts: Vec<&str> = line.split('|').collect();
        let [table, column, kind, not_null, key] = parts[..] else {
            panic!("{line}");
        };
        let null = if not_null == "1" { "not null" } else { "null" };
        let (columns, _) = all.entry(table.to_owned()).or_default();
        columns.push(format!("{column} {kind} {null}"));
        if key != "0" {
            let place = keys.entry(table.to_owned()).or_default();
            place.insert(key.to_owned(), column.to_owned());
        }
    }
    for (table, key) in keys {
        all.entry(table).or_default().1 = key.into_values().collect();
    }
    Ok(all)
}

/// `src/db/schema.rs`, with each type in the database's own words.
fn said(backend: Backend) -> Tables {
    let kind = |diesel: &str| match (backend, diesel) {
        (_, "Text") => "TEXT",
        (Backend::Sqlite, "BigInt" | "Integer" | "Bool") => "INTEGER",
        (Backend::Postgres, "BigInt") => "BIGINT",
        (Backend::Postgres, "Integer") => "INTEGER",
        (Backend::Postgres, "Bool") => "BOOLEAN",
        (_, other) => panic!("{other} is not a type of ours"),
    };
    let source = include_str!("../../src/db/schema.rs");
    let mut all = Tables::new();
    for table in source.split("diesel::table! {").skip(1) {
        let (head, rest) = table.split_once('{').unwrap();
        let (name, key) = head.trim().split_once(" (").unwrap();
        let key = key.trim_end_matches(')').split(", ").map(str::to_owned);
        let (body, _) = rest.split_once('}').unwrap();
        let columns = body.lines().filter_map(|line| {
            let (column, diesel) = line.trim().trim_end_matches(',').split_once(" -> ")?;
            let inner = diesel
                .strip_prefix("Nullable<")
                .and_then(|rest| rest.strip_suffix('>'));
            let null = if inner.is_some() { "null" } else { "not null" };
            Some(format!("{column} {} {null}", kind(inner.unwrap_or(diesel))))
        });
        all.insert(name.trim().to_owned(), (columns.collect(), key.collect()));
    }
    all
}

/// A database that no migration has run on.
fn open(backend: Backend) -> (Place, Db) {
    let place = Place::empty(backend);
    let db = Db::open(&place.url(), 2).unwrap();
    (place, db)
}

async fn the_migrations_make_what_the_schema_says(backend: Backend) {
    let (_place, db) = open(backend);
    db.maintain(migrate).unwrap();
    let made = db.maintain(|conn| Ok::<_, DbError>(tables(conn)?)).unwrap();
    let said = said(backend);
    assert!(said.len() > 10, "the schema could not be read");
    for (table, is) in &made {
        assert_eq!(Some(is), said.get(table), "{table}");
    }
    assert_eq!(
        made.keys().collect::<Vec<_>>(),
        said.keys().collect::<Vec<_>>()
    );
}

async fn the_migrations_go_up_down_and_up(backend: Backend) {
    let (_place, db) = open(backend);
    let seen = || {
        let both = |conn: &mut Conn| {
            let mut indexes = lines(conn, SQLITE_INDEXES, POSTGRES_INDEXES)?;
            indexes.sort();
            Ok::<_, DbError>((tables(conn)?, indexes))
        };
        db.maintain(both).unwrap()
    };
    db.maintain(migrate).unwrap();
    let up = seen();
    db.maintain(revert_all).unwrap();
    assert_eq!(seen(), (Tables::new(), Vec::new()), "nothing is left");
    db.maintain(migrate).unwrap();
    assert_eq!(seen(), up);
}

async fn a_database_that_is_up_to_date_is_left_alone(backend: Backend) {
    let (_place, db) = open(backend);
    assert!(!db.maintain(migrate).unwrap().is_empty());
    assert_eq!(db.maintain(migrate).unwrap(), Vec::<String>::new());
    let state = db.maintain(migration_state).unwrap();
    assert_eq!((state.pending, state.unknown), (vec![], vec![]));
}

async fn a_database_from_before_the_first_schema_is_refused_and_left_alone(backend: Backend) {
    let (_place, db) = open(backend);
    db.maintain(migrate).unwrap();
    execute(
        &db,
        "UPDATE __diesel_schema_migrations SET version = '20261123000001'",
    );
    let refused = db.maintain(migrate).unwrap_err().to_string();
    assert!(refused.contains("start with a new database"), "{refused}");
    execute(
        &db,
        "UPDATE __diesel_schema_migrations SET version = '20991231000001'",
    );
    let refused = db.maintain(migrate).unwrap_err().to_string();
    assert!(refused.contains("newer Rollcall"), "{refused}");
}

fn execute(db: &Db, statement: &str) {
    db.maintain(|conn| {
        match conn {
            Conn::Sqlite(c) => diesel::sql_query(statement).execute(c)?,
            Conn::Postgres(c) => diesel::sql_query(statement).execute(c)?,
        };
        Ok::<_, DbError>(())
    })
    .unwrap();
}

async fn a_migration_that_was_edited_after_it_ran_is_recognized_and_nothing_starts_on_it(
    backend: Backend,
) {
    let (_place, db) = open(backend);
    db.maintain(migrate).unwrap();
    execute(
        &db,
        "UPDATE __rollcall_migration_checksums SET checksum = 'another' WHERE version = '20261201000001'",
    );
    let state = db.maintain(migration_state).unwrap();
    assert_eq!(state.edited, ["20261201000001"]);
    let refused = db.maintain(migrate).unwrap_err().to_string();
    assert!(
        refused.contains("20261201000001") && refused.contains("another text"),
        "{refused}"
    );
}

async fn a_table_that_lacks_what_is_read_is_named(backend: Backend) {
    let (_place, db) = open(backend);
    db.maintain(migrate).unwrap();
    let seen = || db.maintain(unreadable_tables).unwrap();
    assert_eq!(seen(), Vec::<&str>::new());
    for table in said(backend).keys() {
        execute(&db, &format!("ALTER TABLE {table} RENAME TO elsewhere"));
        assert_eq!(seen(), [table.as_str()], "each table is looked at");
        if table == "profiles" {
            let refused = db.maintain(migrate).unwrap_err().to_string();
            assert!(refused.contains("profiles"), "{refused}");
        }
        execute(&db, &format!("ALTER TABLE elsewhere RENAME TO {table}"));
    }
    execute(&db, "ALTER TABLE jobs RENAME COLUMN kind TO sort");
    assert_eq!(seen(), ["jobs"], "a column, too");
}

async fn a_database_from_before_checksums_gets_them(backend: Backend) {
    let (_place, db) = open(backend);
    db.maintain(migrate).unwrap();
    execute(&db, "DROP TABLE __rollcall_migration_checksums");
    assert!(db.maintain(migration_state).unwrap().edited.is_empty());
    db.maintain(migrate).unwrap();
    execute(
        &db,
        "UPDATE __rollcall_migration_checksums SET checksum = 'another'",
    );
    let edited = db.maintain(migration_state).unwrap().edited;
    assert_eq!(edited, ["20261201000001"]);
}

#[test]
fn both_databases_have_the_same_uniques_and_indexes_but_one() {
    let of = |backend| {
        let (_place, db) = open(backend);
        db.maintain(migrate).unwrap();
        let found =
            |conn: &mut Conn| Ok::<_, DbError>(lines(conn, SQLITE_INDEXES, POSTGRES_INDEXES)?);
        let mut all = db.maintain(found).unwrap();
        all.sort();
        all
    };
    // On SQLite there is one writer, so the claim needs no part.
    let mut expected: Vec<String> = of(Backend::Sqlite)
        .into_iter()
        .map(|index| {
            index.replace(
                "outbox (lane, id) partial",
                "outbox (part, lane, id) partial",
            )
        })
        .collect();
    expected.sort();
    assert_eq!(of(Backend::Postgres), expected);
}

#[test]
fn both_databases_have_migrations_of_the_same_names_each_with_a_way_back() {
    let names = |folder: &str| {
        let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut names: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        for name in &names {
            for way in ["up", "down"] {
                let text = std::fs::read_to_string(format!("{folder}/{name}/{way}.sql")).unwrap();
                assert!(!text.trim().is_empty(), "{name}/{way}.sql is empty");
            }
        }
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}

#[test]
fn partial_indexes_are_about_the_same_rows() {
    let partial = |folder: &str| {
        let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path().join("up.sql")).unwrap();
            for line in text.lines().filter(|line| line.starts_with("CREATE ")) {
                if let Some((head, rows)) = line.split_once(" WHERE ") {
                    let name = head.split(" ON ").next().unwrap();
                    found.push((name.to_owned(), rows.to_owned()));
                }
            }
        }
        found.sort();
        found
    };
    assert!(!partial("sqlite").is_empty());
    assert_eq!(partial("sqlite"), partial("postgres"));
}
