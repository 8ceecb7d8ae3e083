//! The retention (R72): what is settled loses its payload, its texts and its attempts after their
//! days, comparisons go with the payloads, and people who left are erased after theirs, where that is wanted. In small batches, so that
//! nobody waits; event ids, order keys and message keys stay, so that nothing happens twice.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::db::{Conn, Db, Urgency};
use crate::outbox;
use crate::store::{chores, legal_holds, profiles, reconciles};
use crate::telemetry;
use crate::triggers::deliveries;

use super::erasure::erase_row;
use super::{Actor, OperationError, Role};

/// Rows taken in one transaction, and people erased in one.
const AT_ONCE: i64 = 500;
const PEOPLE_AT_ONCE: i64 = 20;
/// What a dry run counts to.
const COUNTED: i64 = 100_000;

/// Transactions of one round of the janitor; what is left waits for the next.
pub const A_ROUND: u32 = 200;
/// As many as it takes.
pub const ALL: u32 = u32::MAX;

/// How long what is settled is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Days for payloads and attempts of events.
    pub payload_days: u32,
    /// Days for texts, addresses and attempts of messages.
    pub message_days: u32,
    /// Days after which people who left are erased; `None`: never by itself.
    pub removed_days: Option<u32>,
}

impl Policy {
    /// Days for payloads, for texts of messages, for people who left; 0 of the last erases nobody.
    pub fn of([payload_days, message_days, removed_days]: [u32; 3]) -> Self {
        Self {
            payload_days,
            message_days,
            removed_days: (removed_days > 0).then_some(removed_days),
        }
    }
}

/// What went, or would go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amounts {
    /// Payloads of events.
    pub payloads: usize,
    /// Lines about attempts, of events and of messages.
    pub attempts: usize,
    /// Texts of messages.
    pub texts: usize,
    /// What comparisons found to differ.
    pub differences: usize,
    /// People erased.
    pub people: usize,
}

impl Amounts {
    fn add(&mut self, more: Self) {
        self.payloads += more.payloads;
        self.attempts += more.attempts;
        self.texts += more.texts;
        self.differences += more.differences;
        self.people += more.people;
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// When it last ran, and what came of it.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the fields of the command's output")]
pub struct RetentionView {
    pub policy: Policy,
    pub last_run_at: Option<Timestamp>,
    /// What the last run took.
    pub last_run: Option<serde_json::Value>,
    /// What would go now; each counted to 100,000.
    pub due: Amounts,
}

/// Whom and what a transaction takes: settled before, and not under a legal hold.
struct Horizon {
    payloads: Timestamp,
    messages: Timestamp,
    removed: Option<Timestamp>,
    people: Vec<String>,
    users: Vec<String>,
}

impl Horizon {
    fn of(conn: &mut Conn, policy: Policy, now: Timestamp) -> Result<Self, OperationError> {
        let ago = |days: u32| now.minus(Duration::from_secs(u64::from(days) * 86_400));
        Ok(Self {
            payloads: ago(policy.payload_days),
            messages: ago(policy.message_days),
            removed: policy.removed_days.map(ago),
            people: legal_holds::people(conn)?,
            users: legal_holds::directory_users(conn)?,
        })
    }
}

/// When it last ran and what would go now; changes nothing.
pub fn show(
    conn: &mut Conn,
    actor: &Actor,
    policy: Policy,
    now: Timestamp,
) -> Result<RetentionView, OperationError> {
    actor.require(Role::Admin)?;
    actor.require_unlimited()?;
    let last = chores::last(conn, chores::RETENTION)?;
    let horizon = Horizon::of(conn, policy, now)?;
    let (payloads, messages) = (horizon.payloads, horizon.messages);
    let due = Amounts {
        payloads: outbox::old_bodies(conn, payloads, &horizon.users, COUNTED)?.len(),
        attempts: outbox::old_attempts(conn, payloads, &horizon.users, COUNTED)?.len()
            + deliveries::old_attempts(conn, messages, &horizon.people, COUNTED)?.len(),
        texts: deliveries::old_texts(conn, messages, &horizon.people, COUNTED)?.len(),
        differences: reconciles::old_drift(conn, payloads, &horizon.users, COUNTED)?.len(),
        people: match horizon.removed {
            Some(removed) => {
                profiles::removed_before(conn, removed, &horizon.people, COUNTED)?.len()
            }
            None => 0,
        },
    };
    Ok(RetentionView {
        policy,
        last_run_at: last.as_ref().map(|(at, _)| *at),
        last_run: last.and_then(|(_, told)| serde_json::from_str(&told).ok()),
        due,
    })
}

/// Takes what is due, in at most so many transactions, and notes that it ran.
pub fn sweep(
    db: &Db,
    policy: Policy,
    transactions: u32,
    now: Timestamp,
) -> Result<Amounts, OperationError> {
    let actor = Actor {
        name: "retention".to_owned(),
        role: Role::Admin,
        organization_id: None,
        sensitive: false,
    };
    let mut all = Amounts::default();
    for _ in 0..transactions {
        let some = db.write(Urgency::Normal, |conn| take_some(conn, &actor, policy, now))?;
        if some.is_nothing() {
            break;
        }
        all.add(some);
    }
    let told = serde_json::to_string(&all).unwrap_or_default();
    db.write(Urgency::Normal, |conn| {
        Ok::<_, OperationError>(chores::done(conn, chores::RETENTION, &told, now)?)
    })?;
    if all.people > 0 {
        db.empty_log()?;
    }
    if !all.is_nothing() {
        tracing::info!(
            payloads = all.payloads,
            attempts = all.attempts,
            texts = all.texts,
            differences = all.differences,
            people = all.people,
            "the retention took what had passed its days"
        );
    }
    count(all);
    Ok(all)
}

fn count(all: Amounts) {
    for (what, amount) in [
        ("payloads", all.payloads),
        ("attempts", all.attempts),
        ("texts", all.texts),
        ("differences", all.differences),
        ("people", all.people),
    ] {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        metrics::counter!(telemetry::RETENTION_PURGED, "what" => what).increment(amount);
    }
}

/// One transaction's worth.
fn take_some(
    conn: &mut Conn,
    actor: &Actor,
    policy: Policy,
    now: Timestamp,
) -> Result<Amounts, OperationError> {
    let horizon = Horizon::of(conn, policy, now)?;
    let bodies = outbox::old_bodies(conn, horizon.payloads, &horizon.users, AT_ONCE)?;
    let lines = outbox::old_attempts(conn, horizon.payloads, &horizon.users, AT_ONCE)?;
    let texts = deliveries::old_texts(conn, horizon.messages, &horizon.people, AT_ONCE)?;
    let tries = deliveries::old_attempts(conn, horizon.messages, &horizon.people, AT_ONCE)?;
    outbox::prune_bodies(conn, &bodies)?;
    outbox::prune_attempts(conn, &lines)?;
    deliveries::take_texts(conn, &texts)?;
    deliveries::prune_attempts(conn, &tries)?;
    let found = reconciles::old_drift(conn, horizon.payloads, &horizon.users, AT_ONCE)?;
    reconciles::prune_drift(conn, &found)?;
    reconciles::prune(conn, horizon.payloads)?;
    let mut people = 0;
    if let Some(removed) = horizon.removed {
        for id in profiles::removed_before(conn, removed, &horizon.people, PEOPLE_AT_ONCE)? {
            people += usize::from(erase_one(conn, actor, &id, removed, now)?);
        }
    }
    Ok(Amounts {
        payloads: bodies.len(),
        attempts: lines.len() + tries.len(),
        texts: texts.len(),
        differences: found.len(),
        people,
    })
}

/// Erases somebody who left, unless they have come back, or were held, while this waited for its turn.
fn erase_one(
    conn: &mut Conn,
    actor: &Actor,
    id: &str,
    removed: Timestamp,
    now: Timestamp,
) -> Result<bool, OperationError> {
    let Some(row) = profiles::find(conn, id)? else {
        return Ok(false);
    };
    outbox::lock_part(conn, outbox::part_of(&row.organization_id))?;
    let gone = profiles::find(conn, id)?.filter(|row| {
        row.status == "removed"
            && row
                .removed_at
                .is_some_and(|removed_at| removed_at < removed)
    });
    match gone {
        Some(row) if legal_holds::find(conn, id)?.is_none() => {
            erase_row(conn, &row, actor, now)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
