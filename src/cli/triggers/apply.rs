//! `rollcall triggers apply`: the triggers of a reviewed file, TOML or JSON, become the
//! organization's; what differs is told line by line.

use std::path::PathBuf;

use serde_json::Value;

use super::policy;
use crate::cli::database::{self, DryRun};
use crate::cli::output::plain;
use crate::cli::send::read_whole;
use crate::cli::{Context, Exit, Failure};
use crate::operations::apply::{self, ApplyBody, ApplyView};
use crate::triggers::text;

/// Make an organization's triggers what a file says, and tell what that changes
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The file is TOML or JSON: organization_id, and [[triggers]] with [[triggers.steps]], each as in the body of
POST /v1/triggers. All that is wrong with it is told at once. Triggers that it does not name are left
alone, unless --prune. Applying it twice changes nothing.

Examples:
  rollcall triggers apply triggers.toml --dry-run
  rollcall triggers apply fixtures/triggers/first-days.toml --organization org_01H2…
  rollcall triggers apply triggers.json --prune"
)]
pub(super) struct Apply {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The organization, where the file names none, or another than it names
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// Delete triggers that the file does not name
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    dry_run: DryRun,
}

pub(super) fn run(args: &Apply, context: &Context) -> Result<(), Failure> {
    let body = body_of(args)?;
    let config = context.config()?;
    let policy = policy(&config);
    let db = database::open(&config)?;
    let done = database::write_in(&db, context, args.dry_run, |conn, actor, now| {
        let wanted = apply::wanted(actor, &body, policy)?;
        apply::apply(conn, actor, &body, &wanted, now)
    })?;
    if context.output.is_json() {
        context.output.json(&done);
    } else {
        tell(&done, context);
    }
    Ok(())
}

fn body_of(args: &Apply) -> Result<ApplyBody, Failure> {
    let refused = |why: String| {
        Failure::new(
            Exit::Usage,
            format!("{} cannot be read as triggers: {why}", args.file.display()),
        )
        .hint("`rollcall triggers apply --help` says what it holds; fixtures/triggers/first-days.toml is one")
    };
    let bytes = read_whole(&args.file)?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8".to_owned()))?;
    let mut body = text::read(&text).map_err(refused)?;
    let Some(object) = body.as_object_mut() else {
        return Err(refused("an object with triggers is wanted".to_owned()));
    };
    if let Some(organization) = &args.organization {
        let organization = Value::String(organization.clone());
        object.insert("organization_id".to_owned(), organization);
    }
    if !object.contains_key("organization_id") {
        return Err(refused(
            "it names no organization_id, and --organization was not given".to_owned(),
        ));
    }
    if args.prune {
        object.insert("prune".to_owned(), Value::Bool(true));
    }
    let dry_run = Value::Bool(args.dry_run.dry_run);
    object.insert("dry_run".to_owned(), dry_run);
    serde_json::from_value(body).map_err(|why| refused(why.to_string()))
}

fn tell(done: &ApplyView, context: &Context) {
    let out = &context.output;
    for one in &done.triggers {
        let mark = match one.what {
            "created" => "+",
            "changed" => "~",
            "deleted" => "-",
            _ => "=",
        };
        out.line(format!(
            "{mark} {} ({}, version {})",
            plain(&one.name),
            one.what,
            one.version
        ));
        for line in &one.differences {
            out.line(format!("    {}", plain(line)));
        }
    }
    for name in &done.left_alone {
        out.line(format!(
            "  {} is not in the file: left alone (--prune deletes it)",
            plain(name)
        ));
    }
    out.note(format!(
        "{} created, {} changed, {} unchanged, {} deleted.",
        done.created, done.changed, done.unchanged, done.deleted
    ));
}
