//! A line to the tests' PostgreSQL that can be frozen: nothing comes through any more, and nothing is reset, as
//! when a server's process is stopped or a firewall drops what is sent.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::postgres::admin_url;

/// The line. What goes through it goes on until the test ends.
pub struct Line {
    /// What `DATABASE_URL` would be.
    pub url: String,
    frozen: Arc<AtomicBool>,
}

impl Line {
    /// A line to that database.
    pub fn to(database: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let name = database
            .split('?')
            .next()
            .and_then(|url| url.rsplit('/').next());
        let address = listener.local_addr().unwrap();
        let url = format!("postgres://postgres@{address}/{}", name.unwrap());
        let frozen = Arc::<AtomicBool>::default();
        let shared = Arc::clone(&frozen);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = UnixStream::connect(socket()).unwrap();
                let (to, from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                join(client, server, &shared);
                join(from, to, &shared);
            }
        });
        Self { url, frozen }
    }

    /// Nothing comes through any more.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }
}

/// Where the server listens; `.ci/postgres` starts it on a socket.
fn socket() -> String {
    let url = admin_url();
    let (_, folder) = url.split_once("host=").unwrap();
    let folder = folder.split('&').next().unwrap().replace("%2F", "/");
    format!("{folder}/.s.PGSQL.5432")
}

trait Shut {
    fn shut(&self);
}

impl Shut for TcpStream {
    fn shut(&self) {
        let _ = self.shutdown(std::net::Shutdown::Both);
    }
}

impl Shut for UnixStream {
    fn shut(&self) {
        let _ = self.shutdown(std::net::Shutdown::Both);
    }
}

fn join(
    mut from: impl Read + Shut + Send + 'static,
    mut to: impl Write + Shut + Send + 'static,
    frozen: &Arc<AtomicBool>,
) {
    let frozen = Arc::clone(frozen);
    thread::spawn(move || {
        let mut some = [0; 16 * 1024];
        loop {
            let read = from.read(&mut some).unwrap_or(0);
            while frozen.load(Ordering::SeqCst) {
                thread::park();
            }
            if read == 0 || to.write_all(&some[..read]).is_err() {
                from.shut();
                return to.shut();
            }
        }
    });
}
