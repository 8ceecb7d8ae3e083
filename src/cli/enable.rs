//! `rollcall directories enable`, `revoke-link` and `sync`, `rollcall webhooks register` and `rollcall profiles resync`: what
//! the command line asks of WorkOS for one organization, one endpoint, one person.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::database;
use super::upstream::client;
use super::webhook_secrets::{self, SecretsArgs};
use super::{Context, Exit, Failure};
use crate::db::Urgency;
use crate::operations::Actor;
use crate::operations::enable::{self, EnableView};
use crate::upstream::{ResyncError, SyncError, resync as resync_person, sync};
use crate::workos::client::{
    Client, ClientError, Names, ORGANIZATION_DELETED, SUBSCRIBED, WebhookEndpoint,
};

/// How often the state is looked at while following.
const LOOK: Duration = Duration::from_secs(2);

/// Open WorkOS's set-up link for an organization, and follow how far it comes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The link lets whoever has it set up Directory Sync for five minutes: give it to the organization's
administrator and to nobody else. It is printed once and not kept.

Examples:
  rollcall directories enable org_01H2…
  rollcall directories enable org_01H2… --follow
  rollcall directories enable org_01H2… --json | jq -r .link"
)]
pub struct EnableArgs {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
    /// Stay, and tell each step until people are here
    #[arg(long)]
    follow: bool,
}

/// Revoke the set-up links that were opened here for an organization
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall directories revoke-link org_01H2…")]
pub struct RevokeArgs {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    organization: String,
}

/// Ask WorkOS to read a directory from its provider now
#[derive(Debug, clap::Args)]
#[command(
    after_help = "WorkOS does this for linked Google Workspace directories, one at a time, and not again for some minutes.
What it finds arrives as events; this command does not wait for them.

Example:
  rollcall directories sync directory_01H2…"
)]
pub struct SyncArgs {
    /// WorkOS's id of the directory
    #[arg(value_name = "ID")]
    id: String,
}

/// Create or update the WorkOS webhook endpoint that delivers here
#[derive(Debug, clap::Args)]
pub struct WebhooksArgs {
    #[command(subcommand)]
    command: WebhooksCommand,
}

#[derive(Debug, clap::Subcommand)]
enum WebhooksCommand {
    Register(Register),
    Secrets(SecretsArgs),
}

/// Create or update the endpoint with the ten Directory Sync events; keep its signing secret
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The secret is kept in the database and `serve` verifies with it, beside those of WORKOS_WEBHOOK_SECRET.
It is not printed unless asked for.

Examples:
  rollcall webhooks register --url https://rollcall.example.com/webhooks/workos
  rollcall webhooks register --url https://rollcall.example.com/webhooks/workos --show-secret"
)]
struct Register {
    /// Where WorkOS reaches this service, with https
    #[arg(long, value_name = "URL")]
    url: String,
    /// Print the signing secret, too
    #[arg(long)]
    show_secret: bool,
}

/// Ask WorkOS about one person and apply what differs, step by step
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall profiles resync profile_0199…
  rollcall profiles resync profile_0199… --json | jq -r '.steps[].sentence'")]
pub struct ResyncArgs {
    /// The profile
    #[arg(value_name = "ID")]
    id: String,
}

/// Opens a link.
pub async fn enable(args: EnableArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    let db = database::open_or_make(&config)?;
    let link = client.setup_link(&args.organization).await?;
    let now = db.clock().now();
    let ends = db.write(Urgency::Normal, |conn| {
        enable::opened(conn, &Actor::cli(), &args.organization, now)
    })?;
    if context.output.is_json() {
        context
            .output
            .json(&json!({ "link": link.expose_secret(), "ends_at": ends }));
    } else {
        context.output.line(link.expose_secret());
        context
            .output
            .note("For the organization's administrator only; it ends in five minutes.");
    }
    if !args.follow {
        return Ok(Exit::Done);
    }
    let mut told = None;
    loop {
        let there = counted(&client, &args.organization).await;
        let state =
            db.read(|conn| enable::state(conn, &Actor::cli(), &args.organization, Some(&there)))?;
        if told.as_ref() != Some(&state) {
            tell(context, &state);
        }
        if matches!(state.step, "ready" | "messaging_enabled") {
            return Ok(Exit::Done);
        }
        told = Some(state);
        tokio::time::sleep(LOOK).await;
    }
}

/// Revokes the links.
pub async fn revoke(args: RevokeArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    let db = database::open_or_make(&config)?;
    client.revoke_setup_link(&args.organization).await?;
    let now = db.clock().now();
    db.write(Urgency::Normal, |conn| {
        enable::revoked(conn, &Actor::cli(), &args.organization, now)
    })?;
    if context.output.is_json() {
        context.output.json(&json!({ "revoked_at": now }));
    } else {
        context
            .output
            .note("Set-up links of this organization no longer work.");
    }
    Ok(Exit::Done)
}

/// Asks for a sync.
pub async fn sync_now(args: SyncArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    let db = database::open(&config)?;
    let done = sync(&db, &db.clock(), &client, Actor::cli(), &args.id).await;
    let view = done.map_err(|error| match error {
        SyncError::Desk(error) => error.into(),
        SyncError::Client(error) => error.into(),
        SyncError::Running | SyncError::NotPossible(_) => {
            Failure::new(Exit::Refused, error.to_string())
        }
        SyncError::TooSoon(_) => Failure::new(Exit::Unavailable, error.to_string()),
    })?;
    if context.output.is_json() {
        context.output.json(&view);
    } else {
        context
            .output
            .note("WorkOS has queued the sync; what it finds arrives as events.");
    }
    Ok(Exit::Done)
}

async fn counted(client: &Client, organization: &str) -> Vec<Value> {
    let Ok(listed) = client.directories(organization, None).await else {
        return Vec::new();
    };
    let ids = listed.data.iter();
    client
        .counted(ids.filter_map(|one| one.get("id")?.as_str()))
        .await
}

fn tell(context: &Context, state: &EnableView) {
    let out = &context.output;
    out.note(format!("{}: {}", state.step, state.sentence));
    for one in &state.directories {
        let there = one
            .users_there
            .map_or(String::new(), |there| format!(" of {there}"));
        out.note(format!("  {}: {}{there} people", one.id, one.users_here));
    }
}

/// Registers the endpoint, or lists the secrets.
pub async fn webhooks(args: WebhooksArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        WebhooksCommand::Register(args) => register(args, context).await,
        WebhooksCommand::Secrets(_) => webhook_secrets::list(context),
    }
}

async fn register(args: Register, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    let db = database::open_or_make(&config)?;
    let existing = find(&client, &args.url).await?;
    let what = if existing.is_some() {
        "updated"
    } else {
        "created"
    };
    let (endpoint, left_out) = subscribe(&client, &args.url, existing.as_ref()).await?;
    let Some(secret) = &endpoint.secret else {
        return Err(Failure::new(
            Exit::SomeFailed,
            format!(
                "endpoint {} was {what}, and WorkOS did not tell its secret",
                endpoint.id
            ),
        )
        .hint("the dashboard shows it under Webhooks; set WORKOS_WEBHOOK_SECRET"));
    };
    let now = db.clock().now();
    db.write(Urgency::Normal, |conn| {
        enable::keep_webhook_secret(
            conn,
            &Actor::cli(),
            &endpoint.id,
            secret.expose_secret(),
            now,
        )
    })?;
    let asked = args.show_secret.then(|| secret.expose_secret());
    if context.output.is_json() {
        let mut said = json!({ "id": endpoint.id, "endpoint_url": endpoint.endpoint_url, "events": endpoint.events, "done": what });
        if let Some(secret) = asked {
            said["secret"] = json!(secret);
        }
        context.output.json(&said);
    } else {
        context.output.line(format!(
            "{} {what}: {} events to {}",
            endpoint.id,
            endpoint.events.len(),
            endpoint.endpoint_url
        ));
        if let Some(secret) = asked {
            context.output.line(secret);
        }
        if left_out {
            context.output.note(
                "WorkOS does not offer organization.deleted to webhooks here: a deleted organization is not noticed by itself.",
            );
        }
        context.output.note(
            "Its secret is kept in the database; start `rollcall serve` again to verify with it.",
        );
    }
    Ok(Exit::Done)
}

/// Gives the endpoint all names; where WorkOS refuses `organization.deleted`, which the contract does not list,
/// all but that one. Answers the endpoint, and whether the name was left out.
async fn subscribe(
    client: &Client,
    url: &str,
    existing: Option<&WebhookEndpoint>,
) -> Result<(WebhookEndpoint, bool), ClientError> {
    let mut events: Vec<String> = existing.map_or(Vec::new(), |endpoint| endpoint.events.clone());
    events.extend(SUBSCRIBED.iter().map(|name| (*name).to_owned()));
    events.push(ORGANIZATION_DELETED.to_owned());
    events.sort();
    events.dedup();
    let ask = async |events: &[String]| match existing {
        Some(endpoint) => client.update_webhook_endpoint(&endpoint.id, events).await,
        None => client.create_webhook_endpoint(url, events).await,
    };
    match ask(&events).await {
        Err(ClientError::Refused {
            status: 400 | 422,
            names: Names::Events,
            ..
        }) => {
            events.retain(|name| name != ORGANIZATION_DELETED);
            Ok((ask(&events).await?, true))
        }
        answer => Ok((answer?, false)),
    }
}

async fn find(client: &Client, url: &str) -> Result<Option<WebhookEndpoint>, Failure> {
    let mut after = None;
    loop {
        let page = client.webhook_endpoints(after.as_deref()).await?;
        if let Some(known) = page.data.into_iter().find(|one| one.endpoint_url == url) {
            return Ok(Some(known));
        }
        if page.after.is_none() || page.after == after {
            return Ok(None);
        }
        after = page.after;
    }
}

/// Resyncs one person.
pub async fn resync(args: ResyncArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.config()?;
    let client = client(&config)?;
    let db = database::open(&config)?;
    let done = resync_person(&db, &db.clock(), &client, Actor::cli(), &args.id).await;
    let view = done.map_err(|error| match error {
        ResyncError::Desk(error) => error.into(),
        ResyncError::Client(error) => error.into(),
        ResyncError::Compare(error) => Failure::new(Exit::Unavailable, error.to_string()),
    })?;
    if context.output.is_json() {
        context.output.json(&view);
        return Ok(Exit::Done);
    }
    let rows = view.steps.iter().map(|step| {
        vec![
            step.step.into(),
            if step.ok { "yes" } else { "no" }.into(),
            step.sentence.as_str().into(),
        ]
    });
    context
        .output
        .table(&["step", "ok", "what"], rows.collect());
    Ok(Exit::Done)
}
