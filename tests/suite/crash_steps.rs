//! A real process dies at every step of storing and of working off events, and another one is started: what was
//! acknowledged is there, what was not comes again, each event has its effects once, and whoever left is
//! refused from the first moment. The tables in docs/reliability.md are this file; those of sending are
//! `sending_crashes.rs`.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use rollcall::crash::Step;
use rollcall::db::Backend;

use crate::support::binary::Service;
use crate::support::company::Company;
use crate::support::macros::on_both;
use crate::support::place::Place;
use crate::support::wait::eventually;

on_both!(
    r2_r4_killed_with_a_group_in_hand_nothing_of_it_is_stored,
    r2_r4_killed_before_the_intake_commits_nothing_of_it_is_stored,
    r2_r4_killed_before_the_answer_the_repeat_is_a_duplicate,
    r2_r4_killed_after_the_answer_everything_is_there,
    r92_killed_after_the_claim_everything_is_applied_once,
    r92_killed_after_loading_everything_is_applied_once,
    r92_killed_after_folding_everything_is_applied_once,
    r92_killed_after_writing_everything_is_applied_once,
    r92_killed_before_the_batch_commits_everything_is_applied_once,
    r92_killed_after_the_batch_commits_everything_is_applied_once,
);

/// A process that dies there.
async fn dies(mut service: Service, step: Step) {
    let (status, words) = service.ended().await;
    assert_eq!(status.signal(), Some(6), "{}: {words}", step.name());
}

/// Dies while it stores: `stored` is whether the repeat then finds its event.
async fn storing(backend: Backend, step: Step, stored: bool) {
    let place = Place::new(backend);
    let mut company = Company::new(&place.url(), 1);
    let mut command = company.command();
    command.env("ROLLCALL_TEST_CRASH_AT", step.name());
    let (service, _) = company.serve_by(command, &["--no-worker"]).await;
    company.begin(Duration::ZERO);
    dies(service, step).await;
    assert_eq!(company.stored() > 0, stored, "{}", step.name());

    let (_again, http) = company.serve().await;
    company.reckon(&http, false).await;
}

/// Dies while it works off what waits.
async fn working(backend: Backend, step: Step) {
    let place = Place::new(backend);
    let mut company = Company::new(&place.url(), 1);
    let (mut taker, _) = company.serve_by(company.command(), &["--no-worker"]).await;
    company.begin(Duration::ZERO);
    company.moves_on(usize::MAX / 2).await;
    taker.terminate();
    assert!(taker.ended().await.0.success());

    let mut command = company.command();
    command.env("ROLLCALL_TEST_CRASH_AT", step.name());
    command.env("ROLLCALL_BATCH", "8").arg("work");
    dies(Service::start(command), step).await;

    // Before any worker has looked at it: refused.
    let (mut without, http) = company.serve_by(company.command(), &["--no-worker"]).await;
    eventually("who left is refused", async || {
        company.leavers_are_refused(&http).await.then_some(())
    })
    .await;
    without.kill();
    let (_again, http) = company.serve().await;
    company.reckon(&http, false).await;
}

async fn r2_r4_killed_with_a_group_in_hand_nothing_of_it_is_stored(backend: Backend) {
    storing(backend, Step::IntakeGathered, false).await;
}

async fn r2_r4_killed_before_the_intake_commits_nothing_of_it_is_stored(backend: Backend) {
    storing(backend, Step::IntakeWritten, false).await;
}

async fn r2_r4_killed_before_the_answer_the_repeat_is_a_duplicate(backend: Backend) {
    storing(backend, Step::IntakeCommitted, true).await;
}

async fn r2_r4_killed_after_the_answer_everything_is_there(backend: Backend) {
    storing(backend, Step::IntakeAnswered, true).await;
}

async fn r92_killed_after_the_claim_everything_is_applied_once(backend: Backend) {
    working(backend, Step::BatchClaimed).await;
}

async fn r92_killed_after_loading_everything_is_applied_once(backend: Backend) {
    working(backend, Step::BatchLoaded).await;
}

async fn r92_killed_after_folding_everything_is_applied_once(backend: Backend) {
    working(backend, Step::BatchFolded).await;
}

async fn r92_killed_after_writing_everything_is_applied_once(backend: Backend) {
    working(backend, Step::BatchWritten).await;
}

async fn r92_killed_before_the_batch_commits_everything_is_applied_once(backend: Backend) {
    working(backend, Step::BatchSettled).await;
}

async fn r92_killed_after_the_batch_commits_everything_is_applied_once(backend: Backend) {
    working(backend, Step::BatchCommitted).await;
}
