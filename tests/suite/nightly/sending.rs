//! A sender that stands still in the middle of a call.

use std::time::Duration;

use rollcall::db::Backend;

use crate::sending_heals::{ids, rows};
use crate::support::events::{ada, employee};
use crate::support::http_sink::HttpAct;
use crate::support::macros::on_both;
use crate::support::sending::Sending;
use crate::support::wait::eventually;

on_both!(r73_a_sender_that_was_stopped_for_a_while_changes_nothing_late_and_announces_itself_again);

async fn r73_a_sender_that_was_stopped_for_a_while_changes_nothing_late_and_announces_itself_again(
    backend: Backend,
) {
    let stage = Sending::new(backend, &["profile.activated"]);
    stage
        .web
        .next("/hook", HttpAct::AnswerAfter(Duration::from_secs(5)));
    let (first, http) = stage.serve().await;
    stage.deliver(&http, &[ada()]).await;
    stage.web.wait_for(1).await;
    first.signal("-STOP");
    let _second = stage.work();
    stage.all_sent(1).await;
    let sent = rows(&stage).remove(0);
    // As the start of another process does with one that has been silent for half a minute.
    stage.place.stranger().run("DELETE FROM processes");
    first.signal("-CONT");
    eventually("it has announced itself again", async || {
        first
            .words()
            .contains("has announced itself again")
            .then_some(())
    })
    .await;
    eventually("its late result changed nothing", async || {
        first
            .words()
            .contains("a late result changed nothing")
            .then_some(())
    })
    .await;
    let now = rows(&stage).remove(0);
    assert_eq!((now.state, now.settled_at), (sent.state, sent.settled_at));
    assert_eq!((stage.web.requests().len(), ids(&stage).len()), (2, 1));
    stage.deliver_more(&http, &employee("bob")).await;
    stage.all_sent(2).await;
    assert_eq!(stage.web.requests().len(), 3);
}
