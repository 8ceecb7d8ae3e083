//! Each channel end to end: what a person's name cannot do to a message, whom a bot finds, what a
//! test-send says, and what operators see of a delivery.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::binary::rollcall;
use crate::support::events::{ada, minute};
use crate::support::http_sink::HttpAct;
use crate::support::macros::on_both;
use crate::support::post::Post;
use crate::support::smtp::{SmtpAct, SmtpStep};

on_both!(
    a_name_can_break_neither_a_mail_nor_a_post,
    a_mail_is_what_an_automatic_mail_should_be,
    rustsec_2026_0561_a_line_end_in_a_name_cannot_end_the_mail,
    mails_share_a_connection,
    a_person_not_in_slack_yet_is_found_when_they_are,
    a_trigger_is_tried_over_each_channel_and_the_outcome_is_told,
    r63_a_delivery_is_found_shown_cancelled_and_sent_again_by_people_only,
);

async fn a_name_can_break_neither_a_mail_nor_a_post(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step(), post.slack_step()]));
    let name = "<!channel> & @here\r\nBcc: all@example.org\r\n\r\n.\r\nMAIL FROM:<x@y.z>";
    let created = ada().created(minute(0)).set("data.first_name", name);
    post.app.apply(&created).await;
    post.app.send_due().await;
    let mails = post.mail.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, [ada().email()]);
    assert_eq!(mails[0].header("Bcc"), None);
    let commands = post.mail.commands();
    let froms = commands.iter().filter(|line| line.starts_with("MAIL FROM"));
    assert_eq!(froms.count(), 1, "{commands:?}");
    let post = &post.told("/slack")[0];
    let text = post["text"].as_str().unwrap();
    assert!(
        text.contains("&lt;!channel&gt; &amp;") && !text.contains("<!"),
        "{text}"
    );
    assert_eq!(
        (
            &post["link_names"],
            &post["unfurl_links"],
            &post["unfurl_media"]
        ),
        (&json!(false), &json!(false), &json!(false))
    );
}

async fn a_mail_is_what_an_automatic_mail_should_be(post: Post) {
    post.enable_messaging();
    let mut step = Post::mail_step();
    step["html"] = "<p>Dear {{ first_name }}</p>".into();
    post.trigger(json!([step]));
    post.mail.next(
        SmtpStep::Recipient,
        SmtpAct::Reply("451 4.3.0 try again later"),
    );
    let created = ada()
        .created(minute(0))
        .set("data.first_name", "<b>Ada</b>");
    post.app.apply(&created).await;
    post.app.send_due().await;
    post.app.advance(Duration::from_secs(2));
    post.app.send_due().await;
    let mail = &post.mail.mails()[0];
    assert_eq!(
        mail.header("Auto-Submitted").as_deref(),
        Some("auto-generated")
    );
    assert!(
        mail.header("Message-ID")
            .unwrap()
            .ends_with("@test.example>")
    );
    assert!(
        mail.header("Content-Type")
            .unwrap()
            .starts_with("multipart/alternative")
    );
    assert!(mail.text.contains("text/plain") && mail.text.contains("text/html"));
    assert!(mail.text.contains("&lt;b&gt;Ada"), "{}", mail.text);
}

async fn rustsec_2026_0561_a_line_end_in_a_name_cannot_end_the_mail(post: Post) {
    post.enable_messaging();
    post.mail.take_any_line_end();
    post.trigger(json!([Post::mail_step()]));
    for (number, end) in ["\n", "\r", "\r\n", "\n\r"].into_iter().enumerate() {
        let name = format!(
            "x{end}.{end}MAIL FROM:<evil@example.org>{end}RCPT TO:<all@example.org>{end}DATA{end}smuggled"
        );
        let one = crate::support::events::employee(&format!("p{number}"));
        post.app
            .apply(&one.created(minute(0)).set("data.first_name", name))
            .await;
    }
    post.app.send_due().await;
    let mails = post.mail.mails();
    assert_eq!(mails.len(), 4, "{mails:?}");
    assert!(
        mails
            .iter()
            .all(|mail| mail.from == "rollcall@test.example"),
        "{mails:?}"
    );
}

async fn mails_share_a_connection(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step()]));
    for name in ["a", "b", "c", "d", "e"] {
        let one = crate::support::events::employee(name);
        post.app.apply(&one.created(minute(0))).await;
        post.app.send_due().await;
    }
    assert_eq!((post.mail.mails().len(), post.mail.connections()), (5, 1));
}

async fn a_person_not_in_slack_yet_is_found_when_they_are(post: Post) {
    post.enable_messaging();
    post.trigger(json!([{"channel": "slack", "to": "person", "text": "Welcome {{ first_name }}"}]));
    let lookup = "/api/users.lookupByEmail";
    post.web.next(
        lookup,
        HttpAct::answer(200, r#"{"ok":false,"error":"users_not_found"}"#),
    );
    post.web.always(
        lookup,
        HttpAct::answer(200, r#"{"ok":true,"user":{"id":"U1"}}"#),
    );
    post.web.always(
        "/api/chat.postMessage",
        HttpAct::answer(200, r#"{"ok":true}"#),
    );
    post.app.apply(&ada().created(minute(0))).await;
    post.app.send_due().await;
    let row = post.only();
    assert_eq!(row.state, "due", "{row:?}");
    assert!(row.reason.unwrap().contains("users_not_found"));
    assert_eq!(post.told("/api/chat.postMessage").len(), 0);
    post.app.advance(Duration::from_secs(3600));
    post.app.send_due().await;
    let posts = post.told("/api/chat.postMessage");
    assert_eq!((posts.len(), &posts[0]["channel"]), (1, &json!("U1")));
    assert_eq!(post.only().state, "sent");
}

async fn a_trigger_is_tried_over_each_channel_and_the_outcome_is_told(post: Post) {
    let id = post.trigger(json!([
        Post::mail_step(),
        post.slack_step(),
        post.webhook_step()
    ]));
    post.app.apply(&ada().created(minute(0))).await;
    let profile = post.app.profile(&ada()).id;
    let body = json!({"profile_id": profile, "to": "me@test.example"});
    let path = format!("/v1/triggers/{id}/test");
    let told = post.app.call("POST", &path, body.clone()).await.ok();
    let outcomes: Vec<&Value> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    assert_eq!(outcomes, ["sent", "sent", "sent"]);
    let mail = &post.mail.mails()[0];
    assert_eq!(mail.to, ["me@test.example"]);
    assert_eq!(
        mail.header("Subject").as_deref(),
        Some("[Test] Welcome ada")
    );
    assert_eq!(post.told("/slack")[0]["text"], "[Test] ada is here");
    assert_eq!(post.told("/hook")[0]["test"], true);

    post.web.next("/hook", HttpAct::answer(422, "no"));
    post.web.next("/slack", HttpAct::answer(404, "no_service"));
    post.mail.next(SmtpStep::Text, SmtpAct::Drop);
    let told = post.app.call("POST", &path, body).await.ok();
    let outcomes: Vec<&Value> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    assert_eq!(
        outcomes,
        ["unknown", "refused_destination", "refused_message"]
    );
    assert_eq!(post.all().len(), 0, "a test is no delivery");
    let acts = post
        .app
        .lines("SELECT act AS line FROM operator_acts WHERE act = 'trigger.tested'");
    assert_eq!(acts.len(), 2);

    let folder = tempfile::tempdir().unwrap();
    let mut command = rollcall(&post.app.place.url(), folder.path());
    command.env("ROLLCALL_ALLOW_PRIVATE_TARGETS", "true");
    let output = command
        .args(["triggers", "test", &id, &profile, "--step", "2", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["data"][0]["outcome"], "sent");
    assert_eq!(post.told("/hook").len(), 3);
}

async fn r63_a_delivery_is_found_shown_cancelled_and_sent_again_by_people_only(post: Post) {
    post.enable_messaging();
    post.trigger(json!([Post::mail_step()]));
    post.app.apply(&ada().created(minute(0))).await;
    let one = post.only().id;
    let waiting = post.app.get(&format!("/v1/deliveries/{one}")).await;
    assert_eq!(
        (&waiting["preview"], &waiting["text"]),
        (&json!(true), &json!("Dear ada"))
    );
    assert!(
        post.app
            .http
            .metric("rollcall_deliveries{state=\"due\"}")
            .await
            >= 1.0
    );

    post.mail.next(SmtpStep::Text, SmtpAct::Drop);
    post.app.send_due().await;
    let shown = post.app.get(&format!("/v1/deliveries/{one}")).await;
    assert_eq!(
        (&shown["state"], &shown["preview"]),
        (&json!("unknown"), &json!(false))
    );
    assert_eq!(shown["text"], "Dear ada");
    assert_eq!(shown["attempt_log"][0]["outcome"], "unknown");
    post.app.advance(Duration::from_secs(86_400));
    assert_eq!(post.app.send_due().await, 0, "not by itself");
    let found = post
        .app
        .get("/v1/deliveries?q=Dear&state=unknown&channel=email&destination=email")
        .await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let path = format!("/v1/deliveries/{one}");
    assert_eq!(
        post.app
            .call("POST", &format!("{path}/cancel"), Value::Null)
            .await
            .status,
        409
    );
    post.app
        .call("POST", &format!("{path}/retry"), Value::Null)
        .await
        .ok();
    assert_eq!(post.app.send_due().await, 1);
    let again = post
        .app
        .call("POST", &format!("{path}/retry"), Value::Null)
        .await;
    assert_eq!(
        again.status, 409,
        "a mail that was sent is never sent again: {again:?}"
    );
    let log = post.app.get(&path).await["attempt_log"].clone();
    let told: Vec<&str> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["unknown", "retried", "sent"]);
    let acts = post
        .app
        .lines("SELECT actor || ' ' || act AS line FROM operator_acts");
    assert!(
        acts.contains(&"bootstrap delivery.retried".to_owned()),
        "{acts:?}"
    );
}
