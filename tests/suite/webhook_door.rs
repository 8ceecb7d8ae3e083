//! Who is let in at `POST /webhooks/workos`: signatures, times, secrets, source addresses, methods
//! and sizes that lie. The door looks at no database, so one is enough to show it.

use std::time::Duration;

use rollcall::clock::Timestamp;
use rollcall::db::Backend;
use rollcall::workos::sign;

use crate::support::app::TestApp;
use crate::support::events::{Event, ada, minute};
use crate::support::http::{Answer, SECRET};
use crate::webhook_contract::assert_problem;

const HEADER: &str = "WorkOS-Signature";

async fn app() -> TestApp {
    TestApp::start(Backend::Sqlite).await
}

async fn send(app: &TestApp, event: &Event, headers: &[&str]) -> Answer {
    let headers: Vec<(&str, &str)> = headers.iter().map(|value| (HEADER, *value)).collect();
    app.deliver_raw(event.body(), &headers).await
}

fn signed(event: &Event, at: Timestamp) -> String {
    sign(SECRET, at, &event.body())
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_missing_wrong_stale_or_future_signature_is_401_and_leaves_a_counter() {
    let app = app().await;
    let event = ada().created(minute(0));
    let now = app.clock.now();
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let cases: [(&str, Vec<String>); 6] = [
        ("missing", vec![]),
        ("mismatch", vec![sign("another secret", now, &event.body())]),
        ("mismatch", vec![sign(SECRET, now, b"another body")]),
        ("stale", vec![signed(&event, now.minus(minutes(10)))]),
        ("stale", vec![signed(&event, now.plus(minutes(10)))]),
        // WorkOS's `t` is in milliseconds: one in seconds lies in 1970.
        (
            "stale",
            vec![signed(&event, Timestamp(now.micros() / 1_000))],
        ),
    ];
    for (reason, headers) in cases {
        let series =
            format!(r#"rollcall_webhook_requests_total{{outcome="rejected",reason="{reason}"}}"#);
        let before = app.http.metric(&series).await;
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = send(&app, &event, &headers).await;
        assert_eq!(answer.status, 401, "{reason}: {answer:?}");
        assert_problem(&answer, "bad-signature");
        assert!(app.http.metric(&series).await > before, "{reason}");
    }
    assert_eq!(app.count("outbox"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn c7_a_malformed_or_repeated_signature_header_is_400() {
    let app = app().await;
    let event = ada().created(minute(0));
    let good = signed(&event, app.clock.now());
    let twice_t = format!("t=1, {good}");
    for headers in [
        vec![""],
        vec!["nonsense"],
        vec!["v1=00"],
        vec!["t=1"],
        vec!["t=soon, v1=00"],
        vec![twice_t.as_str()],
        vec![good.as_str(), good.as_str()],
    ] {
        let answer = send(&app, &event, &headers).await;
        assert_eq!(answer.status, 400, "{headers:?}: {answer:?}");
        assert_problem(&answer, "bad-signature-header");
    }
    assert_eq!(app.count("outbox"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tolerance_holds_up_to_and_including_its_edges() {
    let app = TestApp::start_with(Backend::Sqlite, |setup| {
        setup.config.webhook.tolerance = Duration::from_secs(10);
    })
    .await;
    app.leave_work();
    let (now, edge) = (app.clock.now(), Duration::from_secs(10));
    let over = edge + Duration::from_millis(1);
    for (at, status) in [
        (now.minus(edge), 200),
        (now.plus(edge), 200),
        (now.minus(over), 401),
        (now.plus(over), 401),
    ] {
        let event = ada().created(minute(0));
        let answer = send(&app, &event, &[&signed(&event, at)]).await;
        assert_eq!(answer.status, status, "{at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_several_v1_may_match_in_any_order_with_or_without_spaces() {
    let app = app().await;
    app.leave_work();
    let wrong = "0".repeat(64);
    let forms: [fn(&str, &str, &str) -> String; 5] = [
        |t, good, _| format!("{t},{good}"),
        |t, good, wrong| format!("{t}, v1={wrong}, {good}"),
        |t, good, wrong| format!("{t}, {good}, v1={wrong}"),
        |t, good, _| format!("{good}, {t}"),
        |t, good, _| format!("{t}, {good}, v2=abc"),
    ];
    for form in forms {
        let event = ada().created(minute(0));
        let header = signed(&event, app.clock.now());
        let (t, good) = header.split_once(", ").unwrap();
        let header = form(t, good, &wrong);
        assert_eq!(send(&app, &event, &[&header]).await.status, 200, "{header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r71_several_secrets_verify_at_once_and_each_is_counted_by_its_label() {
    let app = TestApp::start_with(Backend::Sqlite, |setup| {
        setup.config.webhook.secrets = Some("r71old:first-secret,r71new:second-secret".into());
    })
    .await;
    app.leave_work();
    for (secret, label, count) in [
        ("first-secret", "r71old", 1),
        ("second-secret", "r71new", 2),
    ] {
        for _ in 0..count {
            let event = ada().created(minute(0));
            let header = sign(secret, app.clock.now(), &event.body());
            assert_eq!(send(&app, &event, &[&header]).await.status, 200);
        }
        let series = format!(r#"rollcall_webhook_secret_matches_total{{label="{label}"}}"#);
        assert_eq!(app.http.metric(&series).await, f64::from(count), "{label}");
    }
    let text = app.http.call("GET", "/metrics").await.text;
    assert!(!text.contains("first-secret") && !text.contains("second-secret"));
    let third = ada().created(minute(0));
    let header = sign("third-secret", app.clock.now(), &third.body());
    assert_eq!(send(&app, &third, &[&header]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_not_on_the_list_is_403_and_a_forwarded_one_is_believed_from_the_proxy() {
    let app = TestApp::start_with(Backend::Sqlite, |setup| {
        setup.config.http.allowed_sources = vec!["198.51.100.0/24".parse().unwrap()];
        setup.config.http.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    app.leave_work();
    let event = ada().created(minute(0));
    let header = signed(&event, app.clock.now());
    let refused = send(&app, &event, &[&header]).await;
    assert_eq!(refused.status, 403);
    assert_problem(&refused, "source-not-allowed");
    for (forwarded, status) in [("203.0.113.9", 403), ("203.0.113.9, 198.51.100.4", 200)] {
        let headers = [(HEADER, header.as_str()), ("X-Forwarded-For", forwarded)];
        let answer = app.deliver_raw(event.body(), &headers).await;
        assert_eq!(answer.status, status, "{forwarded}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_405_and_say_what_is_taken() {
    let app = app().await;
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let answer = app.http.call(method, "/webhooks/workos").await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "POST");
        assert_problem(&answer, "method-not-allowed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_a_body_whose_length_is_not_told_is_cut_at_the_limit() {
    let app = app().await;
    let event = ada()
        .created(minute(0))
        .set("data.padding", "x".repeat(2 * 1024 * 1024));
    let header = signed(&event, app.clock.now());
    let pieces = event.body();
    let pieces: Vec<_> = pieces.chunks(64 * 1024).map(<[u8]>::to_vec).collect();
    let stream = futures_util::stream::iter(pieces.into_iter().map(Ok::<_, std::io::Error>));
    let body = reqwest::Body::wrap_stream(stream);
    // The answer may come before all of the body is sent, and then the connection ends.
    if let Ok(answer) = app.http.deliver_raw(body, &[(HEADER, &header)]).await {
        assert_eq!(answer.status, 413, "{answer:?}");
        assert_problem(&answer, "too-large");
    }
    let small = ada().created(minute(0));
    let header = signed(&small, app.clock.now());
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>(small.body())]);
    let body = reqwest::Body::wrap_stream(stream);
    let answer = app.deliver_raw(body, &[(HEADER, &header)]).await;
    assert_eq!(answer.status, 200, "chunked and small is fine: {answer:?}");
    assert_eq!(app.count("outbox"), 1);
    app.leave_work();
}

#[tokio::test(flavor = "multi_thread")]
async fn r8_a_body_that_announces_too_much_is_refused_before_it_comes() {
    use std::io::{Read, Write};
    let app = app().await;
    let address = app.http.url("").replace("http://", "");
    let answer = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        let head = "POST /webhooks/workos HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n";
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = [0_u8; 12];
        socket.read_exact(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert_eq!(answer.await.unwrap(), "HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_is_not_looked_at() {
    let app = app().await;
    app.leave_work();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "nonsense",
    ] {
        let event = ada().created(minute(0));
        let header = signed(&event, app.clock.now());
        let headers = [(HEADER, header.as_str()), ("Content-Type", kind)];
        let answer = app.deliver_raw(event.body(), &headers).await;
        assert_eq!(answer.status, 200, "{kind}");
    }
}
