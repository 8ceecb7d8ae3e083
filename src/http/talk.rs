//! How the conversation on one connection stands: whether a request is being answered, and whether the
//! answer said that it was the last. What the server's end needs to know of each connection, and no more.

use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use socket2::Socket;

/// One connection's.
#[derive(Debug, Default)]
pub(super) struct Talk(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    answering: u32,
    over: bool,
}

impl Talk {
    /// A request's head has come.
    pub(super) fn request(&self) {
        self.with(|state| state.answering += 1);
    }

    /// Its answer has gone; `last` where it said so.
    pub(super) fn answered(&self, last: bool) {
        self.with(|state| {
            state.answering = state.answering.saturating_sub(1);
            state.over |= last;
        });
    }

    pub(super) fn is_answering(&self) -> bool {
        self.with(|state| state.answering > 0)
    }

    /// Ends it; true for whoever is to say so.
    pub(super) fn end(&self) -> bool {
        self.with(|state| state.answering == 0 && !std::mem::replace(&mut state.over, true))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A descriptor of our own for the connection to that peer, which the server holds under `descriptor`. One
/// for each from the beginning would be twice the open files for what is needed once.
pub(super) fn copy_of(descriptor: RawFd, peer: SocketAddr) -> Option<Socket> {
    if descriptor < 0 {
        return None;
    }
    // SAFETY: nothing is done with the number but asking the system for a copy. Were it closed meanwhile, there
    // is none; were it another file's by now, the copy has another peer, and is closed again.
    let copy = unsafe { BorrowedFd::borrow_raw(descriptor) }.try_clone_to_owned();
    let socket = Socket::from(copy.ok()?);
    let same = socket.peer_addr().ok()?.as_socket() == Some(peer);
    same.then_some(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn whoever_is_being_answered_or_was_told_so_is_not_told_again() {
        let talk = Talk::default();
        talk.request();
        assert!(talk.is_answering() && !talk.end());
        talk.answered(false);
        assert!(talk.end() && !talk.end());
        let talk = Talk::default();
        talk.request();
        talk.answered(true);
        assert!(!talk.end());
    }

    #[test]
    fn a_copy_is_of_that_connection_or_there_is_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = here.peer_addr().unwrap();
        assert!(copy_of(here.as_raw_fd(), peer).is_some());
        assert!(copy_of(here.as_raw_fd(), here.local_addr().unwrap()).is_none());
        assert!(copy_of(listener.as_raw_fd(), peer).is_none());
        assert!(copy_of(i32::MAX, peer).is_none() && copy_of(-1, peer).is_none());
    }
}
