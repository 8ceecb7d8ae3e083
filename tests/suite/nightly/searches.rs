//! Readings that take for ever: they end after their ten seconds, and access does not wait for them meanwhile.

use std::time::{Duration, Instant};

use crate::support::app::TestApp;
use crate::support::events::{ORGANIZATION, directory, employee, minute};
use crate::support::macros::on_both;
use crate::support::place::Stranger;

on_both!(r94_searches_that_take_for_ever_are_told_so_while_access_is_answered);

/// More at once than there are connections.
const SEARCHES: usize = 40;

async fn r94_searches_that_take_for_ever_are_told_so_while_access_is_answered(app: TestApp) {
    app.apply(&directory("dsync.activated", minute(0))).await;
    let ada = employee("ada");
    app.apply(&ada.created(minute(1))).await;
    // Whoever reads the acts does so for minutes.
    let mut stranger = app.place.stranger();
    let endless = match stranger {
        // First in the join, since a condition is asked only where there are rows.
        Stranger::Sqlite(_) => {
            "SELECT kept_acts.* FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < 5000000000) SELECT count(*) AS many FROM n) CROSS JOIN kept_acts WHERE many > 0"
        }
        Stranger::Postgres(_) => {
            "SELECT * FROM kept_acts WHERE (SELECT count(*) FROM pg_sleep(120)) > 0"
        }
    };
    stranger.run(&format!(
        "ALTER TABLE operator_acts RENAME TO kept_acts; CREATE VIEW operator_acts AS {endless}"
    ));
    let searches: Vec<_> = (0..SEARCHES)
        .map(|_| {
            let http = app.http.clone();
            tokio::spawn(async move { http.api("GET", "/v1/audit?act=none", None).await })
        })
        .collect();
    let access = format!(
        "/v1/access?organization_id={ORGANIZATION}&email={}",
        ada.email()
    );
    let began = Instant::now();
    let mut asked = 0;
    while searches.iter().any(|search| !search.is_finished()) {
        let asking = Instant::now();
        let answer = app.get(&access).await;
        assert_eq!(answer["allowed"], true, "{answer}");
        assert!(
            asking.elapsed() < Duration::from_secs(1),
            "{:?}",
            asking.elapsed()
        );
        asked += 1;
    }
    assert!(
        asked > 10 && began.elapsed() < Duration::from_secs(30),
        "{asked}"
    );
    let mut ended = 0;
    for search in searches {
        let answer = search.await.unwrap();
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(!answer.header("retry-after").is_empty());
        let detail = answer.body["detail"].as_str().unwrap();
        ended += usize::from(detail.contains("longer than 10 s: ask for less at once"));
    }
    assert!(ended > 0, "no search was ended by its limit");
}
