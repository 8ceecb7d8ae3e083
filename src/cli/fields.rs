//! `rollcall organizations fields`: the attribute mapping of an organization from a file: what it
//! would change is looked at first, then it is kept, and a job applies it to everybody.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::operations::fields::{self, FieldsView, PersonPreview, PreviewQuery, PreviewView};

use super::database::{self, DryRun};
use super::output::Cell;
use super::{Context, Exit, Failure};

const EXAMPLE: &str = r#"The file is the body of PUT /v1/organizations/{id}/fields:
  {"rules": [
    {"target": "title", "from": ["job_title"], "transforms": ["trim", "title_case"], "required": true},
    {"target": "start_date", "from": ["hired"], "type": "day", "transforms": [{"date": {"read": "DD/MM/YYYY"}}]},
    {"target": "attributes.site", "from": ["/office/city", "/office/country"],
     "transforms": [{"concat": {"separator": ", "}}]},
    {"target": "attributes.salary", "from": ["salary"], "type": "number", "sensitive": true}
  ], "rest": true}

Examples:
  rollcall organizations fields show org_01H2… --json | jq .mapping > fields.json
  rollcall organizations fields preview org_01H2… fields.json
  rollcall organizations fields apply org_01H2… fields.json"#;

/// Show, try out and set what becomes of the directory's attributes
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Show(Show),
    Preview(Preview),
    Apply(Apply),
}

/// Show the mapping, and the job that applies it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall organizations fields show org_01H2…")]
struct Show {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    id: String,
}

/// Say what a mapping would change, of real people; nothing is kept
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
struct Preview {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    id: String,
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// People listed (0-200) [default: 10]
    #[arg(long, value_name = "N")]
    sample: Option<usize>,
    /// List this person only
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
}

/// Keep a mapping; a job applies it to everybody, and nobody is messaged because of it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
struct Apply {
    /// WorkOS's id of the organization
    #[arg(value_name = "ORGANIZATION")]
    id: String,
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    dry_run: DryRun,
}

/// Does what was asked.
pub(super) fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::Show(args) => {
            let one = database::read(context, |conn, actor| fields::show(conn, actor, &args.id))?;
            show(context, &one);
        }
        Command::Preview(args) => preview(args, context)?,
        Command::Apply(args) => apply(&args, context)?,
    }
    Ok(Exit::Done)
}

fn read(file: &Path) -> Result<Value, Failure> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let shown = file.display();
    let text = text
        .map_err(|why| Failure::new(Exit::Usage, format!("cannot read the file {shown}: {why}")))?;
    serde_json::from_str(&text)
        .map_err(|why| Failure::new(Exit::Usage, format!("{shown} is not JSON: {why}")))
}

fn show(context: &Context, one: &FieldsView) {
    let out = &context.output;
    if out.is_json() {
        return out.json(one);
    }
    let rows = one.mapping.rules.iter().map(|rule| {
        let words = [
            (rule.required, "required"),
            (rule.locked, "locked"),
            (rule.sensitive, "sensitive"),
            (!rule.transforms.is_empty(), "transformed"),
        ];
        let said: Vec<&str> = words
            .into_iter()
            .filter(|one| one.0)
            .map(|one| one.1)
            .collect();
        vec![
            rule.target.as_str().into(),
            rule.from.join(", ").into(),
            word(&rule.kind).into(),
            said.join(", ").into(),
        ]
    });
    out.table(&["field", "from", "type", ""], rows.collect());
    out.note(if one.mapping.rest {
        "Every other custom attribute becomes an attribute of the same name."
    } else {
        "No other custom attribute is taken."
    });
    if let Some(job) = &one.job {
        out.note(format!(
            "It is being applied to everybody: {} of {}. `rollcall jobs show {} --follow` shows how far it is.",
            job.done, job.total, job.id
        ));
    }
}

/// A word of the file's, as it is written there.
fn word<T: serde::Serialize>(value: &T) -> String {
    let written = serde_json::to_value(value).unwrap_or_default();
    written.as_str().unwrap_or_default().to_owned()
}

fn preview(args: Preview, context: &Context) -> Result<(), Failure> {
    let body = read(&args.file)?;
    let query = PreviewQuery {
        sample: args.sample,
        profile_id: args.profile,
        tries: None,
    };
    let told = database::read_now(context, |conn, actor, now| {
        fields::preview(conn, actor, &args.id, &body, &query, now)
    })?;
    let out = &context.output;
    if out.is_json() {
        out.json(&told);
        return Ok(());
    }
    tell(context, &told);
    Ok(())
}

fn tell(context: &Context, told: &PreviewView) {
    let out = &context.output;
    out.note(format!(
        "{} of {} people would be shown otherwise. Nothing was changed.",
        told.changed, told.people
    ));
    if !told.fields.is_empty() {
        let rows = told.fields.iter().map(|(field, count)| {
            vec![
                field.as_str().into(),
                count.set.into(),
                count.changed.into(),
                count.cleared.into(),
            ]
        });
        out.table(&["field", "set", "changed", "cleared"], rows.collect());
    }
    for (warning, people) in &told.warnings {
        out.note(format!("New warning at {people}: {warning}"));
    }
    let rows: Vec<Vec<Cell>> = told.sample.iter().flat_map(lines).collect();
    if !rows.is_empty() {
        out.table(&["person", "name", "field", "before", "after"], rows);
    }
}

fn lines(one: &PersonPreview) -> Vec<Vec<Cell>> {
    let changes = one.changes.iter().map(|change| {
        vec![
            one.profile_id.as_str().into(),
            one.display_name.as_str().into(),
            change.field.as_str().into(),
            change.before.clone().into(),
            change.after.clone().into(),
        ]
    });
    changes.collect()
}

fn apply(args: &Apply, context: &Context) -> Result<(), Failure> {
    let body = read(&args.file)?;
    let one = database::write(context, args.dry_run, |conn, actor, now| {
        fields::put(conn, actor, &args.id, &body, now)
    })?;
    show(context, &one);
    if one.job.is_none() {
        context.output.note("Everybody has this mapping already.");
    }
    Ok(())
}
