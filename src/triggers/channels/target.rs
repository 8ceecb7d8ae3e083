//! Which web addresses a message may go to: the guard against being used to reach what only we can
//! reach (SSRF). Pure. It judges a URL as written, and every address a name resolves to (asked by
//! `client`, which connects to no other). IP literals are judged here, since an HTTP client does not
//! ask its resolver about them.
//!
//! Without `ROLLCALL_ALLOW_PRIVATE_TARGETS`: https and public addresses only. With it: plain http,
//! loopback and private networks too; link-local (where clouds keep their metadata), multicast and
//! reserved addresses never.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Why a message may not go to a URL. Names no part of the URL but its scheme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It does not parse, or has no host.
    #[error("this is no web address; an https URL is wanted")]
    NotAUrl,
    /// Plain http, or something else.
    #[error(
        "{0} addresses are not called; use https (http only with ROLLCALL_ALLOW_PRIVATE_TARGETS)"
    )]
    Scheme(String),
    /// `https://user:password@…`.
    #[error("the URL holds a user name or password; put a secret into its path or query instead")]
    UserInfo,
    /// It is, or resolves to, an address that is not public.
    #[error(
        "the address is not a public one; private and loopback addresses need ROLLCALL_ALLOW_PRIVATE_TARGETS at start-up"
    )]
    Private,
}

/// Judges a URL as written: scheme, user info, IP literals and `localhost`. Names are judged again
/// when they are resolved.
pub fn check_url(text: &str, allow_private: bool) -> Result<Url, TargetError> {
    if text.len() > 2_048
        || text
            .chars()
            .any(|letter| letter.is_control() || letter.is_whitespace())
    {
        return Err(TargetError::NotAUrl);
    }
    let url = Url::parse(text).map_err(|_| TargetError::NotAUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        scheme => return Err(TargetError::Scheme(scheme.chars().take(20).collect())),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::UserInfo);
    }
    let address = match url.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(name)) if is_localhost(name) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        Some(Host::Domain(_)) => None,
        None => return Err(TargetError::NotAUrl),
    };
    match address {
        Some(address) if !may_reach(address, allow_private) => Err(TargetError::Private),
        _ => Ok(url),
    }
}

/// RFC 6761: `localhost` and everything below it is this machine, whatever a resolver says.
fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a connection to this address is permitted.
pub fn may_reach(address: IpAddr, allow_private: bool) -> bool {
    match address {
        IpAddr::V4(ip) => may_reach_v4(ip, allow_private),
        IpAddr::V6(ip) => may_reach_v6(ip, allow_private),
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length)
}

const fn v6(first: u16, second: u16, third: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), length)
}

/// Networks of one's own: RFC 1918, loopback, and carrier-grade NAT (RFC 6598).
const PRIVATE_V4: [Ipv4Net; 5] = [
    v4(127, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(100, 64, 0, 0, 10),
];

/// The rest of IANA's special-purpose registry: this-network, link-local with the metadata address,
/// protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved, broadcast.
const NEVER_V4: [Ipv4Net; 10] = [
    v4(0, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

fn may_reach_v4(ip: Ipv4Addr, allow_private: bool) -> bool {
    !NEVER_V4.iter().any(|net| net.contains(&ip))
        && (allow_private || !PRIVATE_V4.iter().any(|net| net.contains(&ip)))
}

/// Unique local addresses (RFC 4193).
const PRIVATE_V6: Ipv6Net = v6(0xfc00, 0, 0, 7);
/// All that is handed out as global unicast.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);
/// What in there is not: protocol assignments with Teredo, documentation twice, 6to4.
const NEVER_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0xdb8, 0, 32),
    v6(0x3fff, 0, 0, 20),
    v6(0x2002, 0, 0, 16),
];
/// NAT64 (RFC 6052): an IPv4 address in its last 32 bits, judged as such.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// The cloud metadata address of AWS, inside the unique local range.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

fn may_reach_v6(ip: Ipv6Addr, allow_private: bool) -> bool {
    if NAT64.contains(&ip) {
        let [.., a, b, c, d] = ip.octets();
        return may_reach_v4(Ipv4Addr::new(a, b, c, d), allow_private);
    }
    if ip.is_loopback() || PRIVATE_V6.contains(&ip) {
        return allow_private && ip != METADATA_V6;
    }
    GLOBAL_V6.contains(&ip) && !NEVER_V6.iter().any(|net| net.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_https_addresses_pass() {
        for url in [
            "https://hooks.slack.com/services/T0/B0/x",
            "https://app.example.com:8443/a?b=c",
            "https://8.8.8.8/x",
            "https://[2606:4700::1111]/x",
            "https://[64:ff9b::808:808]/x",
            "https://localhost.example.com/x",
        ] {
            assert!(check_url(url, false).is_ok(), "{url}");
        }
    }

    #[test]
    fn every_spelling_of_a_private_address_is_refused() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "0177.0.0.1",
            "127.0.0.1.",
            "１２７.0.0.1",
            "127.0.0.1:443",
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "0.0.0.0",
            "0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:8.8.8.8]",
            "[::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::a9fe:a9fe]",
            "[64:ff9b:1::1]",
            "[fc00::1]",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[2001::1]",
            "[2001:db8::1]",
            "[2002:7f00:1::]",
            "[3fff::1]",
            "[100::1]",
            "[5f00::1]",
            "[4000::1]",
        ] {
            let url = format!("https://{host}/x");
            assert!(
                matches!(
                    check_url(&url, false),
                    Err(TargetError::Private | TargetError::NotAUrl)
                ),
                "{url}"
            );
        }
    }

    #[test]
    fn with_private_targets_allowed_metadata_and_multicast_still_are_not() {
        for host in [
            "127.0.0.1",
            "localhost:8080",
            "10.0.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "[::1]",
            "[fd12::1]",
        ] {
            assert!(
                check_url(&format!("http://{host}/x"), true).is_ok(),
                "{host}"
            );
        }
        for host in [
            "169.254.169.254",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "0.0.0.0",
            "[::]",
            "224.0.0.1",
            "255.255.255.255",
            "[::ffff:127.0.0.1]",
            "[64:ff9b::a9fe:a9fe]",
        ] {
            assert!(
                check_url(&format!("http://{host}/x"), true).is_err(),
                "{host}"
            );
        }
    }

    #[test]
    fn other_schemes_user_info_and_nonsense_are_refused() {
        for (url, error) in [
            ("http://example.com/", TargetError::Scheme("http".into())),
            ("ftp://example.com/", TargetError::Scheme("ftp".into())),
            ("file:///etc/passwd", TargetError::Scheme("file".into())),
            ("https://user@example.com/", TargetError::UserInfo),
            ("https://user:pw@example.com/", TargetError::UserInfo),
            ("https://:pw@example.com/", TargetError::UserInfo),
            ("https://", TargetError::NotAUrl),
            ("example.com/x", TargetError::NotAUrl),
            ("https://example.com/\r\nHost: x", TargetError::NotAUrl),
            ("https://exa mple.com/", TargetError::NotAUrl),
        ] {
            assert_eq!(check_url(url, false), Err(error), "{url}");
        }
        assert_eq!(
            check_url("https://example.com@127.0.0.1/", false),
            Err(TargetError::UserInfo)
        );
        assert_eq!(
            check_url("https:\\\\127.0.0.1/", false),
            Err(TargetError::Private)
        );
    }
}
