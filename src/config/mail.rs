//! Sending mail: the server, and whom messages come from.

use secrecy::SecretString;

use super::reader::{Reader, text};
use super::setting::{Setting, Shown};

/// Outgoing mail.
#[derive(Debug, Clone)]
pub struct Mail {
    /// `smtps://user:password@host`, or `smtp://…` as `lettre` reads it; `None`: mail is not set up.
    pub smtp_url: Option<SecretString>,
    /// Sender of every message: an address, or `Name <address>`.
    pub from: Option<String>,
}

const SMTP_URL: Setting = Setting::new("ROLLCALL_SMTP_URL", "smtp-url", "mail.smtp_url")
    .help(
        "URL",
        "Mail server: `smtps://user:password@host` (TLS from the start), `smtp://host:587?tls=required` (STARTTLS).",
    )
    .shown(Shown::UrlWithPassword);

const FROM: Setting = Setting::new("ROLLCALL_MAIL_FROM", "mail-from", "mail.from").help(
    "ADDRESS",
    "Sender of every mail: `people@example.com` or `People Team <people@example.com>`.",
);

pub(super) const SETTINGS: &[Setting] = &[SMTP_URL, FROM];

pub(super) fn read(from: &mut Reader<'_>) -> Option<Mail> {
    let smtp_url = from.value(&SMTP_URL, smtp_url);
    let sender = from.value(&FROM, text);
    Some(Mail {
        smtp_url,
        from: sender,
    })
}

fn smtp_url(text: &str) -> Result<SecretString, String> {
    let known = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps") && url.has_host());
    if known {
        Ok(SecretString::from(text))
    } else {
        Err("is not a mail server's URL: write `smtps://user:password@host` or `smtp://host:587?tls=required`, \
             special characters in the password percent-encoded"
            .to_owned())
    }
}
