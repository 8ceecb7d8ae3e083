//! The other side of Rollcall's HTTP: signs and posts as WorkOS does, and calls the API as an
//! operator does. Serves tests of the app in this process and of the real binary alike.

use std::net::SocketAddr;

use rollcall::clock::Timestamp;
use rollcall::workos::sign;
use serde_json::Value;

use super::contract;
use super::events::Event;

/// The webhook secret of the tests.
pub const SECRET: &str = "a-secret-of-the-tests";
/// The bootstrap token of the tests.
pub const TOKEN: &str = "a-token-of-the-tests-of-rollcall";

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// JSON, or null.
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// A header as text; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The JSON of an answer that must be a success.
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.body
    }
}

/// Calls one server.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    client: reqwest::Client,
}

impl Caller {
    /// Calls the server at `address`.
    pub fn new(address: SocketAddr) -> Self {
        // Fails only where another test of this process was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            // An idle connection would be waited for when the server stops.
            .pool_max_idle_per_host(0)
            .build();
        Self {
            address,
            client: client.unwrap(),
        }
    }

    /// Where it calls.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://address` + path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Posts a webhook body with these headers, whatever they are.
    pub async fn deliver_raw(
        &self,
        body: impl Into<reqwest::Body>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.client.post(self.url("/webhooks/workos")).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await?).await
    }

    /// Posts a body signed at an instant.
    pub async fn deliver_signed(
        &self,
        body: Vec<u8>,
        at: Timestamp,
    ) -> Result<Answer, reqwest::Error> {
        let signature = sign(SECRET, at, &body);
        self.deliver_raw(body, &[("WorkOS-Signature", &signature)])
            .await
    }

    /// Posts an event signed at an instant.
    pub async fn deliver(&self, event: &Event, at: Timestamp) -> Result<Answer, reqwest::Error> {
        self.deliver_signed(event.body(), at).await
    }

    /// Calls the API with the bootstrap token.
    pub async fn api(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.api_as(Some(TOKEN), method, path, body).await
    }

    /// Calls the API with a token of the test's own, or without one.
    pub async fn api_as(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.client.request(method.parse().unwrap(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = read(request.send().await.unwrap()).await.unwrap();
        contract::holds(method, path, &answer);
        answer
    }

    /// Calls the API with the bootstrap token and a body that need not be JSON, whatever its document says.
    pub async fn post_text(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = self.client.request(method.parse().unwrap(), self.url(path));
        let request = request.bearer_auth(TOKEN).body(body.to_owned());
        read(request.send().await.unwrap()).await.unwrap()
    }

    /// Calls the API with the bootstrap token, whatever its document says.
    pub async fn plain(&self, method: &str, path: &str) -> Answer {
        self.unchecked(Some(TOKEN), method, path, None).await
    }

    /// As [`Caller::api_as`], whatever the API's document says.
    pub async fn unchecked(
        &self,
        token: Option<&str>,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.client.request(method.parse().unwrap(), self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        read(request.send().await.unwrap()).await.unwrap()
    }

    /// A plain call without a token.
    pub async fn call(&self, method: &str, path: &str) -> Answer {
        let request = self.client.request(method.parse().unwrap(), self.url(path));
        read(request.send().await.unwrap()).await.unwrap()
    }

    /// One series of `/metrics`, by its name with labels as they are printed; 0 where it is not there.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.call("GET", "/metrics").await.text;
        let found = text.lines().find_map(|line| {
            let value = line.strip_prefix(series)?.strip_prefix(' ')?;
            value.parse().ok()
        });
        found.unwrap_or(0.0)
    }
}

async fn read(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    Ok(Answer {
        status,
        headers,
        body: serde_json::from_str(&text).unwrap_or_default(),
        text,
    })
}
