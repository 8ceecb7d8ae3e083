//! How the flags of `send` shape what is sent.

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    args: Args,
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn args(words: &str) -> Args {
    Words::try_parse_from(
        ["send", "x.json"]
            .into_iter()
            .chain(words.split_whitespace()),
    )
    .unwrap()
    .args
}

fn shaped(texts: &[&str], words: &str) -> Vec<String> {
    let bodies: Vec<Body> = texts
        .iter()
        .map(|text| Body::new(text.as_bytes().to_vec(), "test"))
        .collect();
    let shaped = shape(&bodies, &args(words), NOW).unwrap();
    shaped
        .iter()
        .map(|body| body.text().unwrap().to_owned())
        .collect()
}

#[test]
fn a_body_is_sent_as_its_bytes_when_nothing_alters_it() {
    let odd = "\u{feff}{ \"id\" :1 }\n not json";
    assert_eq!(shaped(&[odd], ""), [odd]);
    assert_eq!(
        shaped(&[odd], "--repeat 2 --duplicate 100 --shuffle 1"),
        [odd; 4]
    );
}

#[test]
fn what_was_set_wins_over_what_fresh_makes() {
    let body = r#"{"id":"event_1","created_at":"2026-01-01T00:00:00.000Z","data":{"a":1,"b":2}}"#;
    let sent = shaped(
        &[body],
        "--fresh --set created_at=2020-01-01 --set data.c=3 --remove data.a",
    );
    assert!(
        sent[0].contains(r#""created_at":"2020-01-01","data":{"b":2,"c":3}"#),
        "{}",
        sent[0]
    );
    assert!(!sent[0].contains("event_1"));
}

#[test]
fn duplicates_of_fresh_events_are_duplicates() {
    let sent = shaped(&[r#"{"id":"event_1"}"#], "--fresh --duplicate 100");
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0], sent[1]);
}

#[test]
fn a_seed_repeats_the_order() {
    let texts: Vec<String> = (0..40)
        .map(|number| format!("{{\"id\":\"{number}\"}}"))
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let once = shaped(&texts, "--shuffle 7 --duplicate 25");
    assert_eq!(once.len(), 50);
    assert_eq!(once, shaped(&texts, "--shuffle 7 --duplicate 25"));
    assert_ne!(once, shaped(&texts, "--shuffle 8 --duplicate 25"));
}

#[test]
fn what_cannot_be_changed_is_a_usage_error_that_names_its_place() {
    let bodies = [Body::new(b"nonsense".to_vec(), "bad.json")];
    let failure = shape(&bodies, &args("--fresh"), NOW).unwrap_err();
    assert_eq!(failure.exit, Exit::Usage);
    assert!(
        failure.message.starts_with("bad.json cannot be changed"),
        "{}",
        failure.message
    );
}

#[test]
fn an_origin_gets_the_endpoints_path_and_a_path_is_kept() {
    let config = Config::defaults().unwrap();
    let to =
        |text: &str| endpoint(Some(&Url::parse(text).unwrap()), &config).map(|url| url.to_string());
    assert_eq!(
        to("https://roll.example.com").unwrap(),
        "https://roll.example.com/webhooks/workos"
    );
    assert_eq!(
        to("http://127.0.0.1:9/").unwrap(),
        "http://127.0.0.1:9/webhooks/workos"
    );
    assert_eq!(
        to("http://127.0.0.1:9/hook?a=b").unwrap(),
        "http://127.0.0.1:9/hook?a=b"
    );
    assert_eq!(to("ftp://h/").unwrap_err().exit, Exit::Usage);
    assert_eq!(
        endpoint(None, &config).unwrap().as_str(),
        "http://127.0.0.1:8080/webhooks/workos"
    );
}

#[test]
fn a_body_is_printed_on_one_line() {
    let body = Body::new(b"{\n  \"a\": \"b\\n\"\r\n}\n".to_vec(), "test");
    assert_eq!(on_one_line(&body), r#"{   "a": "b\n"  }"#);
}
