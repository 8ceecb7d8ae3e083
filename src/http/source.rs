//! Where a request really comes from: the peer, or behind a trusted proxy the last address in
//! `X-Forwarded-For` that is no trusted proxy itself. Earlier entries are the sender's own words.

use std::net::IpAddr;

use actix_web::HttpRequest;
use ipnet::IpNet;

/// The address a request comes from; `None` when there is no peer (a socket without addresses).
pub(crate) fn of(request: &HttpRequest, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let forwarded: Vec<&str> = request
        .headers()
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    Some(resolve(peer, &forwarded, trusted))
}

fn resolve(peer: IpAddr, forwarded: &[&str], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut source = peer;
    for hop in forwarded.iter().rev() {
        if !is_trusted(&source) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(address) => source = address.to_canonical(),
            Err(_) => break,
        }
    }
    source
}

/// Whether the list lets it in; an empty list lets everybody in.
pub(super) fn is_allowed(source: Option<IpAddr>, allowed: &[IpNet]) -> bool {
    allowed.is_empty()
        || source.is_some_and(|source| allowed.iter().any(|network| network.contains(&source)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nets(all: &[&str]) -> Vec<IpNet> {
        all.iter().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn a_forwarded_address_is_believed_from_a_trusted_proxy_only() {
        let trusted = nets(&["10.0.0.0/8"]);
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let other: IpAddr = "192.0.2.9".parse().unwrap();
        assert_eq!(
            resolve(proxy, &["203.0.113.7"], &trusted),
            "203.0.113.7".parse::<IpAddr>().unwrap()
        );
        assert_eq!(resolve(other, &["203.0.113.7"], &trusted), other);
    }

    #[test]
    fn what_a_sender_wrote_before_the_proxy_is_not_believed() {
        let trusted = nets(&["10.0.0.0/8"]);
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let source = resolve(
            proxy,
            &["3.217.146.166", " 198.51.100.4", "10.0.0.2"],
            &trusted,
        );
        assert_eq!(source, "198.51.100.4".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn an_empty_list_lets_everybody_in_and_a_set_one_does_not() {
        let source = Some("198.51.100.4".parse().unwrap());
        assert!(is_allowed(source, &[]));
        assert!(!is_allowed(source, &nets(&["3.217.146.166/32"])));
        assert!(!is_allowed(None, &nets(&["3.217.146.166/32"])));
    }
}
