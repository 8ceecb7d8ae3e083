//! A PostgreSQL server that goes away in every way it can, while a company moves: all of it arrives, once, within
//! the time that docs/reliability.md states.

use std::time::{Duration, Instant};

use rollcall::db::Backend;

use crate::support::company::Company;
use crate::support::own_postgres::OwnPostgres;
use crate::support::place::Place;
use crate::support::wait::lasts;

/// Slow enough to go on through an outage, fast enough for a night.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until deliveries are taken again, and tells how long that took.
async fn healed(company: &Company, since: Instant, within: Duration) {
    company.moves_on(1).await;
    let took = since.elapsed();
    println!("deliveries are taken again after {took:?}");
    assert!(took < within, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_server_that_restarts_under_load_costs_seconds() {
    let server = OwnPostgres::start();
    let mut company = Company::new(&server.url(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    for _ in 0..3 {
        company.moves_on(100).await;
        server.restart();
        healed(&company, Instant::now(), Duration::from_secs(5)).await;
    }
    company.reckon(&http, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_server_that_crashes_under_load_costs_seconds_after_its_return() {
    let server = OwnPostgres::start();
    let mut company = Company::new(&server.url(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(100).await;
    server.crash();
    company.is_refused(100).await;
    server.start_again();
    healed(&company, Instant::now(), Duration::from_secs(5)).await;
    company.reckon(&http, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_connections_ended_again_and_again_cost_nothing() {
    let place = Place::new(Backend::Postgres);
    let mut company = Company::new(&place.url(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    for _ in 0..15 {
        company.moves_on(20).await;
        place.stranger().run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
    }
    company.reckon(&http, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_server_that_takes_no_writes_for_a_while_costs_seconds() {
    let place = Place::new(Backend::Postgres);
    let mut company = Company::new(&place.url(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(100).await;
    let set = |value: &str| {
        format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {value}', \
             current_database()); END $$"
        )
    };
    let mut stranger = place.stranger();
    stranger.run(&set("on"));
    stranger.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    company.is_refused(100).await;
    stranger.run(&format!(
        "SET default_transaction_read_only = off; {}",
        set("off")
    ));
    healed(&company, Instant::now(), Duration::from_secs(5)).await;
    company.reckon(&http, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_server_that_freezes_costs_a_503_and_goes_on_when_it_thaws() {
    let server = OwnPostgres::start();
    let mut company = Company::new(&server.url(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(100).await;
    server.freeze();
    let frozen = Instant::now();
    company.is_refused(1).await;
    let waited = frozen.elapsed();
    println!("a delivery is answered 503 after {waited:?}");
    assert!(waited < Duration::from_secs(10), "{waited:?}");
    lasts(Duration::from_secs(15).saturating_sub(waited)).await;
    server.thaw();
    healed(&company, Instant::now(), Duration::from_secs(5)).await;
    company.reckon(&http, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r74_r92_a_promoted_standby_is_followed_and_has_everything() {
    let mut server = OwnPostgres::start();
    server.add_standby();
    let mut company = Company::new(&server.url_of_both(), 40);
    let (_service, http) = company.serve().await;
    company.begin(PAUSE);
    company.moves_on(100).await;
    server.crash();
    server.promote();
    healed(&company, Instant::now(), Duration::from_secs(30)).await;
    company.reckon(&http, true).await;
}
