//! Mail over SMTP, phase by phase, so that it is known how far an attempt came:
//!
//! | what went wrong | outcome |
//! | --- | --- |
//! | no connection, TLS, or answer in time, before the text was handed over | later |
//! | 4xx anywhere, also to the text | later: the server says that it did not take it |
//! | 5xx as greeting, to AUTH or to MAIL FROM; no STARTTLS | refused destination |
//! | 5xx to RCPT TO, to DATA or to the text; the address is not one | refused message |
//! | no answer after the text | unknown |
//!
//! `lettre` makes the mail and speaks the protocol; its transport would hide the phase, so its
//! connection is driven here, and kept for the next mail. Reasons hold the phase and the reply's
//! code: a server's own words often repeat the address.

mod compose;
mod settings;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::{ExposeSecret, SecretString};

use self::compose::Letter;
pub use self::settings::SmtpError;
use self::settings::{Server, Tls};
use super::Message;
use crate::stop::Cut;
use crate::triggers::Outcome;

/// How many idle connections are kept, and for how long: servers hang up after a minute or more.
const MAX_IDLE: usize = 4;
const IDLE_FOR: Duration = Duration::from_secs(30);
/// For a word on the side: NOOP before reuse, RSET after a refusal.
const ASIDE: Duration = Duration::from_secs(2);

/// How long an attempt may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the connection to the server's "go ahead": running out is later.
    pub(super) before: Duration,
    /// From the first byte of the text to the server's answer: running out is unknown. RFC 5321
    /// asks for ten minutes; a lease cannot wait that long.
    pub(super) after: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            before: Duration::from_secs(30),
            after: Duration::from_secs(60),
        }
    }
}

/// A mail server, and the connections to it that are free.
pub(super) struct Smtp {
    server: Server,
    patience: Patience,
    cut: Cut,
    idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    pub(super) fn new(
        url: &SecretString,
        mail_from: Option<&str>,
        allow_plain: bool,
        patience: Patience,
        cut: Cut,
    ) -> Result<Self, SmtpError> {
        let server = Server::parse(url, mail_from, allow_plain)?;
        Ok(Self {
            server,
            patience,
            cut,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// One attempt.
    pub(super) async fn send(&self, message: &Message) -> Outcome {
        let letter = match compose::letter(&self.server.from, message) {
            Ok(letter) => letter,
            Err(reason) => return Outcome::refused_message(reason),
        };
        let ready = tokio::time::timeout(self.patience.before, self.go_ahead(&letter));
        let ready = tokio::select! {
            ready = ready => ready,
            () = self.cut.reached() => {
                self.cut.leave();
                return Outcome::later("the service stopped before the text was handed over");
            }
        };
        let mut connection = match ready {
            Ok(Ok(connection)) => connection,
            Ok(Err(outcome)) => return outcome,
            Err(_) => {
                return Outcome::later(
                    "the mail server did not answer in time; the text was not handed over",
                );
            }
        };
        match tokio::time::timeout(self.patience.after, connection.message(&letter.text)).await {
            Ok(Ok(reply)) if reply.code().is_positive() && !reply.has_code(354) => {
                self.keep(connection);
                Outcome::sent(format!("{} at the end of the text", reply.code()))
            }
            Ok(Ok(reply)) => Outcome::unknown(format!(
                "the mail server answered {} to the text",
                reply.code()
            )),
            Ok(Err(error)) => self.refused(connection, &error, Phase::Text).await,
            Err(_) => Outcome::unknown("the text was handed over, and no answer came in time"),
        }
    }

    /// Connects, with TLS and log-in as a letter would, and says good-bye.
    pub(super) async fn reach(&self) -> Result<String, String> {
        match tokio::time::timeout(self.patience.before, self.connect()).await {
            Ok(Ok(mut connection)) => {
                // It has been reached: how it takes leave does not matter.
                let _ = connection.quit().await;
                Ok("the mail server let us in".to_owned())
            }
            Ok(Err(outcome)) => Err(outcome.reason().to_owned()),
            Err(_) => Err("the mail server did not answer in time".to_owned()),
        }
    }

    /// A connection on which the server waits for the letter's text.
    async fn go_ahead(&self, letter: &Letter) -> Result<AsyncSmtpConnection, Outcome> {
        let mut connection = match self.free().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        match announce(&mut connection, letter).await {
            Ok(()) => Ok(connection),
            Err(Stop::Reply(error, phase)) => Err(self.refused(connection, &error, phase).await),
            Err(Stop::Said(outcome)) => Err(outcome),
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Outcome> {
        let server = &self.server;
        let hello = ClientId::default();
        let implicit = if server.tls == Tls::Implicit {
            server.parameters.clone()
        } else {
            None
        };
        let address = (server.host.as_str(), server.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            address,
            Some(self.patience.before),
            &hello,
            implicit,
            None,
        )
        .await
        .map_err(|error| unreachable_server(&error))?;
        if let Some(parameters) = self.starttls(&connection)? {
            connection
                .starttls(parameters, &hello)
                .await
                .map_err(|error| unreachable_server(&error))?;
        }
        if let Some(credentials) = &server.credentials {
            authenticate(
                &mut connection,
                &credentials.0,
                credentials.1.expose_secret(),
            )
            .await?;
        }
        Ok(connection)
    }

    /// What to upgrade the connection with. Where TLS is required, a server that does not offer it
    /// gets nothing from us, least of all the password.
    fn starttls(
        &self,
        connection: &AsyncSmtpConnection,
    ) -> Result<Option<lettre::transport::smtp::client::TlsParameters>, Outcome> {
        match self.server.tls {
            Tls::Required if !connection.can_starttls() => Err(Outcome::refused_destination(
                "the mail server offers no STARTTLS; use smtps://, or a server that does",
            )),
            Tls::Required => Ok(self.server.parameters.clone()),
            Tls::Offered if connection.can_starttls() => Ok(self.server.parameters.clone()),
            Tls::Offered | Tls::Implicit | Tls::Plain => Ok(None),
        }
    }

    /// What a failed command means; where the conversation is in step, it is kept for the next mail.
    async fn refused(
        &self,
        mut connection: AsyncSmtpConnection,
        error: &Error,
        phase: Phase,
    ) -> Outcome {
        let outcome = judge(error, phase);
        let in_step = error.status().is_some_and(|code| code.to_string() != "421");
        if in_step
            && matches!(
                tokio::time::timeout(ASIDE, connection.command(Rset)).await,
                Ok(Ok(_))
            )
        {
            self.keep(connection);
        }
        outcome
    }

    /// A kept connection that still answers.
    async fn free(&self) -> Option<AsyncSmtpConnection> {
        loop {
            let (mut connection, since) = self.idle().pop()?;
            let fresh = since.elapsed() < IDLE_FOR;
            if fresh && tokio::time::timeout(ASIDE, connection.test_connected()).await == Ok(true) {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle();
        idle.retain(|(_, since)| since.elapsed() < IDLE_FOR);
        if idle.len() < MAX_IDLE && !connection.has_broken() {
            idle.push((connection, Instant::now()));
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the conversation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Auth,
    From,
    Recipient,
    Data,
    Text,
}

impl Phase {
    fn words(self) -> &'static str {
        match self {
            Self::Auth => "to the login",
            Self::From => "to the sender's address",
            Self::Recipient => "to the recipient's address",
            Self::Data => "before the text",
            Self::Text => "to the text",
        }
    }
}

/// Why the conversation stopped before the text.
enum Stop {
    Reply(Error, Phase),
    Said(Outcome),
}

/// MAIL FROM, RCPT TO, DATA. Each reply must be the one that belongs to its command: a server (or
/// somebody between) whose replies run ahead would otherwise pass for one that took the mail.
async fn announce(connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<(), Stop> {
    let parameters = mail_parameters(connection, letter).map_err(Stop::Said)?;
    let mail = Mail::new(Some(letter.from.clone()), parameters);
    connection
        .command(mail)
        .await
        .map_err(|error| Stop::Reply(error, Phase::From))?;
    let rcpt = Rcpt::new(letter.to.clone(), Vec::new());
    connection
        .command(rcpt)
        .await
        .map_err(|error| Stop::Reply(error, Phase::Recipient))?;
    let reply = connection
        .command(Data)
        .await
        .map_err(|error| Stop::Reply(error, Phase::Data))?;
    if reply.has_code(354) {
        return Ok(());
    }
    Err(Stop::Said(Outcome::later(format!(
        "the mail server answered {} to DATA instead of 354",
        reply.code()
    ))))
}

fn mail_parameters(
    connection: &AsyncSmtpConnection,
    letter: &Letter,
) -> Result<Vec<MailParameter>, Outcome> {
    let offers = |extension| connection.server_info().supports_feature(extension);
    if letter.text.is_ascii() && letter.is_ascii() {
        return Ok(Vec::new());
    }
    if !offers(Extension::SmtpUtfEight) || !offers(Extension::EightBitMime) {
        return Err(Outcome::refused_message(
            "the mail server takes ASCII addresses only (no SMTPUTF8)",
        ));
    }
    Ok(vec![
        MailParameter::SmtpUtfEight,
        MailParameter::Body(MailBodyParameter::EightBitMime),
    ])
}

async fn authenticate(
    connection: &mut AsyncSmtpConnection,
    user: &str,
    password: &str,
) -> Result<(), Outcome> {
    let credentials = Credentials::new(user.to_owned(), password.to_owned());
    match connection.auth(DEFAULT_MECHANISMS, &credentials).await {
        Ok(reply) if reply.has_code(235) => Ok(()),
        Ok(reply) => Err(Outcome::later(format!(
            "the mail server answered {} to the login instead of 235",
            reply.code()
        ))),
        Err(error) if error.is_client() => Err(Outcome::refused_destination(
            "the mail server offers no login we know (PLAIN, LOGIN), though ROLLCALL_SMTP_URL has a user",
        )),
        Err(error) => Err(judge(&error, Phase::Auth)),
    }
}

/// Before anything about the mail was said. The words of the system and of TLS hold no data of
/// persons; a server's greeting is left out.
fn unreachable_server(error: &Error) -> Outcome {
    match error.status() {
        Some(code) if error.is_permanent() => {
            Outcome::refused_destination(format!("the mail server greeted with {code}"))
        }
        Some(code) => Outcome::later(format!("the mail server greeted with {code}")),
        None => Outcome::later(format!("no conversation with the mail server: {error}")),
    }
}

fn judge(error: &Error, phase: Phase) -> Outcome {
    let Some(code) = error.status() else {
        return match phase {
            Phase::Text => Outcome::unknown(
                "the text was handed over, and the connection was lost before an answer",
            ),
            _ => Outcome::later(format!(
                "the connection to the mail server was lost {}",
                phase.words()
            )),
        };
    };
    let reason = format!("the mail server answered {code} {}", phase.words());
    match phase {
        _ if error.is_transient() => Outcome::later(reason),
        Phase::Auth | Phase::From => Outcome::refused_destination(reason),
        Phase::Recipient | Phase::Data | Phase::Text => Outcome::refused_message(reason),
    }
}

#[cfg(test)]
#[path = "smtp_tests.rs"]
mod tests;
