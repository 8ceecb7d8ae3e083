//! Where a command that signs or verifies finds the webhook secret: said with `--secret`, else the
//! configuration's, else the one that `serve --dev` keeps beside its database.

use secrecy::{ExposeSecret, SecretString};

use super::{Exit, Failure};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::workos::Secrets;

/// Where `serve --dev` keeps the webhook secret that it made up.
pub const DEV_SECRET_FILE: &str = ".rollcall/webhook-secret";

/// The secrets to verify with; the first of them signs.
pub(super) fn find(said: Option<&str>, config: &Config) -> Result<Secrets, Failure> {
    let text = match (said, &config.webhook.secrets) {
        (Some(said), _) => SecretString::from(said),
        (None, Some(configured)) => configured.clone(),
        (None, None) => of_dev_mode()?,
    };
    Secrets::parse(text.expose_secret())
        .map_err(|why| Failure::new(Exit::Configuration, why.to_string()))
}

/// The `WorkOS-Signature` header of `body`, signed with the first of `secrets` at `at`.
pub(super) fn sign(secrets: &Secrets, at: Timestamp, body: &[u8]) -> Result<String, Failure> {
    secrets.sign(at, body).ok_or_else(none)
}

fn of_dev_mode() -> Result<SecretString, Failure> {
    match std::fs::read_to_string(DEV_SECRET_FILE) {
        Ok(text) => Ok(SecretString::from(text.trim())),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Err(none()),
        Err(why) => Err(Failure::new(
            Exit::Configuration,
            format!("the webhook secret in {DEV_SECRET_FILE} cannot be read: {why}"),
        )),
    }
}

fn none() -> Failure {
    Failure::new(Exit::Configuration, "there is no webhook secret to sign or verify with").hint(format!(
        "say --secret, or set WORKOS_WEBHOOK_SECRET to the endpoint's secret from the WorkOS dashboard \
         (Developer, Webhooks); `rollcall serve --dev` makes one up in {DEV_SECRET_FILE}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(said: Option<&str>, config: &Config) -> Vec<String> {
        find(said, config)
            .unwrap()
            .labels()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn what_was_said_wins_over_the_configuration() {
        let mut config = Config::defaults().unwrap();
        config.webhook.secrets = Some(SecretString::from("configured:hunter2"));
        assert_eq!(labels(Some("said:hunter2"), &config), ["said"]);
        assert_eq!(labels(None, &config), ["configured"]);
        assert_eq!(
            find(Some("a:b,,"), &config).unwrap_err().exit,
            Exit::Configuration
        );
    }

    #[test]
    fn the_first_secret_signs() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let config = Config::defaults().unwrap();
        let signed = |said: &str| sign(&find(Some(said), &config).unwrap(), at, b"body").unwrap();
        assert_eq!(
            signed("new:secret,old:x"),
            crate::workos::sign("secret", at, b"body")
        );
        assert_eq!(signed("secret"), signed("new:secret,old:x"));
    }
}
