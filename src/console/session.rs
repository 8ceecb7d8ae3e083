//! What a signed-in browser carries: 32 random bytes and nothing else. The server knows them by their
//! SHA-256, so neither the database nor its backups sign anybody in, no key has to be kept, several processes
//! agree, and signing out ends the session for whoever copied the cookie. A form's CSRF token is an HMAC
//! under those bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The cookie's name.
pub(super) const COOKIE: &str = "rollcall_session";

const ID: &[u8] = b"rollcall console session\0";
const CSRF: &[u8] = b"rollcall console csrf\0";

/// A browser's session.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Session([u8; 32]);

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Session(***)")
    }
}

impl Session {
    /// A new session; `None` when the system gives no random bytes.
    pub fn new() -> Option<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).ok()?;
        Some(Self(secret))
    }

    /// As the cookie's value.
    pub fn cookie(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads a cookie's value; whether anybody is signed in under it is looked up by [`Session::id`].
    pub fn read(value: &str) -> Option<Self> {
        let secret = URL_SAFE_NO_PAD.decode(value).ok()?;
        Some(Self(secret.try_into().ok()?))
    }

    /// What the server knows it by.
    pub fn id(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(ID);
        hash.update(self.0);
        hash.finalize().into()
    }

    /// What every form of this session carries.
    pub fn csrf(&self) -> String {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.0) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        };
        mac.update(CSRF);
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether a form's token is this session's, compared in constant time.
    pub fn is_own(&self, csrf: &str) -> bool {
        bool::from(self.csrf().as_bytes().ct_eq(csrf.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_comes_back_from_its_cookie() {
        let session = Session::new().unwrap();
        assert!(Session::read(&session.cookie()) == Some(session));
    }

    #[test]
    fn neither_what_the_server_keeps_nor_a_form_is_a_session() {
        let session = Session::new().unwrap();
        let kept = URL_SAFE_NO_PAD.encode(session.id());
        for other in [kept, session.csrf()] {
            let read = Session::read(&other).unwrap();
            assert!(read.id() != session.id(), "{other}");
        }
        for text in ["", ".", "AAAA", "AAAA.AAAA", "ä.ö"] {
            assert!(Session::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_form_of_another_session_is_refused() {
        let (one, other) = (Session::new().unwrap(), Session::new().unwrap());
        assert!(one.is_own(&one.csrf()));
        assert!(!one.is_own(&other.csrf()));
        assert!(!one.is_own(""));
    }

    #[test]
    fn a_session_is_not_shown_in_a_log() {
        let session = Session::new().unwrap();
        assert!(!format!("{session:?}").contains(&session.cookie()));
    }
}
