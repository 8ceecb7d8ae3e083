//! `rollcall webhooks secrets`: which secrets verify what WorkOS sends, by label, with when each was
//! last used, so that a rotation can be ended (R71).

use super::{Context, Exit, Failure, database};
use crate::app;
use crate::operations::webhook_secrets::{self, SecretUses};

/// List the webhook secrets in use: by label, never the value, with when each last verified something
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A running `serve` writes down its counts every half minute. A secret whose last use stands still may go.

Examples:
  rollcall webhooks secrets
  rollcall webhooks secrets --json | jq '.data[] | {label, last_matched_at}'"
)]
pub struct SecretsArgs {}

/// Lists them.
pub fn list(context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let db = database::open_or_make(&config)?;
    let secrets = app::webhook_secrets(&config, &db)
        .map_err(|why| Failure::new(Exit::Configuration, format!("{why:#}")))?;
    let labels: Vec<String> = secrets.labels().map(str::to_owned).collect();
    // What this process has seen is nothing: `serve` is another one.
    let uses = SecretUses::default();
    let all = database::read(context, |conn, actor| {
        webhook_secrets::list(conn, actor, &labels, &uses)
    })?;
    let out = &context.output;
    if out.is_json() {
        out.json(&serde_json::json!({ "data": all }));
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        out.note("No webhook secret is set: `rollcall webhooks register` makes an endpoint and keeps its secret.");
        return Ok(Exit::Done);
    }
    let rows = all.iter().map(|one| {
        let used = if one.in_use { "yes" } else { "no" };
        vec![
            one.label.as_str().into(),
            used.into(),
            one.matched.into(),
            one.last_matched_at.into(),
        ]
    });
    out.table(&["label", "in use", "verified", "last"], rows.collect());
    Ok(Exit::Done)
}
