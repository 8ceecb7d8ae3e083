//! The mail itself: headers that nothing can be slipped into, text and HTML side by side, and line
//! ends that are CRLF and nothing else. `lettre` up to 0.11.23 leaves a lone CR or LF alone when it
//! doubles leading dots (RUSTSEC-2026-0561), so that `\n.\n` in a text could end the mail and begin
//! another at servers which take a lone LF for a line end; here no lone one survives.

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message as Mail};
use sha2::{Digest, Sha256};

use crate::triggers::channels::Message;
use crate::triggers::definition::address;
use crate::triggers::template::one_line;

/// A mail ready for the wire.
pub(super) struct Letter {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) text: Vec<u8>,
}

impl Letter {
    /// Whether both addresses are ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        let (from, to): (&str, &str) = (self.from.as_ref(), self.to.as_ref());
        from.is_ascii() && to.is_ascii()
    }
}

/// Writes the mail; the error says why this message can never be one.
pub(super) fn letter(from: &Mailbox, message: &Message) -> Result<Letter, &'static str> {
    let to = address(&message.recipient)
        .ok_or("the recipient's address is not one mail can be sent to")?;
    let builder = Mail::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(one_line(message.subject.as_deref().unwrap_or_default()))
        .date(message.at.to_chrono().into())
        .message_id(Some(message_id(&message.delivery_key, from.email.domain())))
        // RFC 3834: no out-of-office answers, please.
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    let text = clean(&message.text);
    let mail = match &message.html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, clean(html))),
        None => builder.singlepart(SinglePart::plain(text)),
    };
    let mail = mail.map_err(|_| "the mail cannot be put together")?;
    Ok(Letter {
        from: from.email.clone(),
        to,
        text: crlf(&mail.formatted()),
    })
}

/// The same on every attempt, so that two accepted copies could at least be told for one mail; a
/// digest, because the key names people.
fn message_id(delivery_key: &str, domain: &str) -> String {
    let digest = hex::encode(Sha256::digest(delivery_key.as_bytes()));
    format!("<{}@{domain}>", digest.get(..32).unwrap_or(&digest))
}

/// Line ends become LF, which `lettre` makes CRLF; other control characters go.
fn clean(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines
        .chars()
        .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
        .collect()
}

/// Every CR, LF or CRLF becomes CRLF. The last word, after all encoding.
fn crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut before = 0;
    for &byte in text {
        match byte {
            b'\n' if before == b'\r' => {}
            b'\r' | b'\n' => out.extend_from_slice(b"\r\n"),
            _ => out.push(byte),
        }
        before = byte;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn from() -> Mailbox {
        "Rollcall <rollcall@example.com>"
            .parse()
            .unwrap_or_else(|error| panic!("{error}"))
    }

    fn message(recipient: &str, subject: &str, text: &str) -> Message {
        Message {
            delivery_key: "p1/t1/0/1".into(),
            recipient: recipient.into(),
            subject: Some(subject.into()),
            text: text.into(),
            html: None,
            payload: None,
            event_type: None,
            at: Timestamp::parse("2026-11-23T10:00:00Z").unwrap_or_default(),
        }
    }

    fn written(message: &Message) -> String {
        let letter = letter(&from(), message).unwrap_or_else(|error| panic!("{error}"));
        String::from_utf8_lossy(&letter.text).into_owned()
    }

    #[test]
    fn every_line_end_becomes_crlf() {
        assert_eq!(
            crlf(b"a\rb\nc\r\nd\n\re\r\r\nf\n\n"),
            b"a\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\nf\r\n\r\n"
        );
    }

    #[test]
    fn no_lone_cr_or_lf_is_left_in_a_mail() {
        for text in [
            "a\n.\nb",
            "a\r.\rb",
            "a\r\n.\r\nb",
            "a\n\r.\n\rb",
            "a\u{b}.\u{85}b\r",
            "ä\n.\r\nö",
            &"x".repeat(3_000),
        ] {
            let mut mail = message("ada@example.org", "s", text);
            mail.html = Some(text.to_owned());
            let written = written(&mail);
            let bare = written.replace("\r\n", "");
            assert!(!bare.contains(['\r', '\n']), "{text:?}");
        }
    }

    #[test]
    fn the_headers_are_those_of_an_automatic_mail_and_the_same_every_time() {
        let mail = message("ada@example.org", "Welcome", "hello");
        let first = written(&mail);
        for header in [
            "From: Rollcall <rollcall@example.com>\r\n",
            "To: ada@example.org\r\n",
            "Subject: Welcome\r\n",
            "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
        ] {
            assert!(first.contains(header), "{header} not in {first}");
        }
        let id = first
            .lines()
            .find(|line| line.starts_with("Message-ID: <"))
            .map(str::to_owned);
        assert!(
            id.as_ref()
                .is_some_and(|id| id.ends_with("@example.com>") && !id.contains("p1")),
            "{id:?}"
        );
        assert!(id.is_some_and(|id| written(&mail).contains(&id)));
    }

    #[test]
    fn nothing_can_be_slipped_into_the_headers() {
        let written = written(&message(
            "ada@example.org",
            "Hi\r\nBcc: all@example.org\r\n\r\nBody",
            "x",
        ));
        assert!(
            written.contains("Subject: Hi Bcc: all@example.org Body\r\n"),
            "{written}"
        );
        assert!(!written.contains("\r\nBcc:"), "{written}");
    }

    #[test]
    fn addresses_that_are_not_plain_are_refused() {
        for recipient in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "ada@example.org>\r\nRCPT TO:<all@example.org",
            "ada@example.org\r\nDATA",
            "<ada@example.org>",
            "Ada <ada@example.org>",
            "ada@example.org, all@example.org",
            "\"ada\r\n\"@example.org",
            "\"a>b\"@example.org",
            "ada b@example.org",
            "ada@exa\u{0}mple.org",
            "ada@[127.0.0.1]",
        ] {
            assert!(
                letter(&from(), &message(recipient, "s", "t")).is_err(),
                "{recipient:?}"
            );
        }
        assert!(
            letter(&from(), &message("ada+x.y@exämple.org", "s", "t"))
                .is_ok_and(|letter| letter.is_ascii())
        );
        assert!(
            letter(&from(), &message("ädä@example.org", "s", "t"))
                .is_ok_and(|letter| !letter.is_ascii())
        );
    }
}
