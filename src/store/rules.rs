//! Community rules: "group or attribute condition → community, role" (R52, R53). A rule's row
//! stands beside a manual one; the rule ending removes only its own. Loaded and written here,
//! decided by the roll. The worker calls this for whom a batch touched, `operations` when rules or
//! members change.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::conditions::{Condition, Problem};
use crate::db::Conn;
pub use crate::domain::RULE_ENDED;
use crate::domain::{self, Membership, Role, Ruled};

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

/// Brings the rule rows of the given profiles up to date in a community, and in those whose rules ask
/// who is in another one; writes them, and answers what turned.
pub fn apply_in(
    conn: &mut Conn,
    community: &Community,
    ids: &[String],
    now: Timestamp,
) -> QueryResult<Vec<Turned>> {
    let mut all = communities::with_rules(conn, &community.organization_id)?;
    all.retain(|other| other.id != community.id && asks_who_is_where(other));
    all.push(community.clone());
    let staged = staged::of(conn, ids)?;
    let mut turned = judge_in(conn, all, ids, now)?;
    turned.retain(|one| {
        let place = (one.after.community_id.clone(), one.after.profile_id.clone());
        one.after.community_id == community.id || !one.is_leave() || !staged.contains(&place)
    });
    write(conn, &turned)?;
    Ok(turned)
}

/// Whether one of its rules asks for other communities, so that it follows what becomes of them.
fn asks_who_is_where(community: &Community) -> bool {
    let rules: Vec<Rule> = serde_json::from_str(&community.rules).unwrap_or_default();
    rules
        .iter()
        .any(|rule| rule.when.fields().contains("community"))
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
    let ruled: Vec<Ruled> = all.iter().map(read).collect::<QueryResult<_>>()?;
    let people = profiles::load(conn, ids)?;
    let surroundings = Surroundings::of(conn, ids)?;
    let rows = communities::memberships_of(conn, ids)?;
    let mut staged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (community, profile) in staged::of(conn, ids)? {
        staged.entry(profile).or_default().insert(community);
    }
    let nothing = BTreeSet::new();
    let mut turned = Vec::new();
    for (id, person) in &people {
        let profile = facts_of(person);
        let theirs = rows.get(id).map_or(&[][..], Vec::as_slice);
        let staged = staged.get(id).unwrap_or(&nothing);
        let candidate = surroundings.candidate(person, &profile, theirs, staged);
        let turns = domain::judge(&ruled, &candidate, now);
        turned.extend(turns.into_iter().map(|(before, after)| Turned {
            organization_id: person.organization_id.clone(),
            before,
            after,
        }));
    }
    Ok(turned)
}

fn read(community: &Community) -> QueryResult<Ruled> {
    let rules: Vec<Rule> = serde_json::from_str(&community.rules)
        .map_err(|error| unreadable("rules", &community.id, &error))?;
    let rules = rules
        .into_iter()
        .filter_map(|rule| Some((rule.when, Role::parse(&rule.role)?)));
    Ok(Ruled {
        community_id: community.id.clone(),
        name: community.name.clone(),
        rules: rules.collect(),
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
