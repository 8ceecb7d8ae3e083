//! How many connections there are, in all and from one peer. One too many is answered 503 at once, before
//! anything is read from it, and closed. What nobody takes off an answer is given up by the system.
//! Proxies that are trusted speak for many, so the bound of one peer is not theirs. When the server ends,
//! whoever is still connected is answered 503, too, however little of a request has come.

use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use ipnet::IpNet;
use socket2::{SockRef, Socket};

use super::bucket::network_of;
use super::drain::STOPPING;
use super::talk::{Talk, copy_of};

const TOO_MANY: &str = "too many connections; try again shortly";

/// An answer as it goes over the wire, for a connection from which no request was read.
fn bare_answer(detail: &str) -> String {
    let body = format!(
        "{{\"type\":\"urn:rollcall:problem:unavailable\",\"title\":\"Service Unavailable\",\"status\":503,\
         \"detail\":\"{detail}\"}}"
    );
    format!(
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\n\
         Content-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Bounds on connections.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// In all.
    pub most: usize,
    /// From one peer; a /64 of IPv6 counts as one.
    pub per_peer: usize,
    /// How long what is sent may wait to be taken.
    pub time: Duration,
    /// Not bounded by peer.
    pub trusted: Vec<IpNet>,
}

/// Who is connected.
#[derive(Debug, Clone)]
pub struct Connections {
    bounds: Arc<Bounds>,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_peer: HashMap<IpAddr, usize>,
    next: u64,
    talks: HashMap<u64, Listed>,
}

/// A connection as it is found again when the server ends.
#[derive(Debug)]
struct Listed {
    descriptor: RawFd,
    peer: SocketAddr,
    talk: Arc<Talk>,
}

/// On a connection that was turned away: nothing more is answered there.
pub(super) struct TurnedAway;

/// Counts a connection for as long as it lasts.
pub(super) struct Counted {
    peer: IpAddr,
    number: u64,
    /// How the conversation stands.
    pub(super) talk: Arc<Talk>,
    open: Arc<Mutex<Open>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.talks.remove(&self.number);
        open.all = open.all.saturating_sub(1);
        if let Some(count) = open.by_peer.get_mut(&self.peer) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

impl Connections {
    /// Under these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds: Arc::new(bounds),
            open: Arc::default(),
        }
    }

    /// Called for each connection that the server has accepted.
    pub fn accepted(&self, stream: &dyn Any, about: &mut Extensions) {
        let Some(stream) = stream.downcast_ref::<TcpStream>() else {
            return;
        };
        let socket = SockRef::from(stream);
        #[cfg(target_os = "linux")]
        if let Err(error) = socket.set_tcp_user_timeout(Some(self.bounds.time)) {
            tracing::debug!(%error, "a connection has no time limit for what it does not take");
        }
        let peer = stream.peer_addr().ok();
        if let Some(counted) = self.count(peer.map(|peer| peer.ip())) {
            if let Some(peer) = peer {
                self.list(&counted, stream.as_raw_fd(), peer);
            }
            about.insert(counted);
            return;
        }
        about.insert(TurnedAway);
        // Best effort: whoever has no room for a hundred bytes is closed without them.
        let _ = socket.send(bare_answer(TOO_MANY).as_bytes());
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }

    fn count(&self, address: Option<IpAddr>) -> Option<Counted> {
        let canonical = address.map(|address| address.to_canonical());
        let trusted = canonical
            .is_some_and(|address| self.bounds.trusted.iter().any(|net| net.contains(&address)));
        let peer = network_of(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = open.by_peer.get(&peer).copied().unwrap_or(0);
        if open.all >= self.bounds.most || (theirs >= self.bounds.per_peer && !trusted) {
            return None;
        }
        open.all += 1;
        open.next += 1;
        open.by_peer.insert(peer, theirs + 1);
        Some(Counted {
            peer,
            number: open.next,
            talk: Arc::default(),
            open: Arc::clone(&self.open),
        })
    }

    fn list(&self, counted: &Counted, descriptor: RawFd, peer: SocketAddr) {
        let listed = Listed {
            descriptor,
            peer,
            talk: Arc::clone(&counted.talk),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.talks.insert(counted.number, listed);
    }

    /// Whether some request is being answered now.
    pub fn is_answering(&self) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.talks.values().any(|listed| listed.talk.is_answering())
    }

    /// The server ends: answers everybody who is still connected and is not being answered. A request of
    /// which a part has come, or which is on its way, has its answer by that; who waits for nothing closes.
    /// What is answered with lives on in what is returned, to be read off until the other side has closed:
    /// closing before would take the answer away again.
    #[must_use = "closing at once would take the answers away"]
    pub fn turn_away_everybody(&self) -> Vec<Socket> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = open.talks.values().filter(|listed| listed.talk.end());
        let copies = waiting.filter_map(|listed| copy_of(listed.descriptor, listed.peer));
        copies
            .inspect(|socket| {
                // Best effort, as above; it does not block, because the server's sockets do not.
                let _ = socket.send(bare_answer(STOPPING).as_bytes());
                let _ = socket.shutdown(std::net::Shutdown::Write);
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(most: usize, per_peer: usize) -> Connections {
        Connections::new(Bounds {
            most,
            per_peer,
            time: Duration::from_secs(1),
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
        })
    }

    fn peer(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn one_peer_has_its_share_and_others_theirs() {
        let all = connections(5, 2);
        let held: Vec<_> = (0..2).map(|_| all.count(peer(1)).unwrap()).collect();
        assert!(all.count(peer(1)).is_none());
        assert!(all.count(peer(2)).is_some());
        drop(held);
        assert!(all.count(peer(1)).is_some());
        assert_eq!(all.open.lock().unwrap().by_peer.len(), 0);
    }

    #[test]
    fn a_trusted_proxy_is_bounded_with_all_the_others_only() {
        let all = connections(5, 2);
        let proxy = Some(IpAddr::from([10, 0, 0, 1]));
        let held: Vec<_> = (0..5).map(|_| all.count(proxy).unwrap()).collect();
        assert!(all.count(proxy).is_none() && all.count(peer(1)).is_none());
        drop(held);
    }

    #[test]
    fn the_answer_says_its_own_length() {
        for detail in [TOO_MANY, STOPPING] {
            let text = bare_answer(detail);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())));
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
        }
    }
}
