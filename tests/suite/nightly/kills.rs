//! Kills under load, with a company that moves meanwhile.

use std::time::Duration;

use rollcall::db::Backend;

use crate::support::company::Company;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::lasts;

on_both!(
    r2_r63_r92_kills_under_load_lose_nothing_and_do_nothing_twice,
    r73_a_frozen_process_goes_on_where_it_was,
);

async fn r2_r63_r92_kills_under_load_lose_nothing_and_do_nothing_twice(backend: Backend) {
    let place = Place::new(backend);
    let mut company = Company::new(&place.url(), 20);
    company.begin(Duration::from_millis(5));
    for _ in 0..8 {
        let (mut service, _) = company.serve().await;
        company.moves_on(40).await;
        service.kill();
    }
    let (_service, http) = company.serve().await;
    company.reckon(&http, true).await;
}

async fn r73_a_frozen_process_goes_on_where_it_was(backend: Backend) {
    let place = Place::new(backend);
    let mut company = Company::new(&place.url(), 20);
    let (service, http) = company.serve().await;
    company.begin(Duration::from_millis(5));
    for _ in 0..3 {
        company.moves_on(60).await;
        service.freeze();
        lasts(Duration::from_secs(12)).await;
        service.thaw();
    }
    company.reckon(&http, true).await;
}
