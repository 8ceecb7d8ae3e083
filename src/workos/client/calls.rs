//! The calls, one function each, with the parameters the contract names (7, 8, 10, 11).

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{Body, Client, ClientError, Page};
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

const PAGE: &str = "100";

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
    /// A page of events, each as it came, byte for byte. They come oldest first, whatever is asked.
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
        let query = [("events", names.as_str()), ("limit", PAGE), begin];
        self.get("reading events", "/events", &query).await?.page()
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
        )
        .await
    }

    /// One directory, with WorkOS's own counts.
    pub async fn directory(&self, id: &str) -> Result<Value, ClientError> {
        self.one("reading a directory", &at("/directories", id))
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

    /// A page of a directory's users, oldest first: who joins meanwhile comes last.
    pub async fn users_of_directory(
        &self,
        directory: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        self.list(
            "listing users",
            "/directory_users",
            &[("directory", directory)],
            after,
        )
        .await
    }

    /// A page of a group's users. The supported way to read edges: `user.groups` is empty now.
    pub async fn users_of_group(
        &self,
        directory: &str,
        group: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let filter = [("directory", directory), ("group", group)];
        self.list(
            "listing a group's users",
            "/directory_users",
            &filter,
            after,
        )
        .await
    }

    /// One directory user.
    pub async fn user(&self, id: &str) -> Result<Value, ClientError> {
        self.one("reading a directory user", &at("/directory_users", id))
            .await
    }

    /// A page of a directory's groups.
    pub async fn groups_of_directory(
        &self,
        directory: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        self.list(
            "listing groups",
            "/directory_groups",
            &[("directory", directory)],
            after,
        )
        .await
    }

    /// A page of a user's groups.
    pub async fn groups_of_user(
        &self,
        user: &str,
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        self.list(
            "listing a user's groups",
            "/directory_groups",
            &[("user", user)],
            after,
        )
        .await
    }

    /// All of a user's groups.
    pub async fn all_groups_of_user(&self, user: &str) -> Result<Vec<Value>, ClientError> {
        let (mut all, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self.groups_of_user(user, after.as_deref()).await?;
            all.extend(page.data);
            if page.after.is_none() || page.after == after {
                return Ok(all);
            }
            after = page.after;
        }
    }

    /// One group.
    pub async fn group(&self, id: &str) -> Result<Value, ClientError> {
        self.one("reading a group", &at("/directory_groups", id))
            .await
    }

    /// A set-up link for Directory Sync. Whoever has it may configure the organization for five
    /// minutes: it is shown once to an administrator, and neither logged nor kept.
    pub async fn setup_link(&self, organization: &str) -> Result<SecretString, ClientError> {
        let body = json!({ "organization": organization, "intent": "dsync" });
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
        self.get("listing webhook endpoints", "/webhook_endpoints", &query)
            .await?
            .page()
    }

    /// Makes an endpoint that hears of the ten Directory Sync events.
    pub async fn create_webhook_endpoint(&self, url: &str) -> Result<WebhookEndpoint, ClientError> {
        let body = json!({ "endpoint_url": url, "events": SUBSCRIBED });
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

    async fn one(&self, what: &'static str, path: &str) -> Result<Value, ClientError> {
        self.get(what, path, &[]).await?.one()
    }

    async fn list(
        &self,
        what: &'static str,
        path: &str,
        filter: &[(&str, &str)],
        after: Option<&str>,
    ) -> Result<Page<Value>, ClientError> {
        let mut query = filter.to_vec();
        query.extend([("limit", PAGE), ("order", "asc")]);
        query.extend(after.map(|after| ("after", after)));
        self.get(what, path, &query).await?.page()
    }
}

/// The path of one thing. Ids are opaque and may be the customer's own (contract 3.2), so whatever
/// could mean something in a path is escaped.
fn at(collection: &str, id: &str) -> String {
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
