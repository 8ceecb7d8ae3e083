//! The console as a browser meets it: sign-in, sessions that end with their token, forms that only
//! our own pages can send, names that stay text.

use rollcall::db::{DbError, Urgency};
use rollcall::operations::{Actor, OperationError, Role, tokens};
use serde_json::json;
use url::form_urlencoded::Serializer;

use crate::support::app::TestApp;
use crate::support::events::{ada, minute};
use crate::support::http::TOKEN;
use crate::support::macros::on_both;

on_both!(
    nobody_sees_a_page_without_signing_in,
    r70_a_person_is_found_and_their_history_read,
    a_profile_named_as_a_script_stays_text,
    a_form_of_another_site_or_session_does_nothing,
    a_viewer_is_refused_what_an_operator_does,
    a_revoked_token_ends_its_session_at_once,
    attempts_to_sign_in_are_limited,
    a_visitor_without_the_right_sees_no_sensitive_value_on_any_page,
);

pub struct Page {
    pub status: u16,
    pub to: String,
    cookie: String,
    policy: String,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

/// A browser: keeps the session's cookie, follows nothing by itself.
pub struct Browser<'a> {
    app: &'a TestApp,
    client: reqwest::Client,
    cookie: String,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none());
        Self {
            app,
            client: client.build().unwrap(),
            cookie: String::new(),
        }
    }

    pub async fn signed_in(app: &'a TestApp, token: &str) -> Self {
        let mut browser = Self::new(app);
        let page = browser.send("/console/session", &[("token", token)]).await;
        assert_eq!((page.status, page.to.as_str()), (303, "/console"));
        browser.cookie = page.cookie.split(';').next().unwrap().to_owned();
        browser
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> Page {
        let request = request.header("cookie", &self.cookie);
        let answer = request.send().await.unwrap();
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        Page {
            status: answer.status().as_u16(),
            to: header("location"),
            cookie: header("set-cookie"),
            policy: header("content-security-policy"),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }

    pub async fn open(&self, path: &str) -> Page {
        self.read(self.client.get(self.app.http.url(path))).await
    }

    /// Opens a page with headers of a script's.
    pub async fn open_with(&self, path: &str, headers: &[(&'static str, &str)]) -> Page {
        let mut request = self.client.get(self.app.http.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.read(request).await
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        self.client
            .post(self.app.http.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.read(self.form(path, fields)).await
    }

    /// As [`Browser::send`], with headers of the test's own.
    pub async fn send_with(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&'static str, &str)],
    ) -> Page {
        let mut request = self.form(path, fields);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.read(request).await
    }

    /// The session's cookie.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Carries somebody's cookie.
    pub fn carry(&mut self, cookie: &str) {
        cookie.clone_into(&mut self.cookie);
    }

    /// What this session's forms carry.
    pub async fn csrf(&self) -> String {
        let text = self.open("/console").await.text;
        let (_, rest) = text.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }
}

pub fn make_token(app: &TestApp, name: &str, role: Role) -> String {
    let now = app.clock.now();
    let made = tokio::task::block_in_place(|| {
        app.db.write(Urgency::Normal, |conn| {
            tokens::create(conn, &Actor::cli(), name, role, None, false, now)
        })
    });
    made.map_err(|error: OperationError| error.to_string())
        .unwrap()
        .token
}

async fn nobody_sees_a_page_without_signing_in(app: TestApp) {
    let mut browser = Browser::new(&app);
    for path in ["/console", "/console/people", "/console/events/event_1"] {
        let page = browser.open(path).await;
        assert_eq!(page.status, 303, "{path}");
        assert!(page.to.starts_with("/console/sign-in"), "{path}");
        assert!(page.policy.contains("default-src 'none'"), "{path}");
    }
    "rollcall_session=AAAA.AAAA".clone_into(&mut browser.cookie);
    assert_eq!(browser.open("/console").await.status, 303);
    let wrong = browser.send("/console/session", &[("token", "no")]).await;
    assert_eq!((wrong.status, wrong.cookie.as_str()), (401, ""));
    let browser = Browser::signed_in(&app, TOKEN).await;
    assert_eq!(browser.open("/console").await.status, 200);
    let missing = browser.open("/console/people/nobody").await;
    assert_eq!(missing.status, 404);
    assert!(missing.text.contains("There is no profile nobody."));
}

async fn a_visitor_without_the_right_sees_no_sensitive_value_on_any_page(app: TestApp) {
    let event = ada()
        .created(minute(1))
        .set("data.custom_attributes.salary", "90210");
    let id = event.id();
    app.apply(&event).await;
    let rules = json!([{"target": "attributes.pay", "from": ["salary"], "sensitive": true}]);
    let path = "/v1/organizations/org_01TEST/fields";
    app.call("PUT", path, json!({ "rules": rules })).await.ok();
    app.drain();
    let profile = app.profile(&ada()).id;
    let pages = [
        "/console/people".to_owned(),
        format!("/console/people/{profile}"),
        format!("/console/events/{id}"),
    ];
    let viewer = make_token(&app, "viewer", Role::Viewer);
    let viewer = Browser::signed_in(&app, &viewer).await;
    for path in &pages {
        let page = viewer.open(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains("90210"), "{path}: {}", page.text);
    }
    let search = "/console/events?q=90210";
    assert!(!viewer.open(search).await.text.contains(&id));
    let person = viewer.open(&pages[1]).await.text;
    assert!(person.contains("hidden: it is sensitive"), "{person}");
    let admin = Browser::signed_in(&app, TOKEN).await;
    assert!(admin.open(search).await.text.contains(&id));
    for path in &pages[1..] {
        assert!(admin.open(path).await.text.contains("90210"), "{path}");
    }
}

async fn r70_a_person_is_found_and_their_history_read(app: TestApp) {
    let event = app.apply(&ada().created(minute(0))).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let list = browser
        .open("/console/people?q=ada&department=Research")
        .await;
    let id = app.profile(&ada()).id;
    assert!(list.text.contains(&format!("/console/people/{id}")));
    let person = browser.open(&format!("/console/people/{id}")).await.text;
    for told in [
        "May come in",
        "Research",
        "The directory added them",
        event["id"].as_str().unwrap(),
    ] {
        assert!(person.contains(told), "{told}");
    }
    let shown = browser
        .open(&format!(
            "/console/events/{}",
            event["id"].as_str().unwrap()
        ))
        .await;
    assert!(shown.text.contains("Applied"));
}

async fn a_profile_named_as_a_script_stays_text(app: TestApp) {
    let hostile = ada()
        .created(minute(0))
        .set("data.first_name", "<script>alert(1)</script>")
        .set("data.name", "<script>alert(1)</script>")
        .set(
            "data.custom_attributes.job_title",
            "\"><img src=x onerror=alert(1)>",
        );
    let event = app.apply(&hostile).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let person = format!("/console/people/{}", app.profile(&ada()).id);
    let event = format!("/console/events/{}", event["id"].as_str().unwrap());
    for path in ["/console/people", "/console/events", &person, &event] {
        let text = browser.open(path).await.text;
        assert!(
            !text.contains("<script>") && !text.contains("<img src=x"),
            "{path}"
        );
        assert!(text.contains("&#60;script&#62;"), "{path}");
    }
}

async fn a_form_of_another_site_or_session_does_nothing(app: TestApp) {
    let event = app.apply(&ada().created(minute(0))).await;
    let browser = Browser::signed_in(&app, TOKEN).await;
    let path = format!("/console/events/{}/replay", event["id"].as_str().unwrap());
    let own = browser.csrf().await;
    let other = Browser::signed_in(&app, TOKEN).await.csrf().await;
    assert_eq!(browser.send(&path, &[]).await.status, 403);
    assert_eq!(browser.send(&path, &[("csrf", &other)]).await.status, 403);
    let foreign = browser
        .form(&path, &[("csrf", &own)])
        .header("sec-fetch-site", "cross-site");
    assert_eq!(browser.read(foreign).await.status, 403);
    assert_eq!(app.drain(), 0);
    let page = browser.send(&path, &[("csrf", &own)]).await;
    assert_eq!(page.status, 303);
    assert_eq!(app.drain(), 1);
}

async fn a_viewer_is_refused_what_an_operator_does(app: TestApp) {
    let event = app.apply(&ada().created(minute(0))).await;
    let browser = Browser::signed_in(&app, &make_token(&app, "vera", Role::Viewer)).await;
    let path = format!("/console/events/{}", event["id"].as_str().unwrap());
    assert!(!browser.open(&path).await.text.contains("Replay</button>"));
    let csrf = browser.csrf().await;
    let refused = browser
        .send(&format!("{path}/replay"), &[("csrf", &csrf)])
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(app.drain(), 0);
}

async fn a_revoked_token_ends_its_session_at_once(app: TestApp) {
    let browser = Browser::signed_in(&app, &make_token(&app, "olga", Role::Operator)).await;
    assert_eq!(browser.open("/console/people").await.status, 200);
    let now = app.clock.now();
    let revoked: Result<(), OperationError> = tokio::task::block_in_place(|| {
        app.db.write(Urgency::Normal, |conn| {
            tokens::revoke(conn, &Actor::cli(), "olga", now)
        })
    });
    revoked
        .map_err(|error| DbError::Pool(error.to_string()))
        .unwrap();
    assert_eq!(browser.open("/console/people").await.status, 303);
}

async fn attempts_to_sign_in_are_limited(app: TestApp) {
    let browser = Browser::new(&app);
    for _ in 0..10 {
        let page = browser
            .send("/console/session", &[("token", "guess")])
            .await;
        assert_eq!(page.status, 401);
    }
    let page = browser.send("/console/session", &[("token", TOKEN)]).await;
    assert_eq!(page.status, 429);
    app.advance(std::time::Duration::from_secs(6));
    let page = browser.send("/console/session", &[("token", TOKEN)]).await;
    assert_eq!(page.status, 303);
}
