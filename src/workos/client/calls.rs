//! The calls, one function each, with the parameters the contract names (7, 8, 10, 11).

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Body, Client, ClientError, Names, Page};
use crate::clock::Timestamp;

/// The ten event types an endpoint can subscribe to, and all that is asked for: an unknown name is
/// refused whole (contract 3.1).
pub const SUBSCRIBED: [&str; 10] = [
    "dsync.activated",
    "dsync.deleted",
    "dsync.user.created",
    "dsync.user.updated",
    "dsync.user.deleted",
    "dsync.group.created",
    "dsync.group.updated",
    "dsync.group.deleted",
    "dsync.group.user_added",
    "dsync.group.user_removed",
];

/// What an endpoint subscribes to beside them, where WorkOS takes it: WorkOS's own libraries list the name,
/// and the contract does not (R84).
pub const ORGANIZATION_DELETED: &str = "organization.deleted";

const PAGE: &str = "100";

/// Whom set-up links are made for, in WorkOS's `external_user_id`: the same for all, so that revoking
/// needs no memory of who opened which, and WorkOS is told no name.
const OPENED_BY: &str = "rollcall";

/// Where reading of events begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsFrom {
    /// After this event.
    After(String),
    /// With what happened at that time.
    Time(Timestamp),
}

/// A webhook endpoint as WorkOS keeps it.
#[derive(Debug, Clone, Deserialize)]
pub struct WebhookEndpoint {
    /// `we_…`.
    pub id: String,
    /// Where it delivers to.
    pub endpoint_url: String,
    /// What signs its deliveries.
    pub secret: Option<SecretString>,
    /// `enabled` or `disabled`.
    #[serde(default)]
    pub status: Option<String>,
    /// What it subscribes to.
    #[serde(default)]
    pub events: Vec<String>,
}

#[derive(Deserialize)]
struct Link {
    link: SecretString,
}

#[derive(Deserialize)]
struct Exchanged {
    profile: Value,
}

impl Client {
    /// A page of events, each as it came, byte for byte. Oldest first is asked for, because the documented
    /// default is newest first; the live API has ignored the parameter (contract 7), so that the order of
    /// what comes is looked at by whoever reads it.
    pub async fn events(&self, from: &EventsFrom) -> Result<Page<Box<RawValue>>, ClientError> {
        let names = SUBSCRIBED.join(",");
        let time;
        let begin = match from {
            EventsFrom::After(id) => ("after", id.as_str()),
            EventsFrom::Time(at) => {
                time = at.to_string();
                ("range_start", time.as_str())
            }
        };
        let query = [
            ("events", names.as_str()),
            ("limit", PAGE),
            ("order", "asc"),
            begin,
        ];
        self.get("reading events", "/events", &query, None)
            .await?
            .page()
    }

    /// The directories of an organization.
    pub async fn directories(
        &self,
        organization: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        self.list(
            "listing directories",
            "/directories",
            &[("organization_id", organization)],
            after,
            None,
        )
        .await
    }

    /// One directory, with WorkOS's own counts.
    pub async fn directory(&self, id: &str) -> Result<Value, ClientError> {
        self.one("reading a directory", &at("/directories", id), None)
            .await
    }

    /// Of these directories those that can be read, with WorkOS's own counts.
    pub async fn counted<'a>(&self, directories: impl IntoIterator<Item = &'a str>) -> Vec<Value> {
        let mut all = Vec::new();
        for id in directories {
            all.extend(self.directory(id).await.ok());
        }
        all
    }

    /// A set-up link for Directory Sync. Whoever has it may configure the organization for five
    /// minutes: it is shown once to an administrator, and neither logged nor kept.
    pub async fn setup_link(&self, organization: &str) -> Result<SecretString, ClientError> {
        let body = json!({
            "organization": organization, "intent": "dsync", "external_user_id": OPENED_BY,
        });
        let said = self
            .send(
                "making a set-up link",
                Method::POST,
                "/portal/generate_link",
                Body::Json(body),
            )
            .await?;
        Ok(said.one::<Link>()?.link)
    }

    /// Ends every set-up link that was made here for an organization and that still lives.
    pub async fn revoke_setup_link(&self, organization: &str) -> Result<(), ClientError> {
        let body = json!({ "organization": organization, "external_user_id": OPENED_BY });
        let done = self
            .send(
                "revoking a set-up link",
                Method::POST,
                "/portal/revoke_link",
                Body::Json(body),
            )
            .await;
        match done {
            Err(error) if error.is_nothing_there() => Err(ClientError::Refused {
                what: "revoking a set-up link: it knows none that was made here for this organization, or cannot revoke links; one ends by itself five minutes after it was opened",
                status: 404,
                code: "no code".to_owned(),
                names: Names::Nothing,
            }),
            done => done.map(drop),
        }
    }

    /// Asks WorkOS to read a directory from its provider now. Asked once: whoever asked is told of a
    /// limit, and waits for nothing.
    pub async fn sync_directory(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("{}/sync", at("/directories", id));
        self.send_once(
            "asking for a sync of the directory",
            &Method::POST,
            &path,
            &Body::Nothing,
        )
        .await
        .map(drop)
    }

    /// Exchanges an SSO code for the profile of who logged in.
    pub async fn profile_of_code(&self, code: &str) -> Result<Value, ClientError> {
        let client_id = self
            .settings
            .client_id
            .as_deref()
            .ok_or(ClientError::NotConfigured(
                "exchanging a code needs WORKOS_CLIENT_ID beside WORKOS_API_KEY",
            ))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("client_id", client_id)
            .append_pair("client_secret", self.settings.api_key.expose_secret())
            .append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .finish();
        let said = self
            .send(
                "exchanging a log-in code",
                Method::POST,
                "/sso/token",
                Body::Form(form),
            )
            .await?;
        Ok(said.one::<Exchanged>()?.profile)
    }

    /// A page of the environment's webhook endpoints.
    pub async fn webhook_endpoints(
        &self,
        after: Option<&str>,
    ) -> Result<Page<WebhookEndpoint>, ClientError> {
        let mut query = vec![("limit", PAGE)];
        query.extend(after.map(|after| ("after", after)));
        self.get(
            "listing webhook endpoints",
            "/webhook_endpoints",
            &query,
            None,
        )
        .await?
        .page()
    }

    /// Makes an endpoint that hears of these events.
    pub async fn create_webhook_endpoint(
        &self,
        url: &str,
        events: &[String],
    ) -> Result<WebhookEndpoint, ClientError> {
        let body = json!({ "endpoint_url": url, "events": events });
        self.send(
            "making a webhook endpoint",
            Method::POST,
            "/webhook_endpoints",
            Body::Json(body),
        )
        .await?
        .one()
    }

    /// Enables an endpoint and gives it these events.
    pub async fn update_webhook_endpoint(
        &self,
        id: &str,
        events: &[String],
    ) -> Result<WebhookEndpoint, ClientError> {
        let body = json!({ "status": "enabled", "events": events });
        let path = at("/webhook_endpoints", id);
        self.send(
            "changing a webhook endpoint",
            Method::PATCH,
            &path,
            Body::Json(body),
        )
        .await?
        .one()
    }

    pub(super) async fn one(
        &self,
        what: &'static str,
        path: &str,
        directory: Option<&str>,
    ) -> Result<Value, ClientError> {
        self.get(what, path, &[], directory).await?.one()
    }

    /// A page of a list, oldest first: who joins meanwhile comes last.
    pub(super) async fn list(
        &self,
        what: &'static str,
        path: &str,
        filter: &[(&str, &str)],
        after: Option<&str>,
        directory: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let mut query = filter.to_vec();
        query.extend([("limit", PAGE), ("order", "asc")]);
        query.extend(after.map(|after| ("after", after)));
        self.get(what, path, &query, directory).await?.page()
    }
}

/// The path of one thing. Ids are opaque and may be the customer's own (contract 3.2), so whatever
/// could mean something in a path is escaped.
pub(super) fn at(collection: &str, id: &str) -> String {
    let mut path = format!("{collection}/");
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}
