//! Admin > Apps & Integrations > Directory Sync: which organizations are connected and how well, the
//! webhook secrets in use, and the ways to the gap report and the comparisons. What WorkOS itself has
//! to be asked is asked here too; where no API key is set, every page says so and goes on without.

mod asking;
mod enable;
mod gaps;
mod guards;
mod mapping;
mod messaging;
mod organization;
mod reconcile;
mod reconciles;
mod resync;

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::is_of_logins;
use crate::http::HttpState;
use crate::operations::directories::{self, DirectoryQuery};
use crate::operations::holds::{self, HoldQuery};
use crate::operations::organizations::{self, OrganizationQuery, OrganizationView};
use crate::operations::webhook_secrets::{self, SecretView};
use crate::operations::{Actor, MAX_LIMIT, OperationError, names};

use super::frame::{Frame, Section, page};
use super::link::encoded;
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::when::When;

const HOME: &str = "/console/directory-sync";

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directory-sync", web::get().to(show))
        .configure(organization::routes)
        .configure(mapping::routes)
        .configure(guards::routes)
        .configure(messaging::routes)
        .configure(enable::routes)
        .configure(gaps::routes)
        .configure(reconciles::routes)
        .configure(reconcile::routes)
        .configure(resync::routes);
}

#[derive(Template)]
#[template(path = "directory_sync/index.html", config = "src/console/askama.toml")]
struct IndexPage {
    frame: Frame,
    rows: Vec<Row>,
    secrets: Option<Vec<SecretRow>>,
    lost: i64,
    asks_workos: bool,
    manages: bool,
}

/// One organization.
struct Row {
    id: String,
    name: String,
    people: i64,
    directories: Vec<Linked>,
    holds: usize,
    messaging: bool,
}

/// One of its directories.
struct Linked {
    name: String,
    state: String,
    linked: bool,
    heard: When,
}

/// A webhook secret in use.
struct SecretRow {
    label: String,
    in_use: bool,
    matched: i64,
    last: Option<When>,
}

async fn show(visitor: Visitor, state: web::Data<HttpState>) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let uses = state.secret_uses.clone();
    let labels: Vec<String> = state.secrets.labels().map(str::to_owned).collect();
    let limited = visitor.actor.organization_id.is_some();
    let (rows, secrets, lost) = state
        .read(move |conn| {
            let rows = rows(conn, &actor, now)?;
            let secrets = match limited {
                true => None,
                false => Some(webhook_secrets::list(conn, &actor, &labels, &uses)?),
            };
            Ok((rows, secrets, crate::operations::gaps::lost(conn, &actor)?))
        })
        .await?;
    let secrets = secrets.map(|all| {
        let row = |one: SecretView| SecretRow {
            last: one.last_matched_at.map(|at| When::new(at, visitor.now)),
            label: one.label,
            in_use: one.in_use,
            matched: one.matched,
        };
        all.into_iter().map(row).collect()
    });
    page(&IndexPage {
        frame: visitor.frame("Directory Sync", Section::DirectorySync),
        rows,
        secrets,
        lost,
        asks_workos: state.workos.is_some(),
        manages: visitor.administers(),
    })
}

fn rows(conn: &mut Conn, actor: &Actor, now: Timestamp) -> Result<Vec<Row>, OperationError> {
    let query = OrganizationQuery {
        limit: Some(MAX_LIMIT),
        cursor: None,
    };
    let all = organizations::list(conn, actor, &query)?.data;
    let mut called: BTreeMap<String, String> =
        names::of_organizations(conn, actor)?.into_iter().collect();
    let mut linked: BTreeMap<String, Vec<Linked>> = BTreeMap::new();
    let of_all = DirectoryQuery {
        limit: Some(MAX_LIMIT),
        ..DirectoryQuery::default()
    };
    for one in directories::list(conn, actor, &of_all)?.data {
        if is_of_logins(&one.id) {
            continue;
        }
        let of = linked.entry(one.organization_id).or_default();
        of.push(Linked {
            name: one.name.unwrap_or(one.id),
            state: one.state,
            linked: one.linked,
            heard: When::new(one.last_event_at, now),
        });
    }
    let open = HoldQuery {
        state: Some("open".to_owned()),
        limit: Some(MAX_LIMIT),
        ..HoldQuery::default()
    };
    let mut waiting: BTreeMap<String, usize> = BTreeMap::new();
    for one in holds::list(conn, actor, &open)?.data {
        *waiting.entry(one.organization_id).or_default() += 1;
    }
    let row = |one: OrganizationView| Row {
        name: called.remove(&one.id).unwrap_or_else(|| one.id.clone()),
        people: people_of(&one),
        directories: linked.remove(&one.id).unwrap_or_default(),
        holds: waiting.remove(&one.id).unwrap_or_default(),
        messaging: one.messaging_enabled,
        id: one.id,
    };
    Ok(all.into_iter().map(row).collect())
}

/// Everybody who is there: active or on leave.
fn people_of(one: &OrganizationView) -> i64 {
    let count = |status: &str| one.profiles.get(status).copied().unwrap_or_default();
    count("active") + count("on_leave")
}

/// The page of an organization.
fn home_of(organization: &str) -> String {
    format!("{HOME}/organizations/{}", encoded(organization))
}
