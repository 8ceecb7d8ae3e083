//! The doctor's look at directories and holds: which directory has been silent for longer than its
//! provider's rhythm explains, and which decision is overdue.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::is_of_logins;
use crate::operations::OperationError;
use crate::store::{directories, holds};

use super::Check;

/// Directories looked at.
const MOST: i64 = 1_000;
/// WorkOS asks these every half hour.
const POLLED: Duration = Duration::from_secs(30 * 60);
/// Entra pushes about every forty minutes.
const ENTRA: Duration = Duration::from_secs(40 * 60);
/// The others push at once: an hour is long.
const PUSHED: Duration = Duration::from_secs(60 * 60);
/// A directory in which nothing changes sends nothing: so many rounds may pass without a word.
const QUIET_ROUNDS: u32 = 24;
/// A hold that should have settled by itself, and has not.
const OVERDUE: Duration = Duration::from_secs(120);
/// Then held people lose their access.
const LIMIT: Duration = Duration::from_secs(4 * 3_600);

/// How often a provider is asked, or pushes.
fn rhythm(kind: &str) -> Duration {
    let kind = kind.to_lowercase();
    let polled = [
        "gsuite",
        "google",
        "workday",
        "bamboohr",
        "hibob",
        "breathe",
        "cezanne",
        "fourth",
        "people hr",
        "sftp",
        "s3",
        "personio",
        "gusto",
    ];
    if polled.iter().any(|name| kind.contains(name)) {
        POLLED
    } else if kind.contains("azure") || kind.contains("entra") {
        ENTRA
    } else {
        PUSHED
    }
}

pub(super) fn silent(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "directories";
    let all = directories::list(conn, None, None, MOST)?;
    let linked = all
        .into_iter()
        .filter(|one| one.life.live() && !is_of_logins(&one.id));
    let mut count = 0;
    let mut quiet = Vec::new();
    for one in linked {
        count += 1;
        let kind = one.life.kind.as_deref().unwrap_or("unknown type");
        let rhythm = rhythm(kind);
        let silence = now.since(one.last_event_at);
        if silence > rhythm * QUIET_ROUNDS {
            quiet.push(format!(
                "{} ({kind}) for {} h, though it is heard every {} min",
                one.id,
                silence.as_secs() / 3_600,
                rhythm.as_secs() / 60
            ));
        }
    }
    Ok(match quiet.first() {
        None => Check::ok(
            name,
            format!("{count} linked, none silent for unusually long"),
        ),
        Some(first) => Check::warn(
            name,
            match quiet.len() {
                1 => format!("silent: {first}"),
                many => format!("{many} are silent, such as {first}"),
            },
            "a company in which nothing changes is silent too; `rollcall directories reconcile <id>` compares it with WorkOS, and the WorkOS dashboard shows whether the provider still syncs",
        ),
    })
}

pub(super) fn waiting_holds(conn: &mut Conn, now: Timestamp) -> Result<Check, OperationError> {
    let name = "holds";
    let open = holds::list(conn, None, Some("open"), None, MOST)?;
    let overdue = open.iter().filter(|hold| {
        let settles = hold.due_at.is_some_and(|due| now.since(due) > OVERDUE);
        settles || (hold.due_at.is_none() && now.since(hold.opened_at) > LIMIT)
    });
    let overdue = overdue.count();
    let advice = "`rollcall holds list --state open` shows them; held people lose access after four hours, and nothing else happens before somebody approves or rejects";
    Ok(if overdue > 0 {
        Check::fail(
            name,
            format!("{overdue} of {} open ones are past their limit", open.len()),
            "decide: `rollcall holds approve <id>` or `rollcall holds reject <id>`; one that should have settled by itself waits for a worker: is `rollcall serve` or `rollcall work` running?",
        )
    } else if open.is_empty() {
        Check::ok(name, "nothing waits for a decision")
    } else {
        Check::warn(
            name,
            match open.len() {
                1 => "one batch waits for a decision".to_owned(),
                many => format!("{many} batches wait for a decision"),
            },
            advice,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_its_rhythm() {
        assert_eq!(rhythm("gsuite directory"), POLLED);
        assert_eq!(rhythm("azure scim v2.0"), ENTRA);
        assert_eq!(rhythm("okta scim v2.0"), PUSHED);
    }
}
