//! The vectors of four official SDKs, and the cases in which those SDKs disagree.

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
const TOLERANCE: Duration = Duration::from_secs(300);
const ISSUED: i64 = 1_700_000_000_000;
const TINY: &str = "32850522003ebbce01a416e5d5df8ec8354a96e921cac7d0ebbaeef5732bdaea";
const WRONG: &str = "00000000003ebbce01a416e5d5df8ec8354a96e921cac7d0ebbaeef5732bdaea";

/// Secret, `t`, body, `v1`: agreed on by python's hmac, the node SDK, PyPI `workos` and the crate.
const VECTORS: [(&str, i64, &str, &str); 4] = [
    ("secret", ISSUED, "body", TINY),
    (
        "kBz3pQ9vT1",
        1_767_225_600_000,
        r#"{"id":"event_1","data":{},"event":"dsync.deleted","created_at":"2026-01-01T00:00:00.000Z"}"#,
        "49c42d3bec90035712d6133b772f0e6a0d56998c610356bad6f719b5dc6683b9",
    ),
    (
        "test_signing_secret_abcdef",
        1_720_000_000_554,
        "",
        "7fda9827a03e17205e6e9b7d7166f594b2c1acdea57b2154ec1362d89eb736f4",
    ),
    (
        "test_signing_secret_abcdef",
        1_720_000_000_554,
        "héllo, 🦀 world!",
        "d880001053209ef3077d76763c36a949d06c404498e0fea9a84083406a5098df",
    ),
];

fn secrets(text: &str) -> Secrets {
    Secrets::parse(text).unwrap()
}

fn verdict(header: &str) -> Result<Verified, Rejection> {
    at(header, ISSUED)
}

fn at(header: &str, now_millis: i64) -> Result<Verified, Rejection> {
    let now = Timestamp::from_millis(now_millis);
    let header = header.as_bytes();
    verify(&[header], b"body", &secrets("secret"), TOLERANCE, now)
}

#[test]
fn r1_the_vectors_of_four_sdks_verify_and_are_what_we_sign() {
    for (secret, millis, body, v1) in VECTORS {
        let now = Timestamp::from_millis(millis);
        let header = format!("t={millis}, v1={v1}");
        assert_eq!(sign(secret, now, body.as_bytes()), header);
        let verified = verify(
            &[header.as_bytes()],
            body.as_bytes(),
            &secrets(secret),
            TOLERANCE,
            now,
        );
        assert_eq!(verified.unwrap().issued_at, now);
    }
}

#[test]
fn r1_one_changed_byte_of_body_time_or_secret_is_a_mismatch() {
    let now = Timestamp::from_millis(ISSUED);
    let header = sign("secret", now, b"body");
    let header = [header.as_bytes()];
    let other_body = verify(&header, b"bodY", &secrets("secret"), DAY, now);
    assert_eq!(other_body, Err(Rejection::Mismatch));
    let other_secret = verify(&header, b"body", &secrets("Secret"), DAY, now);
    assert_eq!(other_secret, Err(Rejection::Mismatch));
    let other_time = verdict(&format!("t=1700000000001, v1={TINY}"));
    assert_eq!(other_time, Err(Rejection::Mismatch));
    let no_secret = verify(&header, b"body", &Secrets::default(), DAY, now);
    assert_eq!(no_secret, Err(Rejection::Mismatch));
}

#[test]
fn r1_layouts_on_which_the_official_verifiers_disagree_have_one_answer_here() {
    let upper = TINY.to_uppercase();
    for header in [
        format!("t={ISSUED},v1={TINY}"),
        format!("v1={TINY}, t={ISSUED}"),
        format!("t={ISSUED}, v1={upper}"),
        format!("t={ISSUED}, v1={TINY}, v1={WRONG}"),
        format!("t={ISSUED}, v1={WRONG}, v1={TINY}"),
        format!("t={ISSUED}, v1=not-hex, v1={TINY}"),
        format!("t={ISSUED}, v1={TINY}, v2=abc"),
        format!("v0=, t={ISSUED}, v1={TINY}"),
        format!("  t = {ISSUED} ,\tv1 = {TINY} "),
        format!("t={ISSUED}, v1={TINY},"),
    ] {
        assert!(verdict(&header).is_ok(), "{header}");
    }
}

#[test]
fn r1_a_header_that_cannot_be_read_is_malformed_and_not_a_mismatch() {
    for header in [
        String::new(),
        ",".to_owned(),
        "nonsense".to_owned(),
        format!("t={ISSUED}"),
        format!("v1={TINY}"),
        format!("t={ISSUED}, v1="),
        format!("t={ISSUED}, v1=not-hex"),
        format!("t=, v1={TINY}"),
        format!("t=soon, v1={TINY}"),
        format!("t=-{ISSUED}, v1={TINY}"),
        format!("t=+{ISSUED}, v1={TINY}"),
        format!("t=1.7e12, v1={TINY}"),
        format!("t=1700000000000٠, v1={TINY}"),
        format!("t=00000000000000000000, v1={TINY}"),
        format!("t={ISSUED}, t={ISSUED}, v1={TINY}"),
        format!("T={ISSUED}, V1={TINY}"),
        format!("t={ISSUED}, v1={TINY}, rubbish"),
    ] {
        assert_eq!(verdict(&header), Err(Rejection::Malformed), "{header}");
    }
    let bytes: &[u8] = b"t=1700000000000, v1=\xff";
    let now = Timestamp::from_millis(ISSUED);
    let answer = verify(&[bytes], b"body", &secrets("secret"), DAY, now);
    assert_eq!(answer, Err(Rejection::Malformed));
}

#[test]
fn r1_a_truncated_or_lengthened_mac_is_a_mismatch() {
    for v1 in [
        &TINY[..62],
        &TINY[..63],
        &format!("{TINY}00"),
        WRONG,
        "00",
        "0",
    ] {
        let answer = verdict(&format!("t={ISSUED}, v1={v1}"));
        assert_eq!(answer, Err(Rejection::Mismatch), "{v1}");
    }
}

#[test]
fn r1_no_header_is_missing_and_two_are_repeated_even_if_equal() {
    let now = Timestamp::from_millis(ISSUED);
    let header = sign("secret", now, b"body");
    let header = header.as_bytes();
    let secrets = secrets("secret");
    let none = verify(&[], b"body", &secrets, DAY, now);
    assert_eq!(none, Err(Rejection::Missing));
    let two = verify(&[header, header], b"body", &secrets, DAY, now);
    assert_eq!(two, Err(Rejection::Repeated));
}

#[test]
fn r1_freshness_is_symmetric_and_its_edge_is_inside() {
    let header = format!("t={ISSUED}, v1={TINY}");
    let edge = 300_000;
    assert!(at(&header, ISSUED + edge).is_ok());
    assert!(at(&header, ISSUED - edge).is_ok());
    assert_eq!(at(&header, ISSUED + edge + 1), Err(Rejection::Stale));
    assert_eq!(at(&header, ISSUED - edge - 1), Err(Rejection::Stale));
}

#[test]
fn r1_a_time_in_seconds_is_stale_and_the_mac_is_judged_before_the_time() {
    let seconds = Timestamp::from_millis(ISSUED / 1_000);
    let header = sign("secret", seconds, b"body");
    assert_eq!(verdict(&header), Err(Rejection::Stale));
    let forged = format!("t=1, v1={WRONG}");
    assert_eq!(verdict(&forged), Err(Rejection::Mismatch));
}

#[test]
fn no_size_of_time_or_tolerance_overflows() {
    let far = "9999999999999999999";
    let hex = hex::encode(mac("secret", far, b"body").finalize().into_bytes());
    let header = format!("t={far}, v1={hex}");
    let header = [header.as_bytes()];
    let secrets = secrets("secret");
    for now in [i64::MIN, 0, i64::MAX] {
        let now = Timestamp(now);
        let strict = verify(&header, b"body", &secrets, Duration::ZERO, now);
        assert_eq!(strict, Err(Rejection::Stale));
        let lenient = verify(&header, b"body", &secrets, Duration::MAX, now);
        assert_eq!(lenient.unwrap().issued_at, Timestamp(i64::MAX));
    }
}

#[test]
fn r71_any_of_several_secrets_verifies_and_names_itself() {
    let now = Timestamp::from_millis(ISSUED);
    let both = secrets("new:whsec_2sAZJlbjP8Ce3rwkKEv2GfKef, secret");
    for (key, label) in [("whsec_2sAZJlbjP8Ce3rwkKEv2GfKef", "new"), ("secret", "2")] {
        let header = sign(key, now, b"body");
        let verified = verify(&[header.as_bytes()], b"body", &both, TOLERANCE, now);
        assert_eq!(verified.unwrap().label, label);
    }
    let first = sign("whsec_2sAZJlbjP8Ce3rwkKEv2GfKef", now, b"body");
    assert_eq!(both.sign(now, b"body"), Some(first));
    assert_eq!(Secrets::default().sign(now, b"body"), None);
}

#[test]
fn r71_labels_default_to_the_position_and_keys_are_verbatim() {
    let three = secrets(" whsec_a , old:b:c,third\n");
    assert_eq!(three.labels().collect::<Vec<_>>(), ["1", "old", "3"]);
    assert_eq!(three.0[1].key.expose_secret(), "b:c");
    assert!(!three.is_empty() && Secrets::default().is_empty());
}

#[test]
fn a_list_of_secrets_that_cannot_be_used_says_which_entry() {
    for (text, error) in [
        ("", SecretsError::Empty(1)),
        ("a,,b", SecretsError::Empty(2)),
        ("a,", SecretsError::Empty(2)),
        ("old:", SecretsError::Empty(1)),
        (":a", SecretsError::Label(1)),
        ("with space:a", SecretsError::Label(1)),
        ("x,ümlaut:a", SecretsError::Label(2)),
        ("a:x,a:y", SecretsError::Duplicate("a".to_owned())),
        ("2:x,y", SecretsError::Duplicate("2".to_owned())),
    ] {
        assert_eq!(Secrets::parse(text).unwrap_err(), error, "{text}");
    }
    let long = format!("{}:a", "l".repeat(33));
    assert_eq!(Secrets::parse(&long).unwrap_err(), SecretsError::Label(1));
}

#[test]
fn nothing_that_is_shown_carries_a_key_or_a_mac() {
    let shown = format!("{:?}", secrets("old:hunter2"));
    assert!(shown.contains("old") && !shown.contains("hunter2"));
    let codes = [
        Rejection::Missing,
        Rejection::Repeated,
        Rejection::Malformed,
        Rejection::Mismatch,
        Rejection::Stale,
    ];
    let codes = codes.map(|why| (why.code(), why.to_string().is_empty()));
    let expected = ["missing", "repeated", "malformed", "mismatch", "stale"];
    assert_eq!(codes, expected.map(|code| (code, false)));
}

proptest::proptest! {
    #[test]
    fn no_header_panics_and_none_that_was_made_up_verifies(header: Vec<u8>, body: Vec<u8>) {
        let now = Timestamp::from_millis(ISSUED);
        let answer = verify(&[&header], &body, &secrets("secret"), Duration::MAX, now);
        assert!(answer.is_err());
    }
}
