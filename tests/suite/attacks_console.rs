//! The console under attack: what the database holds signs nobody in, a copied cookie dies with its session,
//! and neither a proxy nor an address in a header decides who may guess or how a cookie travels.

use std::time::Duration;

use rollcall::db::Backend;
use sha2::{Digest, Sha256};

use crate::console::Browser;
use crate::support::app::TestApp;
use crate::support::http::TOKEN;
use crate::support::macros::on_both;

on_both!(
    what_the_database_holds_signs_nobody_in,
    signing_out_ends_the_session_at_the_server,
    a_session_outlives_a_restart_and_not_its_day,
    the_cookie_wants_https_by_configuration_and_not_by_the_host_header,
    failures_count_for_each_peer_behind_a_trusted_proxy,
    signing_in_counts_for_nothing,
);

async fn what_the_database_holds_signs_nobody_in(app: TestApp) {
    let browser = Browser::signed_in(&app, TOKEN).await;
    let kept: Vec<String> = app
        .dump()
        .into_values()
        .flatten()
        .chain(app.lines("SELECT id AS line FROM console_sessions"))
        .chain(app.lines("SELECT token_digest AS line FROM console_sessions"))
        .collect();
    let cookie = browser.cookie().split_once('=').unwrap().1.to_owned();
    assert!(kept.iter().all(|line| !line.contains(&cookie)));
    let digest = hex::encode(Sha256::digest(TOKEN));
    let ids = app.lines("SELECT id AS line FROM console_sessions");
    for forged in ids.iter().chain([&digest, &"0".repeat(64)]) {
        for value in [forged.clone(), encoded(&hex::decode(forged).unwrap())] {
            let mut thief = Browser::new(&app);
            thief.carry(&format!("rollcall_session={value}"));
            assert_eq!(thief.open("/console/people").await.status, 303, "{value}");
        }
    }
}

fn encoded(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

async fn signing_out_ends_the_session_at_the_server(app: TestApp) {
    let browser = Browser::signed_in(&app, TOKEN).await;
    let mut copy = Browser::new(&app);
    copy.carry(browser.cookie());
    assert_eq!(copy.open("/console/people").await.status, 200);
    let csrf = browser.csrf().await;
    let out = browser.send("/console/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!((out.status, out.to.as_str()), (303, "/console/sign-in"));
    assert_eq!(copy.open("/console/people").await.status, 303);
    assert_eq!(app.count("console_sessions"), 0);
}

async fn a_session_outlives_a_restart_and_not_its_day(app: TestApp) {
    let browser = Browser::signed_in(&app, TOKEN).await;
    // Nothing of it is in the process: another one on this database would know it as well.
    assert_eq!(app.count("console_sessions"), 1);
    app.advance(Duration::from_secs(12 * 3_600 - 1));
    assert_eq!(browser.open("/console/people").await.status, 200);
    app.advance(Duration::from_secs(2));
    assert_eq!(browser.open("/console/people").await.status, 303);
    Browser::signed_in(&app, TOKEN).await;
    assert_eq!(app.count("console_sessions"), 1, "what has ended is gone");
}

async fn the_cookie_wants_https_by_configuration_and_not_by_the_host_header(backend: Backend) {
    let loopback = "127.0.0.1";
    for (public, forwarded, secure) in [
        (None, false, false),
        (None, true, true),
        (Some("https://rollcall.example"), false, true),
        (Some("http://rollcall.example"), true, false),
    ] {
        let app = TestApp::start_with(backend, |setup| {
            setup.config.http.public_url = public.map(str::to_owned);
        })
        .await;
        let browser = Browser::new(&app);
        let mut headers = vec![("host", loopback)];
        if forwarded {
            headers.push(("x-forwarded-proto", "https"));
        }
        let page = browser
            .send_with("/console/session", &[("token", TOKEN)], &headers)
            .await;
        assert_eq!(page.status, 303);
        let said = page.headers["set-cookie"].to_str().unwrap();
        assert_eq!(said.contains("; Secure"), secure, "{public:?}: {said}");
    }
}

async fn failures_count_for_each_peer_behind_a_trusted_proxy(backend: Backend) {
    let app = TestApp::start_with(backend, |setup| {
        setup.config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let browser = Browser::new(&app);
    let attempt = async |token: &str, from: &str| {
        let (form, headers) = ([("token", token)], [("x-forwarded-for", from)]);
        let page = browser.send_with("/console/session", &form, &headers);
        page.await.status
    };
    for guess in 0..10 {
        assert_eq!(attempt(&format!("guess {guess}"), "192.0.2.1").await, 401);
    }
    assert_eq!(attempt(TOKEN, "192.0.2.1").await, 429);
    assert_eq!(attempt(TOKEN, "192.0.2.2").await, 303);
    // One account, guessed from everywhere.
    for peer in 0..10 {
        assert_eq!(
            attempt("the same", &format!("198.51.100.{peer}")).await,
            401
        );
    }
    assert_eq!(attempt("the same", "198.51.100.99").await, 429);
}

async fn signing_in_counts_for_nothing(app: TestApp) {
    for _ in 0..15 {
        Browser::signed_in(&app, TOKEN).await;
    }
}
