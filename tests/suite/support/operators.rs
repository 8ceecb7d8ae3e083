//! Operators of the tests: tokens of every role, and calls to the API in their name.

use rollcall::operations::tokens::digest;
use rollcall::store::tokens::{self, TokenRow};
use serde_json::Value;

use super::app::TestApp;
use super::http::Answer;

impl TestApp {
    /// A token of that role, for one organization or all; its text is its name.
    pub fn token(&self, name: &str, role: &str, organization: Option<&str>) -> String {
        let row = TokenRow {
            id: format!("token_{name}"),
            name: name.to_owned(),
            role: role.to_owned(),
            organization_id: organization.map(str::to_owned),
            digest: digest(name),
            created_at: self.clock.now(),
            revoked_at: None,
            sensitive: false,
        };
        assert!(self.write(|conn| tokens::create(conn, &row)));
        name.to_owned()
    }

    /// Reads from the API what must be there.
    pub async fn get(&self, path: &str) -> Value {
        self.http.api("GET", path, None).await.ok()
    }

    /// Calls the API with the bootstrap token, with a body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.http.api(method, path, Some(&body)).await
    }
}
