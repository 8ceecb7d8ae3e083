//! The first page: is all well, what needs a person, who is there.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::clock::Timestamp;
use crate::desk::communities::{self, CommunityQuery};
use crate::desk::holds::{self, HoldQuery, HoldView};
use crate::desk::names;
use crate::desk::organizations::{self, OrganizationQuery};
use crate::desk::overview::{Overview, overview};
use crate::http::HttpState;

use super::frame::{Frame, Section, page};
use super::hold;
use super::refusal::Refusal;
use super::visitor::Visitor;
use super::when::When;

/// An event that waits longer than this says that nothing works the queue off.
const TOO_OLD_SECONDS: u64 = 300;
const LISTED: usize = 10;

#[derive(Template)]
#[template(path = "overview.html", config = "src/console/askama.toml")]
struct OverviewPage {
    frame: Frame,
    figures: Overview,
    oldest: Option<When>,
    todo: Vec<Todo>,
    organizations: Vec<OrganizationRow>,
}

impl OverviewPage {
    fn tone(&self) -> &'static str {
        if self.todo.iter().any(|one| one.urgent) {
            "bad"
        } else {
            "warn"
        }
    }
}

/// Something that needs a person.
#[derive(Debug)]
struct Todo {
    what: String,
    why: &'static str,
    href: Option<String>,
    /// Whether messages or removals are at a standstill because of it.
    urgent: bool,
}

#[derive(Debug)]
struct OrganizationRow {
    id: String,
    name: String,
    people: i64,
    removed: i64,
    armed: Option<When>,
}

pub(super) async fn show(
    visitor: Visitor,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, worker) = (visitor.actor.clone(), visitor.now, state.wanted.worker);
    let (figures, orphaned, open, organizations, names) = state
        .read(move |conn| {
            let figures = overview(conn, &actor, now)?;
            let orphaned: Vec<(String, String)> = communities::list(conn, &actor, &newest())?
                .data
                .into_iter()
                .filter(|community| community.orphaned_at.is_some())
                .map(|community| (community.id, community.name))
                .collect();
            let listed = organizations::list(conn, &actor, &OrganizationQuery::default())?;
            let open = holds::list(conn, &actor, &undecided())?.data;
            let names = names::of_organizations(conn, &actor)?;
            Ok((figures, orphaned, open, listed.data, names))
        })
        .await?;
    let mut todo = todo_of(&figures, now, worker);
    todo.extend(open.iter().map(of_hold));
    todo.extend(orphaned.into_iter().take(LISTED).map(|(id, name)| Todo {
        what: format!("Nobody runs the community “{name}”"),
        why: "Its last admin has left. Make one of its members an admin.",
        href: Some(format!("/console/communities/{id}")),
        urgent: false,
    }));
    page(&OverviewPage {
        frame: visitor.frame("Overview", Section::Overview),
        oldest: figures.oldest_ready.map(|at| When::new(at, now)),
        todo,
        organizations: organizations
            .into_iter()
            .map(|one| row(one, &names, now))
            .collect(),
        figures,
    })
}

fn newest() -> CommunityQuery {
    CommunityQuery {
        limit: Some(crate::desk::MAX_LIMIT),
        ..CommunityQuery::default()
    }
}

fn undecided() -> HoldQuery {
    HoldQuery {
        state: Some("open".to_owned()),
        limit: i64::try_from(LISTED).ok(),
        ..HoldQuery::default()
    }
}

fn of_hold(one: &HoldView) -> Todo {
    Todo {
        what: format!("{}: {} wait", hold::title_of(&one.kind), one.waiting),
        why: "Nobody more is removed by it until somebody decides.",
        href: Some(format!("/console/holds/{}", one.id)),
        urgent: true,
    }
}

fn row(
    one: organizations::OrganizationView,
    names: &[(String, String)],
    now: Timestamp,
) -> OrganizationRow {
    let count = |status: &str| one.profiles.get(status).copied().unwrap_or_default();
    OrganizationRow {
        people: count("active") + count("on_leave"),
        removed: count("removed"),
        armed: one.armed_at.map(|at| When::new(at, now)),
        name: names
            .iter()
            .find_map(|(id, name)| (*id == one.id).then(|| name.clone()))
            .unwrap_or_else(|| one.id.clone()),
        id: one.id,
    }
}

fn todo_of(figures: &Overview, now: Timestamp, worker: bool) -> Vec<Todo> {
    let mut todo = Vec::new();
    if worker && figures.silent {
        todo.push(Todo {
            what: "No worker is running".to_owned(),
            why: "Events are stored and nothing is applied. Look at the log of `rollcall serve` or `rollcall work`.",
            href: None,
            urgent: true,
        });
    }
    if figures
        .oldest_ready
        .is_some_and(|at| now.since(at).as_secs() >= TOO_OLD_SECONDS)
    {
        todo.push(Todo {
            what: "The queue is behind".to_owned(),
            why: "Its oldest event has waited for over five minutes.",
            href: Some("/console/events?state=ready".to_owned()),
            urgent: true,
        });
    }
    let counted = [
        (
            figures.held,
            "event",
            "held for a decision",
            "Nothing of it is applied until somebody decides.",
            "/console/events?state=held",
        ),
        (
            figures.parked,
            "event",
            "given up",
            "Each says why. Mend the cause and replay it, or discard it.",
            "/console/failures",
        ),
        (
            figures.unknown,
            "message",
            "may or may not have gone",
            "Ask whom it was meant for, then send it again or leave it.",
            "/console/deliveries?state=unknown",
        ),
        (
            figures.failed,
            "message",
            "not sent",
            "Each says why. Mend the cause and send it again.",
            "/console/deliveries?state=failed",
        ),
    ];
    for (count, noun, became, why, href) in counted {
        if count > 0 {
            let many = if count == 1 { "" } else { "s" };
            todo.push(Todo {
                what: format!("{count} {noun}{many} {became}"),
                why,
                href: Some(href.to_owned()),
                urgent: false,
            });
        }
    }
    todo
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

    #[test]
    fn when_all_is_well_there_is_nothing_to_do() {
        let figures = Overview {
            ready: 3,
            oldest_ready: Some(NOW),
            ..Overview::default()
        };
        assert!(todo_of(&figures, NOW, true).is_empty());
    }

    #[test]
    fn what_needs_a_person_is_listed_with_what_to_do() {
        let figures = Overview {
            parked: 1,
            silent: true,
            failed: 2,
            ..Overview::default()
        };
        let todo = todo_of(&figures, NOW, true);
        let said: Vec<&str> = todo.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(
            said,
            [
                "No worker is running",
                "1 event given up",
                "2 messages not sent"
            ]
        );
        assert!(todo_of(&figures, NOW, false).iter().all(|one| !one.urgent));
    }
}
