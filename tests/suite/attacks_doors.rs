//! Clients that send slowly, never, too much or too often, and words that nobody expects: what is held for them
//! is bounded, others are served meanwhile, and nothing is a fault of ours.

use std::time::{Duration, Instant};

use rollcall::db::Backend;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::TestApp;
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r94_words_that_anybody_may_send_are_no_labels,
    r94_a_search_has_two_hundred_letters_and_none_is_a_fault_of_ours,
    r94_a_body_nested_a_thousand_levels_deep_is_refused_in_words,
    r94_a_head_or_body_that_does_not_come_ends_its_connection,
    r94_a_header_that_is_no_signature_is_answered_before_the_body,
    r75_two_thousand_deliveries_in_one_moment_are_stored_or_told_to_come_again,
    r94_one_peer_has_its_share_of_connections,
    r94_a_token_that_calls_too_often_is_told_when_to_come_again,
    who_has_no_token_learns_nothing_about_the_question,
    metrics_and_readiness_have_a_listener_of_their_own_where_one_is_set,
    metrics_and_readiness_are_read_once_a_second_for_all,
);

async fn open(app: &TestApp) -> TcpStream {
    let address = app.http.url("").trim_start_matches("http://").to_owned();
    TcpStream::connect(address).await.unwrap()
}

/// What the server says until it closes, and how long that took.
async fn said(mut stream: TcpStream) -> (String, Duration) {
    let (mut all, began) = (Vec::new(), Instant::now());
    // A connection that is reset has said what it said.
    let read = stream.read_to_end(&mut all);
    let _ = tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("the server closes the connection");
    (String::from_utf8_lossy(&all).into_owned(), began.elapsed())
}

async fn r94_words_that_anybody_may_send_are_no_labels(app: TestApp) {
    for number in 0..40 {
        let stream = {
            let mut stream = open(&app).await;
            let head = format!(
                "EVIL{number} /evil{number} HTTP/1.1\r\nHost: evil{number}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream
        };
        assert!(said(stream).await.0.starts_with("HTTP/1.1 40"));
        app.http.call("GET", &format!("/v1/evil{number}")).await;
        app.http
            .call("POST", &format!("/console/evil{number}"))
            .await;
    }
    let metrics = app.http.call("GET", "/metrics").await.text;
    assert!(!metrics.to_lowercase().contains("evil"), "{metrics}");
    assert!(metrics.contains("method=\"other\""));
}

async fn r94_a_search_has_two_hundred_letters_and_none_is_a_fault_of_ours(app: TestApp) {
    app.apply(&ada().created(minute(0))).await;
    for path in ["/v1/profiles", "/v1/events", "/v1/deliveries"] {
        for (letters, status) in [(200, 200), (201, 400), (5_000, 400)] {
            let q = "ä%".repeat(letters / 2) + if letters % 2 == 1 { "x" } else { "" };
            let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
            let asked = format!("{path}?q={q}");
            // Six bytes a letter: past a certain length the address itself is refused.
            let status = if asked.len() > 16 * 1_024 {
                414
            } else {
                status
            };
            let answer = app.http.plain("GET", &asked).await;
            assert_eq!(answer.status, status, "{path} {letters}: {}", answer.text);
        }
        let long = format!("{path}?q={}", "q".repeat(50_000));
        assert_eq!(app.http.plain("GET", &long).await.status, 414, "{path}");
    }
    let body = json!({ "q": "q".repeat(50_000), "dry_run": true });
    let answer = app.call("POST", "/v1/events/replay", body).await;
    assert_eq!(answer.status, 400, "{answer:?}");
}

async fn hasty(backend: Backend) -> TestApp {
    TestApp::start_with(backend, |setup| {
        setup.config.http.client_time = Duration::from_secs(1);
    })
    .await
}

async fn r94_a_head_or_body_that_does_not_come_ends_its_connection(backend: Backend) {
    let app = hasty(backend).await;
    let signed = "WorkOS-Signature: t=1, v1=00\r\n";
    let cases = [
        ("nothing", String::new()),
        ("half a head", "POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n".to_owned()),
        (
            "no body",
            format!("POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{signed}Content-Length: 100\r\n\r\n"),
        ),
        (
            "half a body",
            format!("POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{signed}Content-Length: 100\r\n\r\n{{"),
        ),
        (
            "half a chunk",
            format!("POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{signed}Transfer-Encoding: chunked\r\n\r\n5\r\nhe"),
        ),
        (
            "half a chunk for nobody",
            "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe".to_owned(),
        ),
        (
            "half a form",
            "POST /console/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: 100\r\n\r\ntoken="
                .to_owned(),
        ),
    ];
    let mut waiting = Vec::new();
    for (what, sent) in cases {
        let mut stream = open(&app).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        waiting.push((what, tokio::spawn(said(stream))));
    }
    // A byte now and then is no progress.
    let mut drip = open(&app).await;
    let head = format!(
        "POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{signed}Content-Length: 1000\r\n\r\n"
    );
    drip.write_all(head.as_bytes()).await.unwrap();
    let (read, mut write) = drip.into_split();
    let dripping = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await; // why: the pace of the attack
        }
    });
    let mut read = read;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut answer))
        .await
        .expect("the server closes the connection");
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 408"));
    drop(read);
    dripping.abort();
    for (what, said) in waiting {
        let (text, took) = said.await.unwrap();
        assert!(took < Duration::from_secs(10), "{what} took {took:?}");
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 4"),
            "{what}: {text}"
        );
    }
    app.deliver(&ada().created(minute(0))).await.ok();
    app.drain();
}

async fn r94_a_header_that_is_no_signature_is_answered_before_the_body(app: TestApp) {
    for (header, status) in [("", 401), ("WorkOS-Signature: nonsense\r\n", 400)] {
        let mut stream = open(&app).await;
        let head = format!(
            "POST /webhooks/workos HTTP/1.1\r\nHost: x\r\n{header}Content-Length: 1000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (text, took) = said(stream).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        assert!(took < Duration::from_secs(5), "the body was not waited for");
    }
}

async fn r75_two_thousand_deliveries_in_one_moment_are_stored_or_told_to_come_again(app: TestApp) {
    app.leave_work();
    let mut sent = tokio::task::JoinSet::new();
    let now = app.clock.now();
    for number in 0..2_000 {
        let (http, event) = (
            app.http.clone(),
            employee(&format!("p{number}")).created(minute(0)),
        );
        sent.spawn(async move {
            // As WorkOS does: whoever is told to come again comes again.
            for _ in 0..200 {
                match http.deliver(&event, now).await {
                    Ok(answer) if answer.status == 200 => return true,
                    Ok(answer) => {
                        assert_eq!(answer.status, 503, "{answer:?}");
                        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
                    }
                    // Turned away before there was a request.
                    Err(error) => assert!(error.is_request(), "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await; // why: a sender that backs off
            }
            false
        });
    }
    let all = sent.join_all().await;
    assert!(all.into_iter().all(|stored| stored));
    assert_eq!(app.count("outbox"), 2_000);
}

async fn r94_one_peer_has_its_share_of_connections(backend: Backend) {
    let app = TestApp::start_with(backend, |setup| {
        setup.config.http.connections_per_peer = 4;
    })
    .await;
    let mut held = Vec::new();
    for _ in 0..4 {
        // Answered, so counted: of connections that come at once any may be the one too many. Those that asked
        // before may not have gone yet.
        let stream = crate::support::wait::eventually("a connection is taken", async || {
            let mut stream = open(&app).await;
            let asked = stream
                .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                .await;
            let mut answer = [0; 12];
            let read = stream.read_exact(&mut answer).await;
            (asked.is_ok() && read.is_ok() && &answer == b"HTTP/1.1 200").then_some(stream)
        })
        .await;
        held.push(stream);
    }
    // A connection that is reset before it has read the answer says nothing.
    crate::support::wait::eventually("one more is turned away", async || {
        let mut stream = open(&app).await;
        let _ = stream
            .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
        let answer = said(stream).await.0;
        let whole = answer.starts_with("HTTP/1.1 503") && answer.contains("Retry-After: 2");
        whole.then_some(answer)
    })
    .await;
    drop(held);
    crate::support::wait::eventually("there is room again", async || {
        let mut stream = open(&app).await;
        let _ = stream
            .write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
        said(stream)
            .await
            .0
            .starts_with("HTTP/1.1 200")
            .then_some(())
    })
    .await;
}

async fn r94_a_token_that_calls_too_often_is_told_when_to_come_again(backend: Backend) {
    let app = TestApp::start_with(backend, |setup| setup.config.http.api_rate = 1).await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(app.http.api("GET", "/v1/organizations", None).await);
    }
    let refused: Vec<_> = answers.iter().filter(|one| one.status == 429).collect();
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|one| one.header("retry-after") == "1"));
    let other = app.token("other", "viewer", None);
    let answer = app
        .http
        .api_as(Some(&other), "GET", "/v1/organizations", None);
    assert_eq!(answer.await.status, 200);
    let access = "/v1/access?organization_id=org_01TEST&email=a@x.example";
    assert_ne!(app.http.api("GET", access, None).await.status, 429);
}

async fn who_has_no_token_learns_nothing_about_the_question(app: TestApp) {
    for (method, path, body) in [
        ("GET", "/v1/profiles?limit=many", None),
        ("GET", "/v1/profiles?nonsense=1", None),
        ("GET", "/v1/access?nonsense=1", None),
        ("GET", "/v1/nothing/here", None),
        ("DELETE", "/v1/profiles", None),
        ("POST", "/v1/triggers", Some(Value::from("no trigger"))),
        ("PUT", "/v1/communities/x/rules", Some(Value::from("{"))),
    ] {
        for token in [None, Some("rollcall_nobody")] {
            let answer = app.http.unchecked(token, method, path, body.as_ref()).await;
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        }
    }
}

async fn metrics_and_readiness_have_a_listener_of_their_own_where_one_is_set(backend: Backend) {
    let apart = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = apart.local_addr().unwrap();
    drop(apart);
    let app = TestApp::start_with(backend, |setup| {
        setup.config.http.metrics_listen = Some(address);
    })
    .await;
    let other = crate::support::http::Caller::new(address);
    for (path, here, there) in [
        ("/metrics", 404, 200),
        ("/health/ready", 404, 200),
        ("/health/live", 200, 200),
        ("/openapi.json", 200, 404),
        ("/console/sign-in", 200, 404),
        ("/v1/profiles", 401, 404),
    ] {
        assert_eq!(app.http.call("GET", path).await.status, here, "{path}");
        assert_eq!(other.call("GET", path).await.status, there, "{path}");
    }
}

async fn metrics_and_readiness_are_read_once_a_second_for_all(backend: Backend) {
    let app = TestApp::start_with(backend, |setup| {
        setup.config.http.snapshot = Duration::from_secs(600);
    })
    .await;
    let first = app.http.call("GET", "/metrics").await.text;
    let ready = app.http.call("GET", "/health/ready").await.text;
    app.apply(&ada().created(minute(0))).await;
    app.leave_work();
    app.deliver(&ada().updated(minute(1))).await.ok();
    assert_eq!(app.http.call("GET", "/metrics").await.text, first);
    assert_eq!(app.http.call("GET", "/health/ready").await.text, ready);
}

async fn r94_a_body_nested_a_thousand_levels_deep_is_refused_in_words(app: TestApp) {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(1_000), close.repeat(1_000));
    let fields = format!("/v1/organizations/{ORGANIZATION}/fields");
    for (method, path) in [
        ("POST", "/v1/communities"),
        ("POST", "/v1/triggers"),
        ("POST", "/v1/logins"),
        ("PUT", fields.as_str()),
    ] {
        for body in [
            deep("[", "]"),
            deep("{\"not\":", "}"),
            format!("{{\"name\":{}}}", deep("[", "]")),
        ] {
            let answer = app.http.post_text(method, path, &body).await;
            assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
            assert!(answer.body["detail"].is_string(), "{path}: {answer:?}");
        }
    }
}
