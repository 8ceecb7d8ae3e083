//! What a signed-in browser carries: the digest of its token, an end, and a nonce, under an
//! HMAC-SHA256. Nothing is kept on the server, so several processes agree, and because the token is
//! looked up again on every request, revoking it ends the session at once. A form's CSRF token is an
//! HMAC over the same session under another label.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::Timestamp;

/// The cookie's name.
pub(super) const COOKIE: &str = "rollcall_session";
/// How long a session lasts: a working day.
pub(super) const LIFETIME: Duration = Duration::from_secs(12 * 3_600);

const SESSION: &[u8] = b"rollcall console session\0";
const CSRF: &[u8] = b"rollcall console csrf\0";
const NONCE: usize = 16;
const LENGTH: usize = 32 + 8 + NONCE;

/// The key of sessions, the same in every process of one installation.
#[derive(Clone)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// A key from what only this installation's processes know.
    pub fn derive<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new_with_prefix(b"console");
        for secret in secrets {
            // With its length, so that no two lists run together into one text.
            hash.update((secret.len() as u64).to_be_bytes());
            hash.update(secret);
        }
        Self(hash.finalize().into())
    }

    fn mac(&self, label: &[u8], message: &[u8]) -> [u8; 32] {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        };
        mac.update(label);
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

/// A signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    /// SHA-256 of the token.
    pub digest: [u8; 32],
    /// When it ends.
    pub ends: Timestamp,
    nonce: [u8; NONCE],
}

impl Session {
    /// A new session; `None` when the system gives no random bytes.
    pub fn begin(token: &str, now: Timestamp) -> Option<Self> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        Some(Self {
            digest: Sha256::digest(token).into(),
            ends: now.plus(LIFETIME),
            nonce,
        })
    }

    /// As the cookie's value.
    pub fn seal(&self, key: &SessionKey) -> String {
        let bytes = self.bytes();
        format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&bytes),
            URL_SAFE_NO_PAD.encode(key.mac(SESSION, &bytes))
        )
    }

    /// Reads a cookie's value; `None` when it is not ours or has ended.
    pub fn open(value: &str, key: &SessionKey, now: Timestamp) -> Option<Self> {
        let (bytes, mac) = value.split_once('.')?;
        let bytes = URL_SAFE_NO_PAD.decode(bytes).ok()?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        if !bool::from(key.mac(SESSION, &bytes).as_slice().ct_eq(&mac)) || bytes.len() != LENGTH {
            return None;
        }
        let (digest, rest) = bytes.split_first_chunk::<32>()?;
        let (ends, nonce) = rest.split_first_chunk::<8>()?;
        let session = Self {
            digest: *digest,
            ends: Timestamp(i64::from_be_bytes(*ends)),
            nonce: nonce.try_into().ok()?,
        };
        (session.ends > now).then_some(session)
    }

    /// What every form of this session carries.
    pub fn csrf(&self, key: &SessionKey) -> String {
        URL_SAFE_NO_PAD.encode(key.mac(CSRF, &self.bytes()))
    }

    /// Whether a form's token is this session's, compared in constant time.
    pub fn is_own(&self, csrf: &str, key: &SessionKey) -> bool {
        bool::from(self.csrf(key).as_bytes().ct_eq(csrf.as_bytes()))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(self.digest);
        bytes.extend(self.ends.micros().to_be_bytes());
        bytes.extend(self.nonce);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    fn key() -> SessionKey {
        SessionKey::derive(["whsec_1", "token"])
    }

    #[test]
    fn a_session_comes_back_as_it_was_sealed() {
        let session = Session::begin("rollcall_abc", NOW).unwrap();
        assert_eq!(
            Session::open(&session.seal(&key()), &key(), NOW),
            Some(session)
        );
    }

    #[test]
    fn a_changed_session_is_nobodys() {
        let session = Session::begin("rollcall_abc", NOW).unwrap();
        let value = session.seal(&key());
        for place in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(bytes).unwrap();
            // The last character of an encoded part has spare bits: some changes are no change.
            let opened = Session::open(&forged, &key(), NOW);
            assert!(
                opened.is_none() || opened == Some(session.clone()),
                "{place}"
            );
        }
        let other = SessionKey::derive(["whsec_1token"]);
        assert_eq!(Session::open(&value, &other, NOW), None);
        for text in ["", ".", "AAAA", "AAAA.AAAA", "ä.ö"] {
            assert_eq!(Session::open(text, &key(), NOW), None);
        }
    }

    #[test]
    fn a_csrf_token_is_no_session() {
        let session = Session::begin("rollcall_abc", NOW).unwrap();
        let value = session.seal(&key());
        let bytes = value.split_once('.').unwrap().0;
        let forged = format!("{bytes}.{}", session.csrf(&key()));
        assert_eq!(Session::open(&forged, &key(), NOW), None);
    }

    #[test]
    fn a_session_ends() {
        let session = Session::begin("rollcall_abc", NOW).unwrap();
        let value = session.seal(&key());
        let almost = NOW.plus(LIFETIME).minus(Duration::from_secs(1));
        assert!(Session::open(&value, &key(), almost).is_some());
        assert!(Session::open(&value, &key(), NOW.plus(LIFETIME)).is_none());
    }

    #[test]
    fn a_form_of_another_session_is_refused() {
        let one = Session::begin("rollcall_abc", NOW).unwrap();
        let other = Session::begin("rollcall_abc", NOW).unwrap();
        assert!(one.is_own(&one.csrf(&key()), &key()));
        assert!(!one.is_own(&other.csrf(&key()), &key()));
        assert!(!one.is_own("", &key()));
    }
}
