//! The mail server as `ROLLCALL_SMTP_URL` names it, and the sender's address.
//!
//! - `smtps://user:password@host` speaks TLS from the first byte (port 465).
//! - `smtp://user:password@host` must upgrade by STARTTLS (port 587), with two exceptions: a loopback
//!   host is spoken to in plain text, and with `ROLLCALL_ALLOW_PRIVATE_TARGETS` a server that offers
//!   no STARTTLS is. `?tls=required` takes the exceptions back.
//!
//! Certificates are always verified.

use std::net::IpAddr;

use lettre::message::Mailbox;
use lettre::transport::smtp::client::TlsParameters;
use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::triggers::definition::address;

/// A mail setting that cannot work. Repeats nothing of the URL, which holds a password.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// Not `smtps://…` or `smtp://…`.
    #[error(
        "ROLLCALL_SMTP_URL: {0}; it is written smtps://user:password@host:465 or smtp://user:password@host:587"
    )]
    Url(&'static str),
    /// No sender.
    #[error(
        "ROLLCALL_MAIL_FROM is missing: set the sender, such as \"Rollcall <rollcall@example.com>\""
    )]
    NoSender,
    /// Not an address.
    #[error(
        "ROLLCALL_MAIL_FROM is no e-mail address; it is written \"Rollcall <rollcall@example.com>\""
    )]
    Sender,
    /// No CA certificates, most often.
    #[error(
        "TLS to the mail server cannot be set up ({0}); is the ca-certificates package installed, or SSL_CERT_FILE set?"
    )]
    Tls(String),
}

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// From the first byte.
    Implicit,
    /// By STARTTLS, or not at all spoken to.
    Required,
    /// By STARTTLS where offered.
    Offered,
    /// Not.
    Plain,
}

/// Where mail goes out.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) parameters: Option<TlsParameters>,
    pub(super) credentials: Option<(String, SecretString)>,
    pub(super) from: Mailbox,
}

impl Server {
    pub(super) fn parse(
        url: &SecretString,
        mail_from: Option<&str>,
        allow_plain: bool,
    ) -> Result<Self, SmtpError> {
        let url =
            Url::parse(url.expose_secret().trim()).map_err(|_| SmtpError::Url("it is no URL"))?;
        let (host, loopback) = host(&url)?;
        let tls = tls(&url, loopback, allow_plain)?;
        let parameters = match tls {
            Tls::Plain => None,
            _ => Some(
                TlsParameters::new(host.clone())
                    .map_err(|error| SmtpError::Tls(error.to_string()))?,
            ),
        };
        let port = url.port().unwrap_or(match tls {
            Tls::Implicit => 465,
            Tls::Plain => 25,
            Tls::Required | Tls::Offered => 587,
        });
        Ok(Self {
            host,
            port,
            tls,
            parameters,
            credentials: credentials(&url)?,
            from: sender(mail_from)?,
        })
    }
}

/// The host without the brackets of an IPv6 address, and whether it is this machine.
fn host(url: &Url) -> Result<(String, bool), SmtpError> {
    // `smtp` is no scheme the URL standard knows, so that IPv4 addresses come as names.
    match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => {
            let loopback = name.eq_ignore_ascii_case("localhost")
                || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            Ok((name.to_owned(), loopback))
        }
        Some(Host::Ipv4(ip)) => Ok((ip.to_string(), ip.is_loopback())),
        Some(Host::Ipv6(ip)) => Ok((ip.to_string(), ip.is_loopback())),
        _ => Err(SmtpError::Url("it names no host")),
    }
}

fn tls(url: &Url, loopback: bool, allow_plain: bool) -> Result<Tls, SmtpError> {
    let asked = match url.query() {
        None => false,
        Some("tls=required") => true,
        Some(_) => return Err(SmtpError::Url("the only option known is ?tls=required")),
    };
    match url.scheme() {
        "smtps" => Ok(Tls::Implicit),
        "smtp" if asked => Ok(Tls::Required),
        "smtp" if loopback => Ok(Tls::Plain),
        "smtp" if allow_plain => Ok(Tls::Offered),
        "smtp" => Ok(Tls::Required),
        _ => Err(SmtpError::Url("it does not begin with smtps:// or smtp://")),
    }
}

fn credentials(url: &Url) -> Result<Option<(String, SecretString)>, SmtpError> {
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(SmtpError::Url("it has a password and no user")),
        (_, None) => Err(SmtpError::Url("it has a user and no password")),
        (user, Some(password)) => Ok(Some((decoded(user), SecretString::from(decoded(password))))),
    }
}

/// Undoes percent-encoding, by the form decoder with its own two special characters put aside.
fn decoded(text: &str) -> String {
    let form = text
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(text, _)| text.into_owned())
        .unwrap_or_default()
}

fn sender(mail_from: Option<&str>) -> Result<Mailbox, SmtpError> {
    let text = mail_from
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .ok_or(SmtpError::NoSender)?;
    let mailbox: Mailbox = text.parse().map_err(|_| SmtpError::Sender)?;
    let email = address(mailbox.email.as_ref()).ok_or(SmtpError::Sender)?;
    let name = mailbox
        .name
        .filter(|name| !name.chars().any(char::is_control));
    Ok(Mailbox::new(name, email))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, allow_plain: bool) -> Result<Server, SmtpError> {
        Server::parse(
            &SecretString::from(url),
            Some("Rollcall <rollcall@example.com>"),
            allow_plain,
        )
    }

    fn mode(url: &str, allow_plain: bool) -> Option<(Tls, u16)> {
        server(url, allow_plain)
            .ok()
            .map(|server| (server.tls, server.port))
    }

    #[test]
    fn tls_is_required_but_on_loopback_or_where_private_targets_are_allowed() {
        assert_eq!(
            mode("smtps://mail.example.com", false),
            Some((Tls::Implicit, 465))
        );
        assert_eq!(
            mode("smtp://mail.example.com", false),
            Some((Tls::Required, 587))
        );
        assert_eq!(
            mode("smtp://mail.example.com:25", true),
            Some((Tls::Offered, 25))
        );
        assert_eq!(
            mode("smtp://mail.example.com?tls=required", true),
            Some((Tls::Required, 587))
        );
        assert_eq!(mode("smtp://10.0.0.1", false), Some((Tls::Required, 587)));
        for loopback in [
            "smtp://127.0.0.1:2525",
            "smtp://localhost:2525",
            "smtp://[::1]:2525",
        ] {
            assert_eq!(
                mode(loopback, false),
                Some((Tls::Plain, 2525)),
                "{loopback}"
            );
        }
        assert_eq!(
            mode("smtp://localhost:2525?tls=required", true),
            Some((Tls::Required, 2525))
        );
        assert_eq!(
            mode("smtp://127.0.0.1.example.com:25", false),
            Some((Tls::Required, 25))
        );
    }

    #[test]
    fn user_and_password_are_decoded() {
        let credentials = server("smtps://a%40b.c:p%3A+%26=%C3%A4@mail.example.com", false)
            .ok()
            .and_then(|server| server.credentials);
        let Some((user, password)) = credentials else {
            panic!("no credentials")
        };
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("a@b.c", "p:+&=ä")
        );
    }

    #[test]
    fn settings_that_cannot_work_are_told_without_repeating_them() {
        for url in [
            "",
            "mail.example.com",
            "http://s3cret@x",
            "smtps://",
            "smtps://s3cret@x",
            "smtps://:s3cret@x",
            "smtp://u:s3cret@x?tls=no",
        ] {
            let Err(error) = server(url, true) else {
                panic!("{url} was taken")
            };
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
        let url = SecretString::from("smtp://localhost");
        assert!(matches!(
            Server::parse(&url, None, false),
            Err(SmtpError::NoSender)
        ));
        for from in [
            "rollcall",
            "a@b@c",
            "x <y>",
            "\"a\r\nb\" <a@example.com>, b@example.com",
        ] {
            assert!(
                matches!(
                    Server::parse(&url, Some(from), false),
                    Err(SmtpError::Sender)
                ),
                "{from}"
            );
        }
    }
}
