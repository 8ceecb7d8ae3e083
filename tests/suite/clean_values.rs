//! Values as directories really write them: one spelling of each is kept, everybody is found by every
//! spelling of what is theirs, and a database from before is healed by itself.

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::events::{ORGANIZATION, ada, employee, minute};
use crate::support::macros::on_both;

on_both!(
    r87_r88_somebody_is_found_by_every_spelling_of_their_address_and_by_no_other,
    r83_r48_a_list_in_another_order_is_no_change,
    r90_the_shown_name_follows_its_parts,
    r89_an_address_in_googles_shape_is_found,
    r86_a_placeholder_is_shown_with_a_warning_and_finds_nobody,
    r82_r88_an_opt_out_is_found_by_every_spelling,
    r51_of_too_many_attributes_the_rest_is_a_warning,
    r87_a_database_from_before_is_cleaned_by_a_job,
);

async fn access(app: &TestApp, email: &str) -> Value {
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("organization_id", ORGANIZATION)
        .append_pair("email", email)
        .finish();
    app.get(&format!("/v1/access?{query}")).await
}

async fn r87_r88_somebody_is_found_by_every_spelling_of_their_address_and_by_no_other(
    app: TestApp,
) {
    let arrives = ada()
        .created(minute(0))
        .set("data.email", "\u{feff}Zoe\u{308}.K@Test.example\u{200b} ")
        .set("data.first_name", " Zoe\u{308}\u{a0} Maria\u{200e}")
        .without("data.name");
    app.apply(&arrives).await;
    for spelling in [
        "Zoë.K@Test.example",
        "zoë.k@test.example",
        " Zoe\u{308}.k@TEST.example",
        "z\u{ad}oë.k@test.example",
    ] {
        assert_eq!(
            access(&app, spelling).await["allowed"],
            true,
            "{spelling:?}"
        );
    }
    for other in [
        "zoe.k@test.example",
        "zoë.\u{212a}@test.example",
        "zoË.k@test.example",
    ] {
        assert_eq!(access(&app, other).await["allowed"], false, "{other:?}");
    }
    let found = app
        .get(&format!(
            "/v1/profiles?organization_id={ORGANIZATION}&q=ZO%C3%8B%20%20maria%E2%80%8B"
        ))
        .await;
    assert_eq!(found["data"][0]["email"], "Zoë.K@Test.example", "{found}");
    assert_eq!(found["data"][0]["first_name"], "Zoë Maria");
}

async fn r83_r48_a_list_in_another_order_is_no_change(app: TestApp) {
    let skilled = |skills: Value, at: u64| {
        ada()
            .updated(minute(at))
            .set("data.custom_attributes.skills", skills)
    };
    app.apply(&skilled(json!(["rust", {"level": [1, 2]}]), 0))
        .await;
    let changes = app.count("changes");
    let event = app
        .apply(&skilled(json!([{"level": [2, 1]}, "rust"]), 1))
        .await;
    assert_eq!(event["outcome"], "unchanged", "{event}");
    assert_eq!(app.count("changes"), changes);
    app.apply(&skilled(json!(["rust"]), 2)).await;
    assert_eq!(app.count("changes"), changes + 1);
}

async fn r90_the_shown_name_follows_its_parts(app: TestApp) {
    let first = ada()
        .created(minute(0))
        .set("data.last_name", "Oster")
        .set("data.name", "Ada Oster")
        .set("data.custom_attributes.display_name", "Ada Oster");
    app.apply(&first).await;
    let marries = ada()
        .updated(minute(2))
        .set("data.first_name", "Ada")
        .set("data.last_name", "Berg")
        .without("data.name")
        .without("data.custom_attributes");
    app.apply(&marries).await;
    assert_eq!(app.profile(&ada()).display_name, "Ada Berg");
    let late = ada().updated(minute(1)).set("data.name", "Ada O.");
    app.apply(
        &late
            .without("data.last_name")
            .without("data.custom_attributes"),
    )
    .await;
    assert_eq!(app.profile(&ada()).display_name, "Ada Berg", "it is older");
    let given = ada().updated(minute(3)).set("data.name", "Dr. Berg");
    app.apply(&given.set("data.custom_attributes", json!({})))
        .await;
    assert_eq!(app.profile(&ada()).display_name, "Dr. Berg");
}

async fn r89_an_address_in_googles_shape_is_found(app: TestApp) {
    let google = employee("gia")
        .created(minute(0))
        .set("data.email", "")
        .set(
            "data.raw_attributes",
            json!({"primaryEmail": "gia@test.example", "department": "Sales", "emails": [
                {"address": "gia@home.example"}, {"address": "gia@test.example", "primary": "True"}
            ]}),
        )
        .set("data.custom_attributes", json!({}));
    app.apply(&google).await;
    let gia = app.profile(&employee("gia"));
    assert_eq!(gia.email.as_deref(), Some("gia@test.example"));
    assert_eq!(gia.department.as_deref(), Some("Sales"));
}

async fn r86_a_placeholder_is_shown_with_a_warning_and_finds_nobody(app: TestApp) {
    let nobody = ada()
        .created(minute(0))
        .set("data.email", "N/A")
        .set("data.custom_attributes.employee_number", 0);
    app.apply(&nobody).await;
    assert_eq!(access(&app, "n/a").await["reason"], "unknown");
    let all = app
        .get(&format!("/v1/profiles?organization_id={ORGANIZATION}"))
        .await;
    let id = all["data"][0]["id"].as_str().unwrap();
    let profile = app.get(&format!("/v1/profiles/{id}")).await;
    assert_eq!(profile["email"], "N/A", "{profile}");
    assert_eq!(profile["employee_number"], "0");
    let warnings = profile["warnings"].to_string();
    assert!(
        warnings.contains("email: a placeholder")
            && warnings.contains("employee_number: a placeholder"),
        "{warnings}"
    );
    app.apply(&ada().updated(minute(1))).await;
    app.apply(&ada().updated(minute(2)).set("data.email", "none"))
        .await;
    assert_eq!(access(&app, &ada().email()).await["allowed"], true, "kept");
}

async fn r82_r88_an_opt_out_is_found_by_every_spelling(app: TestApp) {
    let asked = json!({"organization_id": ORGANIZATION, "email": " Zoe\u{308}@X.example\u{200b}"});
    app.call("POST", "/v1/opt-outs", asked).await.ok();
    let has = |email: &str| {
        app.read(|conn| {
            Ok::<_, diesel::result::Error>(
                rollcall::store::opt_outs::find(conn, ORGANIZATION, email)?.is_some(),
            )
        })
    };
    assert!(has("zoë@x.EXAMPLE") && has("Zoe\u{308}@x.example"));
    assert!(!has("zoe@x.example") && !has("zoË@x.example"));
}

async fn r51_of_too_many_attributes_the_rest_is_a_warning(app: TestApp) {
    let mut many = serde_json::Map::new();
    for place in 0..5_000 {
        many.insert(format!("a{place:04}"), json!(place));
    }
    many.insert("job_title".to_owned(), json!("Lead"));
    app.apply(
        &ada()
            .created(minute(0))
            .set("data.custom_attributes", Value::Object(many)),
    )
    .await;
    let kept = app.profile(&ada());
    assert_eq!(kept.title.as_deref(), Some("Lead"));
    let attributes: Value = serde_json::from_str(&kept.attributes).unwrap();
    assert_eq!(attributes.as_object().unwrap().len(), 499);
    assert!(
        kept.warnings.contains("more than 500 attributes"),
        "{}",
        kept.warnings
    );
}

/// What an older Rollcall kept: texts as they came, and keys in small letters.
async fn r87_a_database_from_before_is_cleaned_by_a_job(app: TestApp) {
    let zoe = ada()
        .created(minute(0))
        .set("data.email", "ZOË@test.example")
        .set("data.custom_attributes.city", "Zürich");
    app.apply(&zoe).await;
    let opted = json!({"organization_id": ORGANIZATION, "email": "zoË@test.example"});
    app.call("POST", "/v1/opt-outs", opted).await.ok();
    let mut stranger = app.place.stranger();
    stranger.run(
        "UPDATE link_keys SET key = 'e:zoë@test.example' WHERE key LIKE 'e:%';
         UPDATE profiles SET email_key = 'zoë@test.example', search = 'old';
         UPDATE opt_outs SET address = 'zoë@test.example';
         UPDATE observations SET said = replace(said, 'Zürich', ' Zürich\u{200b} ');
         UPDATE links SET remembered = replace(remembered, 'Zürich', ' Zürich\u{200b} ');
         UPDATE profiles SET attributes = replace(attributes, 'Zürich', ' Zürich\u{200b} ')",
    );
    stranger.run(&format!(
        "INSERT INTO jobs (id, kind, organization_id, state, payload, cursor, result, total, done, attempts, created_by,
             created_at, available_at, updated_at, lease_token)
         VALUES ('job_upgrade', 'fields.reapply', '{ORGANIZATION}', 'ready', '{{}}', '{{}}', '{{}}', 1, 0, 0, 'upgrade', 0, 0, 0, 0)"
    ));
    assert_eq!(app.count("jobs WHERE state = 'ready'"), 1);
    app.drain();
    assert_eq!(app.count("jobs WHERE state = 'done'"), 1);
    assert_eq!(access(&app, "ZOË@test.example").await["allowed"], true);
    assert_eq!(app.count("link_keys WHERE key = 'e:zoË@test.example'"), 1);
    assert_eq!(app.count("link_keys WHERE key LIKE 'e:%'"), 1);
    let has = |email: &str| {
        app.read(|conn| {
            Ok::<_, diesel::result::Error>(
                rollcall::store::opt_outs::find(conn, ORGANIZATION, email)?.is_some(),
            )
        })
    };
    assert!(has("ZOË@test.example"), "no message goes to whom opted out");
    assert_eq!(
        app.count(r#"profiles WHERE attributes LIKE '%"Zürich"%'"#),
        1
    );
    assert_eq!(
        app.count("profiles WHERE search LIKE '%zoë@test.example%'"),
        1
    );
}
