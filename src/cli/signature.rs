//! `rollcall signature`: makes and checks the `WorkOS-Signature` header, to try an endpoint by hand
//! and to find out why a captured delivery was refused.

use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::json;

use super::database::{self, DryRun};
use super::send::read_whole;
use super::{Context, Exit, Failure, secret};
use crate::clock::{Clock, Timestamp};
use crate::operations::Role;
use crate::operations::secrets::webhook_key;
use crate::workos::{self, Rejection};

/// Sign a body, or check a signature
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Sign(Sign),
    Verify(Verify),
    Key(Key),
}

/// Print the WorkOS-Signature header value for a body
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall signature sign event.json
  curl http://127.0.0.1:8080/webhooks/workos --data-binary @event.json \\
    -H \"WorkOS-Signature: $(rollcall signature sign event.json)\"")]
struct Sign {
    /// The body, byte by byte; `-` is standard input
    file: PathBuf,
    /// The endpoint's secret; else the configuration's first one, else that of `serve --dev`
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
    /// Sign as if at this time, in milliseconds since the epoch; else now
    #[arg(long, value_name = "MS")]
    at: Option<i64>,
}

/// Check a WorkOS-Signature header against a body: exit 0 when it holds, 4 when not
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  rollcall signature verify --header 't=1767225600000, v1=49c4…' body.json --signature-tolerance 31536000")]
struct Verify {
    /// The body, byte by byte; `-` is standard input
    file: PathBuf,
    /// The header's value, with or without its name
    #[arg(long, value_name = "HEADER")]
    header: String,
    /// The endpoint's secret, or several as in the configuration
    #[arg(long, value_name = "SECRET")]
    secret: Option<String>,
}

/// Print the key that signs outgoing webhooks, for the application that receives them
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Standard Webhooks (standardwebhooks.com) libraries take it as it is.

Example:
  rollcall signature key"
)]
struct Key {}

/// Prints the header, or what there is to say about it.
pub fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::Sign(args) => sign(args, context)?,
        Command::Verify(args) => verify(args, context)?,
        Command::Key(_) => key(context)?,
    }
    Ok(Exit::Done)
}

fn key(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let key = match &config.triggers.webhook_secret {
        Some(key) => key.clone(),
        None => database::write(context, DryRun { dry_run: false }, |conn, actor, now| {
            actor.require(Role::Admin)?;
            webhook_key(conn, now)
        })?,
    };
    if context.output.is_json() {
        context.output.json(&json!({ "key": key.expose_secret() }));
    } else {
        context.output.line(key.expose_secret());
    }
    Ok(())
}

fn sign(args: Sign, context: &Context) -> Result<(), Failure> {
    let secrets = secret::find(args.secret.as_deref(), &context.config()?)?;
    let at = args
        .at
        .map_or_else(|| Clock::System.now(), Timestamp::from_millis);
    let header = secret::sign(&secrets, at, &read_whole(&args.file)?)?;
    if context.output.is_json() {
        context.output.json(&json!({ "header": header }));
    } else {
        context.output.line(header);
    }
    Ok(())
}

fn verify(args: Verify, context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let secrets = secret::find(args.secret.as_deref(), &config)?;
    let body = read_whole(&args.file)?;
    let header = value_of(&args.header).as_bytes();
    let verified = workos::verify(
        &[header],
        &body,
        &secrets,
        config.webhook.tolerance,
        Clock::System.now(),
    )
    .map_err(refused)?;
    if context.output.is_json() {
        context
            .output
            .json(&json!({ "label": verified.label, "issued_at": verified.issued_at }));
    } else {
        let issued = context.output.time(verified.issued_at);
        context.output.line(format!(
            "ok: signed with secret `{}`, {issued}",
            verified.label
        ));
    }
    Ok(())
}

/// The value alone: people copy the whole header line.
fn value_of(header: &str) -> &str {
    match header.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("workos-signature") => value.trim(),
        _ => header.trim(),
    }
}

fn refused(why: Rejection) -> Failure {
    let failure = Failure::new(Exit::Refused, why.to_string());
    match why {
        Rejection::Stale => {
            failure.hint("--signature-tolerance SECONDS widens the window for this check")
        }
        Rejection::Mismatch => {
            failure.hint("the body must be the bytes as they came: `jq` and editors change them")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_be_pasted_with_its_name() {
        assert_eq!(value_of("WorkOS-Signature: t=1, v1=ab"), "t=1, v1=ab");
        assert_eq!(value_of(" t=1, v1=ab"), "t=1, v1=ab");
    }
}
