//! WorkOS's API, as far as Rollcall asks it: bearer key, pages of a hundred, its limits kept before it
//! has to say so, `Retry-After` obeyed when it does, also where the whole answer is the bare text
//! `"Ratelimited"` (contract 9). A call that only reads is tried again when the network or WorkOS
//! fails; one that makes something is not. Errors hold codes, never payloads, keys or links.

mod answer;
mod calls;
mod pace;
mod refusal;
mod scoped;

pub use answer::{ClientError, Page};
pub use calls::{EventsFrom, ORGANIZATION_DELETED, SUBSCRIBED, WebhookEndpoint};
pub use refusal::Names;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use answer::{Said, said_of};
use pace::Pace;

/// Calls that only read are tried so often.
const ATTEMPTS: u32 = 5;
/// The longest single wait, whatever WorkOS says.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// The largest answer that is read.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// How WorkOS is reached.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The environment's API key.
    pub api_key: SecretString,
    /// Base URL, without a slash at the end.
    pub api_url: String,
    /// The environment's client id, for code exchanges.
    pub client_id: Option<String>,
}

/// A client for one environment; cheap to clone, the pace is shared.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    settings: Arc<ClientSettings>,
    pace: Arc<Pace>,
    /// Set once the server was seen not to have the directory-scoped reads.
    unscoped: Arc<AtomicBool>,
}

impl Client {
    /// A client. Fails where the machine has no CA certificates.
    pub fn new(settings: ClientSettings) -> Result<Self, ClientError> {
        // Fails only where a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30))
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| ClientError::NoClient)?;
        Ok(Self {
            http,
            settings: Arc::new(settings),
            pace: Arc::new(Pace::new()),
            unscoped: Arc::default(),
        })
    }

    /// What this environment is called where its cursor is kept: the client id, which stays when the
    /// key is rotated.
    pub fn environment(&self) -> &str {
        self.settings.client_id.as_deref().unwrap_or("default")
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, ClientError> {
        let text = format!("{}{path}", self.settings.api_url);
        let mut url = Url::parse(&text).map_err(|_| ClientError::NoClient)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Reads; again and again where the network, WorkOS or its limits are in the way. `directory` is the
    /// one whose limit the call counts for.
    async fn get(
        &self,
        what: &'static str,
        path: &str,
        query: &[(&str, &str)],
        directory: Option<&str>,
    ) -> Result<Said, ClientError> {
        let url = self.url(path, query)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.pace.wait(directory).await;
            let request = self.http.get(url.clone());
            match self.once(what, request).await {
                Err(error) if error.may_pass() && attempt < ATTEMPTS => {
                    tokio::time::sleep(pause_after(&error, attempt)).await;
                }
                done => return done,
            }
        }
    }

    /// Makes or changes something: only a refusal by limit is tried again.
    async fn send(
        &self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<Said, ClientError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.send_once(what, &method, path, &body).await {
                Err(error @ ClientError::RateLimited { .. }) if attempt < ATTEMPTS => {
                    tokio::time::sleep(pause_after(&error, attempt)).await;
                }
                done => return done,
            }
        }
    }

    async fn send_once(
        &self,
        what: &'static str,
        method: &Method,
        path: &str,
        body: &Body,
    ) -> Result<Said, ClientError> {
        let url = self.url(path, &[])?;
        self.pace.wait(None).await;
        let request = self.http.request(method.clone(), url);
        let request = match body {
            Body::Nothing => request,
            Body::Json(value) => request
                .header("content-type", "application/json")
                .body(value.to_string()),
            Body::Form(text) => request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(text.clone()),
        };
        self.once(what, request).await
    }

    async fn once(&self, what: &'static str, request: RequestBuilder) -> Result<Said, ClientError> {
        let request = request.bearer_auth(self.settings.api_key.expose_secret());
        let asked = Instant::now();
        let response = request
            .send()
            .await
            .map_err(|error| ClientError::unreachable(what, &error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_body(what, response).await?;
        said_of(what, status, &headers, body, asked.elapsed())
    }
}

/// A request's body.
enum Body {
    Nothing,
    Json(serde_json::Value),
    Form(String),
}

fn pause_after(error: &ClientError, attempt: u32) -> Duration {
    let own = Duration::from_millis(250).saturating_mul(1 << attempt.min(6));
    match error {
        ClientError::RateLimited { retry_after, .. } => {
            retry_after.unwrap_or(own).min(LONGEST_WAIT)
        }
        _ => own,
    }
}

async fn read_body(what: &'static str, mut response: Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|error| ClientError::unreachable(what, &error))?
    {
        if body.len() + piece.len() > LARGEST_ANSWER {
            return Err(ClientError::Unreadable { what });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
