//! Who runs the communities that lost an admin (R39), looked at after every change of seats: whoever
//! kept a seat for an admin who is back gives it back, a community whose last admin left gets the next
//! one by the organization's policy or is marked an orphan, and each of these is written down.

use std::collections::{BTreeMap, BTreeSet};

use diesel::QueryResult;

use crate::clock::Timestamp;
use crate::db::Conn;
use crate::domain::{
    Candidates, LEFT, Membership, Role, Source, StandIn, Status, Succession, Successor,
};

use super::acts::{self, NewAct};
use super::communities;
use super::managers::{self, Manager};
use super::profiles::{self, ProfileRow};
use super::rules::{Turned, facts_of};
use super::surroundings::Surroundings;

/// How far up a line of managers is looked.
const LONGEST_LINE: usize = 8;

/// Who signs what nobody decided.
const OURSELVES: &str = "rollcall";

/// An admin who left, or lost the seat by having been away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gone {
    /// Where.
    pub community_id: String,
    /// Who.
    pub profile_id: String,
}

/// Looks at the given communities of an organization again. `gone` are the admins who left them,
/// the last one last. Answers the seats that turned, with whose leaving or return did it.
pub fn follow(
    conn: &mut Conn,
    organization: &str,
    policy: &Succession,
    concerned: &BTreeSet<String>,
    gone: &[Gone],
    now: Timestamp,
) -> QueryResult<Vec<(Turned, String)>> {
    let mut turned = Vec::new();
    for id in concerned {
        let mut place = Place::load(conn, organization, policy, id)?;
        turned.extend(place.give_back(conn, now)?);
        let gone: Vec<&Gone> = gone.iter().filter(|one| one.community_id == *id).collect();
        let last = gone.last().map(|one| one.profile_id.clone());
        if let Some(leaver) = last.filter(|_| place.runs().is_empty()) {
            turned.extend(place.appoint(conn, policy, &leaver, now)?);
        }
        place.mark(conn, now)?;
    }
    Ok(turned)
}

/// Looks again at all communities of an organization that ever had an admin.
pub fn look_again(
    conn: &mut Conn,
    organization: &str,
    policy: &Succession,
    now: Timestamp,
) -> QueryResult<()> {
    let all: BTreeSet<String> = communities::with_admins(conn, organization)?
        .into_iter()
        .collect();
    follow(conn, organization, policy, &all, &[], now)?;
    Ok(())
}

/// A community and everybody who runs or ran it.
struct Place<'a> {
    id: String,
    organization: &'a str,
    policy: &'a Succession,
    rows: Vec<Membership>,
    people: BTreeMap<String, ProfileRow>,
    bots: BTreeSet<String>,
}

impl<'a> Place<'a> {
    fn load(
        conn: &mut Conn,
        organization: &'a str,
        policy: &'a Succession,
        id: &str,
    ) -> QueryResult<Self> {
        let rows = communities::seats_of(conn, id)?;
        let ids: Vec<String> = rows.iter().map(|row| row.profile_id.clone()).collect();
        let people = profiles::load(conn, &ids)?;
        let bots = bots_among(conn, policy, &people)?;
        Ok(Self {
            id: id.to_owned(),
            organization,
            policy,
            rows,
            people,
            bots,
        })
    }

    fn counts(&self, profile: &str) -> bool {
        let person = self.people.get(profile);
        person.is_some_and(|one| one.status == Status::Active.as_str())
            && !self.bots.contains(profile)
    }

    /// Who runs it: active people who are no bots.
    fn runs(&self) -> BTreeSet<&str> {
        self.rows
            .iter()
            .filter(|row| is_admin(row) && row.ended_at.is_none() && self.counts(&row.profile_id))
            .map(|row| row.profile_id.as_str())
            .collect()
    }

    /// Kept seats whose admin is back go back.
    fn give_back(&mut self, conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<(Turned, String)>> {
        let runs: BTreeSet<String> = self.runs().into_iter().map(str::to_owned).collect();
        let mut turned = Vec::new();
        for row in &mut self.rows {
            let Some(of) = row.stand_in.as_ref().map(|kept| kept.of.clone()) else {
                continue;
            };
            if row.ended_at.is_some() || !runs.contains(&of) {
                continue;
            }
            let before = row.clone();
            row.step_down(now);
            let one = Turned {
                organization_id: self.organization.to_owned(),
                before: Some(before),
                after: row.clone(),
            };
            turned.push((one, of));
        }
        self.save(conn, &turned)?;
        Ok(turned)
    }

    fn save(&self, conn: &mut Conn, turned: &[(Turned, String)]) -> QueryResult<()> {
        let rows: Vec<(String, Membership)> = turned
            .iter()
            .map(|(one, _)| (one.organization_id.clone(), one.after.clone()))
            .collect();
        communities::save_memberships(conn, &rows)
    }

    /// The next owner by policy gets the leaver's seat; that the leaver had it is written down in any case.
    fn appoint(
        &mut self,
        conn: &mut Conn,
        policy: &Succession,
        leaver: &str,
        now: Timestamp,
    ) -> QueryResult<Vec<(Turned, String)>> {
        let candidates = self.candidates(conn, leaver)?;
        let Some((role, next)) = policy.next(&candidates, leaver) else {
            let detail = format!("{leaver}, its last admin, left; nobody follows");
            self.note(conn, "community.owner_left", &detail, now)?;
            return Ok(Vec::new());
        };
        let detail = format!(
            "{leaver}, its last admin, left; {next} follows as {}",
            role.as_str()
        );
        self.note(conn, "community.owner_left", &detail, now)?;
        let theirs = communities::memberships_of(conn, std::slice::from_ref(&next))?;
        let before = theirs
            .into_values()
            .flatten()
            .find(|row| row.community_id == self.id && row.source == Source::Manual);
        let open = before.as_ref().filter(|row| row.ended_at.is_none());
        let kept_for = self.kept_for(leaver);
        let after = Membership {
            community_id: self.id.clone(),
            profile_id: next.clone(),
            source: Source::Manual,
            role: Role::Admin,
            given_for: None,
            former_role: None,
            // Who gets their own seat back keeps it.
            stand_in: (role != Successor::CoOwner).then(|| StandIn {
                of: kept_for,
                was: open.map(|row| row.role),
            }),
            granted_at: now,
            ended_at: None,
            ended_reason: None,
        };
        self.rows
            .retain(|row| row.profile_id != next || row.source != Source::Manual);
        self.rows.push(after.clone());
        if let Some(row) = profiles::find(conn, &next)? {
            self.people.insert(next, row);
        }
        let one = Turned {
            organization_id: self.organization.to_owned(),
            before,
            after,
        };
        let turned = vec![(one, leaver.to_owned())];
        self.save(conn, &turned)?;
        Ok(turned)
    }

    /// Whose seat it is: whoever stood in for somebody hands on that one's.
    fn kept_for(&self, leaver: &str) -> String {
        let theirs = self.rows.iter().find(|row| row.profile_id == leaver);
        let kept = theirs.and_then(|row| row.stand_in.as_ref());
        kept.map_or_else(|| leaver.to_owned(), |kept| kept.of.clone())
    }

    fn candidates(&self, conn: &mut Conn, leaver: &str) -> QueryResult<Candidates> {
        let co_owners = self
            .rows
            .iter()
            .filter(|row| {
                row.ended_at.is_none()
                    && row.former_role == Some(Role::Admin)
                    && self.counts(&row.profile_id)
            })
            .map(|row| row.profile_id.clone())
            .collect();
        let fallback = match &self.policy.fallback_owner {
            Some(id) => profiles::find(conn, id)?,
            None => None,
        };
        Ok(Candidates {
            co_owners,
            manager: self.manager_of(conn, leaver)?,
            fallback_owner: self.eligible(conn, fallback)?.map(|row| row.id),
        })
    }

    /// The next one up the line who may run it: a manager who left as well is passed over.
    fn manager_of(&self, conn: &mut Conn, leaver: &str) -> QueryResult<Option<String>> {
        let mut at = profiles::find(conn, leaver)?;
        for _ in 0..LONGEST_LINE {
            let Some(row) = at else { return Ok(None) };
            let found = managers::of(conn, std::slice::from_ref(&row))?.remove(&row.id);
            let next = match found {
                Some(Manager::Known(row) | Manager::Gone(row)) => Some(*row),
                _ => None,
            };
            if let Some(row) = self.eligible(conn, next.clone())? {
                return Ok(Some(row.id));
            }
            at = next;
        }
        Ok(None)
    }

    fn eligible(
        &self,
        conn: &mut Conn,
        row: Option<ProfileRow>,
    ) -> QueryResult<Option<ProfileRow>> {
        let Some(row) = row.filter(|row| {
            row.organization_id == self.organization && row.status == Status::Active.as_str()
        }) else {
            return Ok(None);
        };
        let alone = BTreeMap::from([(row.id.clone(), row.clone())]);
        let is_bot = !bots_among(conn, self.policy, &alone)?.is_empty();
        Ok((!is_bot).then_some(row))
    }

    /// Notes an orphan, or that somebody runs it again. Where nobody ever did, nobody is missing.
    fn mark(&self, conn: &mut Conn, now: Timestamp) -> QueryResult<()> {
        let had_admin = self
            .rows
            .iter()
            .any(|row| is_admin(row) || row.former_role == Some(Role::Admin));
        let orphan = had_admin && self.runs().is_empty();
        let Some(community) = communities::find(conn, &self.id)? else {
            return Ok(());
        };
        if orphan == community.orphaned_at.is_some() {
            return Ok(());
        }
        communities::set_orphaned(conn, &self.id, orphan.then_some(now))?;
        let (act, detail) = if orphan {
            tracing::warn!(community_id = self.id, "nobody runs a community any more");
            ("community.orphaned", "no active person runs it any more")
        } else {
            ("community.has_owner", "an active person runs it again")
        };
        self.note(conn, act, detail, now)
    }

    fn note(&self, conn: &mut Conn, act: &str, detail: &str, now: Timestamp) -> QueryResult<()> {
        let act = NewAct {
            at: now,
            actor: OURSELVES,
            act,
            target: &self.id,
            organization_id: Some(self.organization),
            detail: Some(detail),
        };
        acts::add(conn, &act)
    }
}

fn is_admin(row: &Membership) -> bool {
    row.role == Role::Admin
}

/// Whether an admin seat was lost by leaving: ended by the removal, or lowered on a return (C5).
pub fn lost_by_leaving(before: &Membership, after: &Membership) -> bool {
    let ran = is_admin(before) && before.ended_at.is_none();
    let ended = after.ended_at.is_some() && after.ended_reason.as_deref() == Some(LEFT);
    ran && (ended || !is_admin(after))
}

fn bots_among(
    conn: &mut Conn,
    policy: &Succession,
    people: &BTreeMap<String, ProfileRow>,
) -> QueryResult<BTreeSet<String>> {
    let Some(bots) = &policy.bots else {
        return Ok(BTreeSet::new());
    };
    let ids: Vec<String> = people.keys().cloned().collect();
    let surroundings = Surroundings::of(conn, &ids)?;
    let found = people.values().filter(|row| {
        let profile = facts_of(row);
        bots.matches(&surroundings.facts(&row.id, &profile))
    });
    Ok(found.map(|row| row.id.clone()).collect())
}
