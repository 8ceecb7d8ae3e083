//! Community rules: "group or attribute condition → community, role" (R52, R53). A rule's row
//! stands beside a manual one; the rule ending removes only its own. Who has no access is in
//! nothing. The worker calls this for whom a batch touched, the desk when rules change.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::conditions::{Condition, Problem};
use crate::db::Conn;
use crate::roll::{LEFT, Membership, Role, Source};

use super::communities::{self, Community};
use super::profiles::{self, ProfileRow};
use super::staged;
use super::surroundings::Surroundings;
use super::unreadable;

/// One rule of a community.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// For whom.
    pub when: Condition,
    /// What they become: `member` or `admin`.
    #[schemars(extend("enum" = ["member", "admin"]))]
    pub role: String,
}

/// A membership that a rule began, changed or ended.
#[derive(Debug, Clone)]
pub struct Turned {
    /// The organization.
    pub organization_id: String,
    /// The row before; `None` when it is new.
    pub before: Option<Membership>,
    /// The row now.
    pub after: Membership,
}

impl Turned {
    /// Whether somebody who stays leaves the community, because its rules do not name them any more.
    pub fn is_leave(&self) -> bool {
        self.after.ended_at.is_some() && self.after.ended_reason.as_deref() == Some(RULE_ENDED)
    }
}

/// The reason that a rule's end writes.
pub const RULE_ENDED: &str = "the rule does not apply any more";

/// Reads rules as `POST /v1/communities` takes them, or tells everything that is wrong.
pub fn parse(rules: &[Value]) -> Result<Vec<Rule>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let path = format!("rules[{place}]");
        let role = rule
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or("member")
            .to_owned();
        if Role::parse(&role).is_none() {
            problems.push(Problem::new(
                format!("{path}.role"),
                "it may be member or admin",
            ));
        }
        for key in rule
            .as_object()
            .into_iter()
            .flat_map(|rule| rule.keys())
            .filter(|key| !["when", "role"].contains(&key.as_str()))
        {
            problems.push(Problem::new(
                format!("{path}.{key}"),
                "a rule has `when` and `role`, nothing else",
            ));
        }
        match rule
            .get("when")
            .map(|when| Condition::parse(when, &format!("{path}.when")))
        {
            Some(Ok(when)) => all.push(Rule { when, role }),
            Some(Err(found)) => problems.extend(found),
            None => problems.push(Problem::new(
                format!("{path}.when"),
                "a rule needs a condition",
            )),
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(problems)
    }
}

/// What the rules of all communities of an organization turn for the given profiles. Nothing is
/// written but that what waits in a hold, and a rule gives again, waits no more.
pub fn judge(
    conn: &mut Conn,
    organization: &str,
    ids: &[String],
    now: Timestamp,
) -> QueryResult<Vec<Turned>> {
    let mut all = communities::with_rules(conn, organization)?;
    all.extend(communities::held_by_rules(conn, ids)?);
    let turned = judge_in(conn, all, ids, now)?;
    spare_staged(conn, ids, turned)
}

/// Leaves that wait in a hold, or were rejected there, are none.
fn spare_staged(conn: &mut Conn, ids: &[String], turned: Vec<Turned>) -> QueryResult<Vec<Turned>> {
    let staged = staged::of(conn, ids)?;
    let pair = |one: &Turned| (one.after.community_id.clone(), one.after.profile_id.clone());
    let (waits, turned): (Vec<Turned>, Vec<Turned>) = turned
        .into_iter()
        .partition(|one| one.is_leave() && staged.contains(&pair(one)));
    let waits: BTreeSet<(String, String)> = waits.iter().map(pair).collect();
    for (community, profile) in staged.difference(&waits) {
        staged::remove(conn, community, profile)?;
    }
    Ok(turned)
}

/// Brings the rule rows of the given profiles up to date in the given communities, and writes them;
/// answers what turned.
pub fn apply_in(
    conn: &mut Conn,
    all: Vec<Community>,
    ids: &[String],
    now: Timestamp,
) -> QueryResult<Vec<Turned>> {
    let turned = judge_in(conn, all, ids, now)?;
    write(conn, &turned)?;
    Ok(turned)
}

/// Writes what turned.
pub fn write(conn: &mut Conn, turned: &[Turned]) -> QueryResult<()> {
    let to_save: Vec<(String, Membership)> = turned
        .iter()
        .map(|one| (one.organization_id.clone(), one.after.clone()))
        .collect();
    communities::save_memberships(conn, &to_save)
}

fn judge_in(
    conn: &mut Conn,
    all: Vec<Community>,
    ids: &[String],
    now: Timestamp,
) -> QueryResult<Vec<Turned>> {
    if all.is_empty() || ids.is_empty() {
        return Ok(Vec::new());
    }
    let rules: Vec<(Community, Vec<Rule>)> = all
        .into_iter()
        .map(|one| {
            let rules = serde_json::from_str(&one.rules)
                .map_err(|error| unreadable("rules", &one.id, &error))?;
            Ok((one, rules))
        })
        .collect::<QueryResult<_>>()?;
    let people = profiles::load(conn, ids)?;
    let surroundings = Surroundings::of(conn, ids)?;
    let rows = communities::memberships_of(conn, ids)?;
    let mut turned = Vec::new();
    for (id, person) in &people {
        let profile = facts_of(person);
        let facts = surroundings.facts(id, &profile);
        let theirs = rows.get(id).map_or(&[][..], Vec::as_slice);
        for (community, rules) in &rules {
            let wanted = rules
                .iter()
                .filter(|rule| rule.when.matches(&facts))
                .filter_map(|rule| Role::parse(&rule.role));
            let wanted = strongest(wanted).filter(|_| has_access(person));
            let row = theirs
                .iter()
                .find(|row| row.community_id == community.id && row.source == Source::Rule);
            turned.extend(turn(community, person, row, wanted, now));
        }
    }
    Ok(turned)
}

fn has_access(person: &ProfileRow) -> bool {
    matches!(person.status.as_str(), "active" | "on_leave")
}

fn strongest(roles: impl Iterator<Item = Role>) -> Option<Role> {
    roles.fold(None, |best, role| {
        if best == Some(Role::Admin) {
            best
        } else {
            Some(role)
        }
    })
}

fn turn(
    community: &Community,
    person: &ProfileRow,
    row: Option<&Membership>,
    wanted: Option<Role>,
    now: Timestamp,
) -> Option<Turned> {
    let after = match (row, wanted) {
        (None, None) => return None,
        (None, Some(role)) => Membership {
            community_id: community.id.clone(),
            profile_id: person.id.clone(),
            source: Source::Rule,
            role,
            former_role: None,
            stand_in: None,
            granted_at: now,
            ended_at: None,
            ended_reason: None,
        },
        (Some(row), Some(role)) => Membership {
            role,
            granted_at: if row.ended_at.is_some() {
                now
            } else {
                row.granted_at
            },
            ended_at: None,
            ended_reason: None,
            ..row.clone()
        },
        // Who left keeps the snapshot's reason: it is what a return restores from.
        (Some(row), None) if row.ended_at.is_some() => return None,
        (Some(row), None) => Membership {
            ended_at: Some(now),
            ended_reason: Some(if has_access(person) { RULE_ENDED } else { LEFT }.to_owned()),
            ..row.clone()
        },
    };
    (row != Some(&after)).then(|| Turned {
        organization_id: community.organization_id.clone(),
        before: row.cloned(),
        after,
    })
}

/// The profile as conditions see it: the names of `/v1/profiles`.
pub(super) fn facts_of(row: &ProfileRow) -> Value {
    let attributes: BTreeMap<String, Value> =
        serde_json::from_str(&row.attributes).unwrap_or_default();
    let roles: Vec<String> = serde_json::from_str(&row.roles).unwrap_or_default();
    json!({
        "id": row.id, "organization_id": row.organization_id, "status": row.status,
        "first_name": row.first_name, "last_name": row.last_name, "display_name": row.display_name,
        "email": row.email, "title": row.title, "department": row.department, "pronouns": row.pronouns,
        "start_date": row.start_date, "manager_email": row.manager_email, "employee_number": row.employee_number,
        "role": row.role, "roles": roles,
        "attributes": attributes,
    })
}
