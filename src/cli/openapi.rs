//! `rollcall openapi`: the API's document, made from the code; it needs no database and no settings.

use super::{Context, Exit, Failure};

/// Print the API's document (OpenAPI 3.1), as `GET /openapi.json` answers it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rollcall openapi > rollcall.json
  rollcall openapi | jq -r '.paths | keys[]'")]
pub struct Args {}

/// Prints the document on standard output.
pub fn run(_: Args, context: &Context) -> Result<Exit, Failure> {
    context.output.raw(crate::app::openapi().as_bytes());
    Ok(Exit::Done)
}
