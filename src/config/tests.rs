//! What the configuration promises: precedence, all problems at once, masking, secrets from files.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<> {
    let map: BTreeMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    move |name: &str| map.get(name).cloned()
}

fn flags(pairs: &[(&str, &str)]) -> Flags {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn listen(loaded: &Loaded) -> (SocketAddr, String) {
    let row = loaded
        .rows
        .iter()
        .find(|row| row.name == "ROLLCALL_LISTEN")
        .unwrap();
    (loaded.config.http.listen, row.origin.to_string())
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let config = Config::defaults().unwrap();
    assert_eq!(config.database.url, "sqlite://rollcall.db");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.body_limit, 1 << 20);
    assert_eq!(config.webhook.tolerance, Duration::from_secs(300));
    assert_eq!((config.worker.workers, config.worker.batch), (2, 200));
    assert_eq!(
        (config.worker.max_attempts, config.worker.retention_days),
        (8, 90)
    );
    assert_eq!(config.intake.queue, 2048);
    assert_eq!(config.http.shutdown, Duration::from_secs(20));
    assert!(config.webhook.secrets.is_none() && config.mail.smtp_url.is_none());
    assert!(!config.triggers.allow_private_targets);
    assert_eq!(
        (config.log.filter.as_str(), config.log.format),
        ("info,actix_server=warn", LogFormat::Text)
    );
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let toml = file("[http]\nlisten = \"127.0.0.1:3\"\n");
    let nothing = flags(&[]);
    let file_only = load(&nothing, &env(&[]), Some(toml.path())).unwrap();
    assert_eq!(
        listen(&file_only),
        (
            "127.0.0.1:3".parse().unwrap(),
            "file http.listen".to_owned()
        )
    );
    let said = env(&[("ROLLCALL_LISTEN", "127.0.0.1:2")]);
    let env_too = load(&nothing, &said, Some(toml.path())).unwrap();
    assert_eq!(
        listen(&env_too),
        (
            "127.0.0.1:2".parse().unwrap(),
            "environment ROLLCALL_LISTEN".to_owned()
        )
    );
    let all = load(
        &flags(&[("listen", "127.0.0.1:1")]),
        &said,
        Some(toml.path()),
    )
    .unwrap();
    assert_eq!(
        listen(&all),
        ("127.0.0.1:1".parse().unwrap(), "flag --listen".to_owned())
    );
    let none = load(&nothing, &env(&[]), None).unwrap();
    assert_eq!(listen(&none).1, "default");
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let loaded = load(
        &flags(&[]),
        &env(&[("ROLLCALL_LISTEN", ""), ("WORKOS_API_KEY", " ")]),
        None,
    )
    .unwrap();
    assert_eq!(listen(&loaded).1, "default");
    assert!(loaded.config.workos.api_key.is_none());
}

#[test]
fn all_problems_are_told_at_once() {
    let toml = file("[http]\nlisten = \"here\"\nlisten_on = 1\n[worker]\nbatch = 1.5\n");
    let said = env(&[
        ("DATABASE_URL", "mysql://h/d"),
        ("ROLLCALL_WORKERS", "0"),
        ("ROLLCALL_LOG", "a=b=c"),
    ]);
    let told = load(&flags(&[("queue", "many")]), &said, Some(toml.path())).unwrap_err();
    let text = told.to_string();
    for part in [
        "`http.listen`",
        "`http.listen_on`",
        "`worker.batch`",
        "DATABASE_URL",
        "ROLLCALL_WORKERS",
        "--queue",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(text.contains("ROLLCALL_LOG: "), "{text}");
    assert_eq!(told.0.len(), 7, "{text}");
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    let toml = file("[webhook]\nsecrets = \"hunter2\"\n");
    let text = load(&flags(&[]), &env(&[]), Some(toml.path()))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("unknown key `webhook.secrets`; did you mean `webhook.secret`?"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line_and_without_its_text() {
    let toml = file("[webhook]\nsecret = hunter2\n");
    let text = load(&flags(&[]), &env(&[]), Some(toml.path()))
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("line 2") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn secrets_are_masked_in_rows_and_in_debug() {
    let said = env(&[
        ("WORKOS_WEBHOOK_SECRET", "hunter2"),
        ("DATABASE_URL", "postgres://ann:hunter2@db/roll"),
        ("ROLLCALL_SMTP_URL", "smtps://ann:hunter2@mail"),
    ]);
    let loaded = load(&flags(&[]), &said, None).unwrap();
    let rows = serde_json::to_string(&loaded.rows).unwrap();
    assert!(
        !rows.contains("hunter2") && rows.contains("postgres://ann:***@db/roll"),
        "{rows}"
    );
    assert!(rows.contains("smtps://ann:***@mail"), "{rows}");
    assert!(!format!("{:?}", loaded.config).contains("hunter2"));
}

#[test]
fn a_secret_may_come_from_a_file_without_its_last_newline() {
    let secret = file("first:hunter2\n");
    let path = secret.path().to_str().unwrap();
    let loaded = load(
        &flags(&[]),
        &env(&[("WORKOS_WEBHOOK_SECRET_FILE", path)]),
        None,
    )
    .unwrap();
    assert_eq!(
        loaded.config.webhook.secrets.unwrap().expose_secret(),
        "first:hunter2"
    );
    let row = loaded
        .rows
        .iter()
        .find(|row| row.name == "WORKOS_WEBHOOK_SECRET")
        .unwrap();
    assert_eq!(row.value.as_deref(), Some("***"));
    assert_eq!(
        row.origin.to_string(),
        "environment WORKOS_WEBHOOK_SECRET_FILE"
    );
}

#[test]
fn a_secret_and_its_file_in_one_layer_are_an_error_and_a_higher_layer_wins() {
    let secret = file("from-the-file");
    let path = secret.path().to_str().unwrap();
    let both = env(&[("WORKOS_API_KEY", "hunter2"), ("WORKOS_API_KEY_FILE", path)]);
    let text = load(&flags(&[]), &both, None).unwrap_err().to_string();
    assert!(
        text.contains("WORKOS_API_KEY_FILE") && !text.contains("hunter2"),
        "{text}"
    );
    let only_file = env(&[("WORKOS_API_KEY_FILE", path)]);
    let loaded = load(&flags(&[("workos-api-key", "flagged")]), &only_file, None).unwrap();
    assert_eq!(
        loaded.config.workos.api_key.unwrap().expose_secret(),
        "flagged"
    );
}

#[test]
fn a_secret_file_that_is_empty_or_away_is_told() {
    let empty = file("\n");
    let said = env(&[
        ("WORKOS_API_KEY_FILE", "/nowhere/key"),
        ("ROLLCALL_ADMIN_TOKEN_FILE", empty.path().to_str().unwrap()),
        ("ROLLCALL_LISTEN_FILE", "/nowhere/listen"),
    ]);
    let told = load(&flags(&[]), &said, None).unwrap_err();
    let text = told.to_string();
    assert!(
        text.contains("/nowhere/key") && text.contains("is empty"),
        "{text}"
    );
    assert_eq!(told.0.len(), 2, "only secrets come from files: {text}");
}

#[test]
fn c11_the_tolerance_takes_plain_seconds_of_any_size() {
    let most = u64::MAX.to_string();
    let loaded = load(
        &flags(&[]),
        &env(&[("ROLLCALL_SIGNATURE_TOLERANCE", &most)]),
        None,
    )
    .unwrap();
    assert_eq!(
        loaded.config.webhook.tolerance,
        Duration::from_secs(u64::MAX)
    );
    assert!(
        load(
            &flags(&[]),
            &env(&[("ROLLCALL_SIGNATURE_TOLERANCE", "5m")]),
            None
        )
        .is_err()
    );
}

#[test]
fn lists_come_as_commas_or_as_toml_lists() {
    let toml = file(
        "[http]\nallowed_sources = [\"10.0.0.0/8\", \"::1\"]\n[triggers]\nallow_private_targets = true\n",
    );
    let loaded = load(&flags(&[]), &env(&[]), Some(toml.path())).unwrap();
    let sources: Vec<String> = loaded
        .config
        .http
        .allowed_sources
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(sources, ["10.0.0.0/8", "::1/128"]);
    assert!(loaded.config.triggers.allow_private_targets);
    let by_env = env(&[("ROLLCALL_ALLOWED_SOURCES", "1.2.3.4, 10.0.0.0/8,")]);
    assert_eq!(
        load(&flags(&[]), &by_env, None)
            .unwrap()
            .config
            .http
            .allowed_sources
            .len(),
        2
    );
}

#[test]
fn the_example_file_loads_as_it_is_and_with_everything_commented_in() {
    let toml = file(&reference::example());
    load(&flags(&[]), &env(&[]), Some(toml.path())).unwrap();
    let live: String = reference::example()
        .lines()
        .filter(|line| !line.contains("_file = "))
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let toml = file(&live);
    let loaded = load(&flags(&[]), &env(&[]), Some(toml.path())).unwrap();
    assert_eq!(listen(&loaded).1, "file http.listen");
}

#[test]
fn every_setting_has_names_and_help_of_its_own() {
    let all = settings();
    for setting in &all {
        assert!(
            !setting.help.is_empty() && setting.help.ends_with('.'),
            "{} wants a sentence",
            setting.env
        );
        assert!(setting.key.contains('.'), "{} wants a section", setting.key);
        let same = |other: &&&Setting| {
            other.env == setting.env || other.flag == setting.flag || other.key == setting.key
        };
        assert_eq!(
            all.iter().filter(same).count(),
            1,
            "{} is not alone",
            setting.env
        );
    }
    let shown = load(&flags(&[]), &env(&[]), None).unwrap();
    assert_eq!(shown.rows.len(), all.len(), "every setting is read, once");
}
