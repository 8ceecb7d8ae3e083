//! What needs a person: each line says what waits, why it matters, and leads to where it is decided.

use crate::clock::Timestamp;
use crate::operations::holds::HoldView;
use crate::operations::overview::Overview;

use super::count::Count;
use super::hold;
use super::link::encoded;

/// An event that waits longer than this says that nothing works the queue off.
const TOO_OLD_SECONDS: u64 = 300;
/// How many of a kind are named one by one.
pub(super) const LISTED: usize = 10;

/// Something that needs a person.
#[derive(Debug)]
pub(super) struct Todo {
    pub what: String,
    pub why: &'static str,
    pub href: Option<String>,
    /// Whether messages or removals are at a standstill because of it.
    pub urgent: bool,
}

impl Todo {
    fn new(what: impl Into<String>, why: &'static str, href: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why,
            href: Some(href.into()),
            urgent: false,
        }
    }

    fn urgent(self) -> Self {
        Self {
            urgent: true,
            ..self
        }
    }
}

/// Everything that needs a person, what is at a standstill first.
pub(super) fn todo_of(
    figures: &Overview,
    open: &[HoldView],
    now: Timestamp,
    worker: bool,
) -> Vec<Todo> {
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
        let why = "Its oldest event has waited for over five minutes.";
        let href = "/console/events?state=ready";
        todo.push(Todo::new("The queue is behind", why, href).urgent());
    }
    todo.extend(open.iter().map(of_hold));
    todo.extend(figures.stopped.iter().take(LISTED).map(|(_, shown)| {
        let why = "It refuses what is sent there, so its messages wait. Fix it, then resume it.";
        Todo::new(
            format!("{shown} is stopped"),
            why,
            "/console/destinations?state=stopped",
        )
        .urgent()
    }));
    todo.extend(figures.failing.iter().take(LISTED).map(|(shown, _)| {
        let why = "Messages that fail are sent again automatically. The reason is given there.";
        Todo::new(
            format!("{shown} is not accepting messages"),
            why,
            "/console/failures",
        )
        .urgent()
    }));
    if figures.catch_up_fails {
        let why = "What a lost webhook said is not known here until reading back works again. The reason is given there.";
        todo.push(
            Todo::new(
                "Events cannot be read back from WorkOS",
                why,
                "/console/failures",
            )
            .urgent(),
        );
    }
    todo.extend(counted(figures));
    todo.extend(figures.orphans.iter().take(LISTED).map(|(id, name)| {
        let why = "Its last admin has left. Make one of its members an admin.";
        let href = format!("/console/communities/{}", encoded(id));
        Todo::new(format!("Nobody runs the community “{name}”"), why, href)
    }));
    todo
}

fn of_hold(one: &HoldView) -> Todo {
    let (why, wait) = match one.kind.as_str() {
        "welcomes" | "messages" | "start_dates" | "restored" => (
            "None of them goes out until somebody decides.",
            "messages wait",
        ),
        _ => (
            "Nobody more is removed by it until somebody decides.",
            "wait",
        ),
    };
    let href = format!("/console/holds/{}", encoded(&one.id));
    let what = format!("{}: {} {wait}", hold::title_of(&one.kind), one.waiting);
    Todo::new(what, why, href).urgent()
}

fn counted(figures: &Overview) -> impl Iterator<Item = Todo> {
    [
        (
            figures.held,
            "event",
            "held for a decision",
            "Nothing of it is applied until somebody decides.",
            "/console/events?state=held",
        ),
        (
            figures.failed_events,
            "event",
            "given up",
            "Each says why. Mend the cause and replay it, or discard it.",
            "/console/failures",
        ),
        (
            figures.conflicts,
            "person",
            "whom only you can tell apart",
            "The directory does not say who they are. Say whether they are somebody you know.",
            "/console/conflicts",
        ),
        (
            figures.unknown,
            "message",
            "that may or may not have gone",
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
        (
            figures.failed_jobs,
            "job",
            "given up",
            "What it had left to do is not done. Each says why; mend the cause and try it again.",
            "/console/failures",
        ),
        (
            figures.admin_restorations,
            "admin role",
            "to restore",
            "Somebody who ran a community has returned as a plain member.",
            "/console/communities/admin-restorations",
        ),
        (
            figures.failing_comparisons,
            "directory",
            "that cannot be compared with WorkOS",
            "What a lost webhook said about its people is not found. The reason is given there.",
            "/console/failures",
        ),
        (
            figures.lost,
            "event",
            "that no webhook brought",
            "Catching up found it, and it is applied. See what kept the webhooks away.",
            "/console/directory-sync/gaps",
        ),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, noun, became, why, href)| {
        let what = Count(count)
            .of(noun)
            .replace("persons", "people")
            .replace("directorys", "directories");
        Todo::new(format!("{what} {became}"), why, href)
    })
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
        assert!(todo_of(&figures, &[], NOW, true).is_empty());
    }

    #[test]
    fn what_needs_a_person_is_listed_with_what_to_do() {
        let figures = Overview {
            failed_events: 1,
            silent: true,
            failed: 2,
            conflicts: 10_000,
            stopped: vec![("email".to_owned(), "mail.example".to_owned())],
            orphans: vec![("community_1".to_owned(), "Chess".to_owned())],
            ..Overview::default()
        };
        let todo = todo_of(&figures, &[], NOW, true);
        let said: Vec<&str> = todo.iter().map(|one| one.what.as_str()).collect();
        assert_eq!(
            said,
            [
                "No worker is running",
                "mail.example is stopped",
                "1 event given up",
                "10,000+ people whom only you can tell apart",
                "2 messages not sent",
                "Nobody runs the community “Chess”",
            ]
        );
        let urgent = todo_of(&figures, &[], NOW, false);
        assert_eq!(urgent.iter().filter(|one| one.urgent).count(), 1);
    }
}
