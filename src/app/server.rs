//! The HTTP server: its listeners, what each connection and head may take, and the routes of API and console.

use std::net::{SocketAddr, TcpListener};

use actix_web::{App, HttpServer, middleware::from_fn, web};
use anyhow::Context as _;

use crate::config::Http;
use crate::console::{self, Console, Secure};
use crate::http::{self, Bounds, Connections, HttpState};

use super::limits;

/// Serves on all of the listeners.
pub(super) fn start_http(
    listeners: impl Iterator<Item = TcpListener>,
    state: web::Data<HttpState>,
    console: web::Data<Console>,
    settings: &Http,
) -> anyhow::Result<actix_web::dev::Server> {
    let most = limits::connections(settings.connections);
    let connections = Connections::new(Bounds {
        most,
        per_peer: settings.connections_per_peer.min(most),
        time: settings.client_time,
        trusted: settings.trusted_proxies.clone(),
    });
    let mut server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(console.clone())
            .wrap(from_fn(http::observe))
            .configure(console::routes)
            .configure(http::routes)
    })
    .on_connect(move |stream, about| connections.accepted(stream, about))
    // Ours comes first: the server's own would leave the excess waiting without an answer.
    .max_connections(most.saturating_mul(2))
    .client_request_timeout(settings.client_time)
    .disable_signals()
    .shutdown_timeout(10);
    for listener in listeners {
        server = server
            .listen(listener)
            .context("could not serve on the listener")?;
    }
    Ok(server.run())
}

/// Binds the address, so that a taken port is told before anything starts.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .with_context(|| format!("could not listen on {address}: is another Rollcall running? Choose another with --listen"))
}

impl super::App {
    /// Whether the console's cookie wants HTTPS.
    pub(super) fn secure_cookie(&self) -> Secure {
        let http = &self.config.http;
        match &http.public_url {
            Some(url) if url.starts_with("http://") => Secure::Never,
            Some(_) => Secure::Always,
            None if http.listen.ip().is_loopback() && http.trusted_proxies.is_empty() => {
                Secure::WhereForwarded
            }
            None => Secure::Always,
        }
    }
}
