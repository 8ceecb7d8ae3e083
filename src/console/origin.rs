//! Whether a form was sent from our own pages, as far as the browser says. Every browser of today
//! sends `Sec-Fetch-Site` over HTTPS and to localhost; where it is missing, `Origin` is compared
//! with `Host`. Our pages send no referrer, which makes `Origin` read `null`: that says nothing,
//! and the CSRF token alone decides.

use actix_web::http::header::{HOST, HeaderMap, ORIGIN};

use super::refusal::Refusal;

/// Refuses what another site sent.
pub(super) fn own_site(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, None | Some("null")) => true,
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(HOST.as_str())
        }
    };
    if own {
        return Ok(());
    }
    Err(Refusal::foreign_form())
}

/// Whether the browser spoke to this very machine: only then may the cookie go over plain HTTP.
pub(super) fn is_local(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn judged(all: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        own_site(&headers).is_ok()
    }

    #[test]
    fn a_form_from_another_site_is_refused() {
        assert!(judged(&[("sec-fetch-site", "same-origin")]));
        assert!(judged(&[
            ("host", "a.example"),
            ("origin", "https://a.example")
        ]));
        assert!(judged(&[("host", "a.example"), ("origin", "null")]));
        assert!(judged(&[]));
        assert!(!judged(&[("sec-fetch-site", "cross-site")]));
        assert!(!judged(&[("sec-fetch-site", "same-site")]));
        assert!(!judged(&[
            ("host", "a.example"),
            ("origin", "https://b.example")
        ]));
    }

    #[test]
    fn only_this_machine_may_do_without_https() {
        for host in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "rollcall.example",
            "localhost.example:80",
            "10.0.0.1",
            "",
            "[::2]:1",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
