//! Codes of each class, got from real databases: that they can still be read is what the pin of Diesel
//! in `Cargo.toml` rests on.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::*;

fn told(result: QueryResult<()>) -> (Option<String>, Fault) {
    let error = DbError::Query(result.unwrap_err());
    (error.code(), error.fault())
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = Integer)]
    #[allow(dead_code)]
    n: i32,
}

fn select(conn: &mut SqliteConnection, sql: &str) -> QueryResult<()> {
    diesel::sql_query(sql).load::<Number>(conn).map(drop)
}

#[test]
fn r92_sqlstate_decides_whose_fault_it_is() {
    let cases = [
        ("57014", Fault::Contention),
        ("55P03", Fault::Contention),
        ("40P01", Fault::Deadlock),
        ("40001", Fault::Deadlock),
        ("57P01", Fault::Away),
        ("57P03", Fault::Away),
        ("53100", Fault::Away),
        ("53300", Fault::Away),
        ("58030", Fault::Away),
        ("25006", Fault::Away),
        ("25P03", Fault::Away),
        ("08006", Fault::Away),
        ("42501", Fault::Unready),
        ("XX001", Fault::Damaged),
        ("22003", Fault::Own),
        ("23514", Fault::Own),
        ("54000", Fault::Own),
        ("25P02", Fault::Own),
    ];
    for (state, fault) in cases {
        assert_eq!(
            of_state(state.as_bytes().try_into().unwrap()),
            fault,
            "{state}"
        );
    }
}

#[test]
fn r92_a_server_is_understood_by_its_codes_in_any_language() {
    let Ok(url) = std::env::var("TEST_DATABASE_URL") else {
        return; // the behaviour tests bring a server of their own
    };
    let mut conn = PgConnection::establish(&url).unwrap();
    // A server that knows the language says it in that language; the code is the same.
    let _ = conn.batch_execute("SET lc_messages = 'de_DE.UTF-8'");
    let raised = |conn: &mut PgConnection, state: &str| {
        let sql = format!(
            "DO $$ BEGIN RAISE EXCEPTION 'terminated full disk' USING ERRCODE = '{state}'; END $$"
        );
        told(conn.batch_execute(&sql))
    };
    for (state, fault) in [
        ("53100", Fault::Away),
        ("55P03", Fault::Contention),
        ("40P01", Fault::Deadlock),
        ("22003", Fault::Own),
        ("23505", Fault::Own),
        ("XX001", Fault::Damaged),
        ("P0001", Fault::Own),
    ] {
        assert_eq!(raised(&mut conn, state), (Some(state.to_owned()), fault));
    }
    let slow = conn.batch_execute("SET statement_timeout = 20; SELECT pg_sleep(5)");
    assert_eq!(told(slow), (Some("57014".to_owned()), Fault::Contention));
    let bound = diesel::sql_query("SELECT (1 / $1) AS n").bind::<Integer, _>(0);
    let bound = bound.load::<Number>(&mut conn).map(drop);
    assert_eq!(told(bound), (Some("22012".to_owned()), Fault::Own));
    conn.batch_execute("SET statement_timeout = 0; SET default_transaction_read_only = on")
        .unwrap();
    let written = conn.batch_execute("CREATE TABLE never (n int)");
    assert_eq!(told(written), (Some("25006".to_owned()), Fault::Away));
    let ended = conn.batch_execute("SELECT pg_terminate_backend(pg_backend_pid())");
    assert_eq!(told(ended).1, Fault::Away);
}

#[test]
fn r92_sqlites_codes_decide_also_where_a_read_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let open = || SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    let (mut one, mut other) = (open(), open());
    one.batch_execute("CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'no')) STRICT; CREATE INDEX i ON t (v)")
        .unwrap();
    let rows = "INSERT INTO t (v) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000) SELECT hex(randomblob(50)) FROM c";
    one.batch_execute(rows).unwrap();

    let twice = one.batch_execute("INSERT INTO t VALUES (1, 'x')");
    assert_eq!(told(twice).1, Fault::Own);
    assert_eq!(
        told(one.batch_execute("INSERT INTO t VALUES (9999, 'no')")).1,
        Fault::Own
    );
    assert_eq!(told(one.batch_execute("SELECT disk FROM t")).1, Fault::Own);

    one.batch_execute("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(
        told(other.batch_execute("BEGIN IMMEDIATE")),
        (Some("5".to_owned()), Fault::Away)
    );
    assert_eq!(
        told(select(&mut other, "SELECT n FROM t")),
        (Some("5".to_owned()), Fault::Away)
    );
    one.batch_execute("ROLLBACK").unwrap();

    let pages = "PRAGMA max_page_count = 1";
    one.batch_execute(pages).unwrap();
    assert_eq!(
        told(one.batch_execute(rows)),
        (Some("13".to_owned()), Fault::Away)
    );
    other.batch_execute("PRAGMA query_only = ON").unwrap();
    assert_eq!(
        told(other.batch_execute("DELETE FROM t")),
        (Some("8".to_owned()), Fault::Away)
    );

    drop((one, other));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let read = select(
        &mut open(),
        "SELECT CAST(sum(length(v)) AS INTEGER) AS n FROM t NOT INDEXED",
    );
    assert_eq!(told(read), (Some("11".to_owned()), Fault::Damaged));
    std::fs::write(&path, vec![7_u8; 8192]).unwrap();
    assert_eq!(
        told(select(&mut open(), "SELECT 1 AS n FROM t")).1,
        Fault::Damaged
    );
}
