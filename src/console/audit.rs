//! What operators did: a list with filters in the address, each act with the way to what it was done to.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::acts::{self, AuditQuery, AuditView};
use crate::operations::{OperationError, names};

use super::frame::{Frame, Section, page};
use super::link::{Pager, encoded, link, said};
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::when::When;

const PATH: &str = "/console/audit";
/// What acts are about, as they begin; and what the page calls it.
const KINDS: [(&str, &str); 15] = [
    ("profile", "People"),
    ("conflict", "Conflicts"),
    ("event", "Events"),
    ("events", "Bulk replays"),
    ("community", "Communities"),
    ("trigger", "Triggers"),
    ("delivery", "Messages"),
    ("destination", "Destinations"),
    ("opt_out", "Opt-outs"),
    ("hold", "Holds"),
    ("organization", "Organizations"),
    ("directory", "Directories"),
    ("reconcile", "Comparisons"),
    ("job", "Jobs"),
    ("token", "Tokens"),
];

#[derive(Template)]
#[template(path = "audit.html", config = "src/console/askama.toml")]
struct AuditPage {
    frame: Frame,
    filters: Filters,
    rows: Vec<Row>,
    pager: Pager,
}

impl AuditPage {
    fn kinds(&self) -> [(&'static str, &'static str); 15] {
        KINDS
    }
}

/// The filters, as the address has them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Filters {
    who: Option<String>,
    what: Option<String>,
    target: Option<String>,
    since: Option<String>,
    cursor: Option<String>,
}

impl Filters {
    fn cleaned(self) -> Self {
        Self {
            who: said(self.who),
            what: said(self.what),
            target: said(self.target),
            since: said(self.since),
            cursor: said(self.cursor),
        }
    }

    fn pairs(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("who", self.who.as_deref()),
            ("what", self.what.as_deref()),
            ("target", self.target.as_deref()),
            ("since", self.since.as_deref()),
        ]
    }

    fn narrowed(&self) -> bool {
        self.pairs().iter().any(|(_, value)| value.is_some())
    }

    fn query(&self) -> Result<AuditQuery, OperationError> {
        let since = self.since.as_deref().map(|text| {
            Timestamp::parse(text).ok_or_else(|| {
                OperationError::Invalid(format!(
                    "since is {text:?}; a day such as 2026-11-23 is wanted"
                ))
            })
        });
        Ok(AuditQuery {
            actor: self.who.clone(),
            act: self.what.clone(),
            target: self.target.clone(),
            since: since.transpose()?,
            cursor: self.cursor.clone(),
            ..AuditQuery::default()
        })
    }
}

/// One act.
#[derive(Debug)]
struct Row {
    at: When,
    who: String,
    by_who: String,
    what: String,
    target: String,
    href: Option<String>,
    detail: Option<String>,
}

pub(super) async fn list(
    visitor: Visitor,
    filters: web::Query<Filters>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let filters = filters.into_inner().cleaned();
    let (actor, query) = (visitor.actor.clone(), filters.query()?);
    let (found, names) = state
        .read(move |conn| {
            let found = acts::list(conn, &actor, &query)?;
            let ids: Vec<String> = found.data.iter().flat_map(ids_in).collect();
            let mut names = names::of_people(conn, &actor, &ids)?;
            names.extend(names::of_communities(conn, &actor, &ids)?);
            names.extend(names::of_organizations(conn, &actor)?);
            Ok((found, names))
        })
        .await?;
    let pager = Pager::new(
        PATH,
        &filters.pairs(),
        filters.cursor.as_deref(),
        found.next_cursor.as_deref(),
    );
    let rows = found.data.into_iter();
    let rows = rows.map(|one| row(one, &names, visitor.now));
    page(&AuditPage {
        frame: visitor.frame("Audit", Section::Audit),
        rows: rows.collect(),
        pager,
        filters,
    })
}

/// What an act names by its id.
fn ids_in(one: &AuditView) -> impl Iterator<Item = String> + use<> {
    let detail = one.detail.clone();
    let detail = detail.filter(|detail| detail.starts_with("profile"));
    std::iter::once(one.target.clone()).chain(detail)
}

fn row(one: AuditView, names: &BTreeMap<String, String>, now: Timestamp) -> Row {
    let named = |id: String| names.get(&id).cloned().unwrap_or(id);
    Row {
        at: When::new(one.at, now),
        by_who: link(PATH, &[("who", Some(&one.actor))]),
        who: one.actor,
        what: one.act.replace(['.', '_'], " "),
        href: home_of(&one.act, &one.target),
        target: named(one.target),
        detail: one.detail.map(named),
    }
}

/// The page of what an act was done to, where it has one.
fn home_of(act: &str, target: &str) -> Option<String> {
    let (kind, deed) = act.split_once('.')?;
    let list = match kind {
        "profile" => "people",
        // Decided for a directory user whose person has no profile, it has no page of a person.
        "conflict" if target.starts_with("profile") => "people",
        "conflict" => "conflicts",
        "event" => "events",
        "community" => "communities",
        "trigger" if deed != "deleted" => "triggers",
        "delivery" => "deliveries",
        "hold" => "holds",
        "organization" => "directory-sync/organizations",
        "job" => "jobs",
        _ => return None,
    };
    Some(format!("/console/{list}/{}", encoded(target)))
}

#[cfg(test)]
mod tests {
    use super::home_of;

    #[test]
    fn an_act_leads_to_what_it_was_done_to() {
        let leads = |act, target| home_of(act, target);
        assert_eq!(
            leads("profile.erased", "profile_1").as_deref(),
            Some("/console/people/profile_1")
        );
        assert_eq!(
            leads("hold.approved", "hold/1").as_deref(),
            Some("/console/holds/hold%2F1")
        );
        assert_eq!(leads("trigger.deleted", "trigger_1"), None);
        assert_eq!(leads("token.created", "token_1"), None);
    }
}
