//! One organization: its directories and how they are, what waits for a decision, how attributes are
//! mapped, which guards stand, whether messages may go out, and the latest comparisons.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{OnDirectoryDeleted, Settings, is_of_logins};
use crate::http::HttpState;
use crate::operations::directories::{self, DirectoryQuery, DirectoryView};
use crate::operations::fields::{self, FieldsView};
use crate::operations::holds::{self, Decision, HoldQuery, HoldView};
use crate::operations::organizations::{self, OrganizationView};
use crate::operations::reconciles::{self, ReconcileQuery, ReconcileView};
use crate::operations::{Actor, MAX_LIMIT, OperationError, names};
use crate::upstream::sync;

use super::super::frame::{Frame, Section, go, page};
use super::super::hold::title_of;
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::super::when::When;
use super::asking::client;
use super::mapping::RuleRow;
use super::{home_of, people_of};

/// Silence of a directory that is worth a look.
const LONG: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);
/// Of many comparisons the latest are shown.
const COMPARISONS: i64 = 3;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directory-sync/organizations/{id}", web::get().to(show))
        .route(
            "/directory-sync/directories/{id}/decide",
            web::post().to(decide),
        )
        .route(
            "/directory-sync/directories/{id}/sync",
            web::post().to(sync_now),
        );
}

#[derive(Template)]
#[template(
    path = "directory_sync/organization.html",
    config = "src/console/askama.toml"
)]
struct OrganizationPage {
    frame: Frame,
    id: String,
    name: String,
    people: i64,
    messaging_enabled_at: Option<When>,
    directories: Vec<Known>,
    by_logins: Option<i64>,
    holds: Vec<HoldView>,
    settings: Settings,
    rules: Vec<RuleRow>,
    job: Option<String>,
    comparisons: Vec<(ReconcileView, When)>,
    asks_workos: bool,
    operates: bool,
    manages: bool,
    csrf: String,
}

impl OrganizationPage {
    fn title_of(&self, hold: &HoldView) -> &'static str {
        title_of(&hold.kind)
    }

    fn on_deleted(&self) -> &'static str {
        match self.settings.on_directory_deleted {
            OnDirectoryDeleted::Hold => "everybody stays until somebody decides",
            OnDirectoryDeleted::Remove => "its people are removed",
        }
    }
}

/// A directory as the page shows it.
pub(super) struct Known {
    pub one: DirectoryView,
    pub name: String,
    provider: &'static str,
    heard: When,
    since: When,
    /// Whether it has been silent for so long that somebody should look.
    silent: bool,
    /// The hold about its people that waits for a decision (R36).
    decision: Option<HoldView>,
}

impl Known {
    fn tone(&self) -> &'static str {
        match self.one.state.as_str() {
            _ if !self.one.linked => "removed",
            "active" | "linked" => "active",
            _ => "held",
        }
    }

    /// WorkOS reads Google's directories from the provider on request; the others send by themselves. Where
    /// it has not said what this one is, it is asked.
    fn synced_on_request(&self) -> bool {
        matches!(self.provider, "Google Workspace" | "")
    }

    fn active(&self) -> i64 {
        self.one.users.get("active").copied().unwrap_or_default()
    }

    /// The users that are not active.
    fn others(&self) -> i64 {
        self.one.users.values().sum::<i64>() - self.active()
    }
}

/// What is read for the page in one go.
struct Read {
    name: String,
    organization: OrganizationView,
    directories: Vec<DirectoryView>,
    holds: Vec<HoldView>,
    fields: FieldsView,
    comparisons: Vec<ReconcileView>,
}

fn read(conn: &mut Conn, actor: &Actor, id: &str) -> Result<Read, OperationError> {
    let own = || Some(id.to_owned());
    Ok(Read {
        organization: organizations::show(conn, actor, id)?,
        name: names::of_organization(conn, actor, id)?,
        directories: directories::list(
            conn,
            actor,
            &DirectoryQuery {
                organization_id: own(),
                limit: Some(MAX_LIMIT),
                cursor: None,
            },
        )?
        .data,
        holds: holds::list(
            conn,
            actor,
            &HoldQuery {
                organization_id: own(),
                state: Some("open".to_owned()),
                limit: Some(MAX_LIMIT),
                cursor: None,
            },
        )?
        .data,
        fields: fields::show(conn, actor, id)?,
        comparisons: reconciles::list(
            conn,
            actor,
            &ReconcileQuery {
                organization_id: own(),
                directory_id: None,
                limit: Some(COMPARISONS),
                cursor: None,
            },
        )?
        .data,
    })
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (visitor.actor.clone(), visitor.now);
    let found = state.read(move |conn| read(conn, &actor, &id)).await?;
    let rows = RuleRow::all(&found.fields.mapping);
    let (logins, real): (Vec<_>, Vec<_>) = found
        .directories
        .into_iter()
        .partition(|one| is_of_logins(&one.id));
    let (about_directories, holds): (Vec<_>, Vec<_>) = found
        .holds
        .into_iter()
        .partition(|one| one.kind == "directory_deleted");
    page(&OrganizationPage {
        frame: visitor.frame(
            format!("Directory Sync: {}", found.name),
            Section::DirectorySync,
        ),
        people: people_of(&found.organization),
        messaging_enabled_at: found
            .organization
            .messaging_enabled_at
            .map(|at| When::new(at, now)),
        directories: real
            .into_iter()
            .map(|one| known(one, &about_directories, now))
            .collect(),
        by_logins: logins.first().map(|one| one.users.values().sum()),
        comparisons: found
            .comparisons
            .into_iter()
            .map(|one| {
                let begun = When::new(one.started_at, now);
                (one, begun)
            })
            .collect(),
        id: found.organization.id,
        name: found.name,
        job: found.fields.job.map(|job| job.id),
        rules: rows,
        holds,
        settings: found.organization.settings,
        asks_workos: state.workos.is_some(),
        operates: visitor.operates(),
        manages: visitor.administers(),
        csrf: visitor.csrf.clone(),
    })
}

fn known(one: DirectoryView, decisions: &[HoldView], now: Timestamp) -> Known {
    let about = |hold: &&HoldView| hold.directory_id.as_deref() == Some(one.id.as_str());
    Known {
        name: one.name.clone().unwrap_or_else(|| one.id.clone()),
        provider: provider_of(one.directory_type.as_deref()),
        heard: When::new(one.last_event_at, now),
        since: When::new(one.first_seen_at, now),
        silent: one.linked && now.since(one.last_event_at) > LONG,
        decision: decisions.iter().find(about).cloned(),
        one,
    }
}

/// WorkOS's type as people call the provider. The list is open: what is not in it is shown as it came.
fn provider_of(kind: Option<&str>) -> &'static str {
    let Some(kind) = kind else {
        return "";
    };
    let known = [
        ("okta", "Okta"),
        ("azure", "Entra ID"),
        ("gsuite", "Google Workspace"),
        ("jump cloud", "JumpCloud"),
        ("onelogin", "OneLogin"),
        ("cyberark", "CyberArk"),
        ("cyperark", "CyberArk"),
        ("pingfederate", "PingFederate"),
        ("sailpoint", "SailPoint"),
        ("rippling", "Rippling"),
        ("generic scim", "SCIM"),
        ("workday", "Workday"),
        ("sftp workday", "Workday"),
        ("bamboohr", "BambooHR"),
        ("hibob", "HiBob"),
        ("personio", "Personio"),
        ("sftp", "SFTP"),
        ("s3", "S3"),
    ];
    known
        .into_iter()
        .find_map(|(begins, name)| kind.starts_with(begins).then_some(name))
        .unwrap_or_default()
}

/// What to do with a deleted directory's people.
#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    decision: Decision,
}

async fn decide(
    act: Act<Choice>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, decision) = (act.visitor.actor, act.visitor.now, act.form.decision);
    let one = state
        .write(move |conn| holds::decide_directory(conn, &actor, &id, decision, now))
        .await?;
    state.wake.notify_one();
    let home = home_of(&one.hold.organization_id);
    Ok(go(&format!("{home}?done=decided")))
}

async fn sync_now(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let actor = act.visitor.actor;
    let (by, directory) = (actor.clone(), id.clone());
    let organization = state
        .read(move |conn| {
            directories::may_sync(conn, &by, &directory)?;
            let known = directories::show(conn, &by, &directory)?;
            Ok(known.directory.organization_id)
        })
        .await?;
    sync(&state.db, &state.clock, client(&state)?, actor, &id).await?;
    Ok(go(&format!("{}?done=syncing", home_of(&organization))))
}

#[cfg(test)]
mod tests {
    use super::provider_of;

    #[test]
    fn a_provider_goes_by_its_name() {
        assert_eq!(provider_of(Some("okta scim v2.0")), "Okta");
        assert_eq!(provider_of(Some("azure scim v2.0")), "Entra ID");
        assert_eq!(provider_of(Some("something new")), "");
        assert_eq!(provider_of(None), "");
    }
}
