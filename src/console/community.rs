//! One community: who runs it, who is in it, who left and why, and by which rules; for those who operate,
//! finding people and putting them in.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::Role as Seat;
use crate::http::HttpState;
use crate::operations::communities::{self, CommunityView, FormerView, MemberView, Rule};
use crate::operations::profiles::{self, ProfileQuery, ProfileView};

use super::count::Count;
use super::frame::{Frame, Section, go, page};
use super::link::{Pager, encoded, said};
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};
use super::when::When;

/// How many people a search offers.
const OFFERED: i64 = 10;
/// How many of those who left are shown.
const FORMER: i64 = 50;

#[derive(Template)]
#[template(path = "community.html", config = "src/console/askama.toml")]
struct CommunityPage {
    frame: Frame,
    one: CommunityView,
    rules: Vec<String>,
    admins: Vec<Member>,
    members: Vec<Member>,
    former: Vec<Former>,
    orphaned: Option<When>,
    created: When,
    find: Option<String>,
    offered: Vec<ProfileView>,
    pager: Pager,
    operates: bool,
    csrf: String,
}

impl CommunityPage {
    fn empty(&self) -> bool {
        self.admins.is_empty() && self.members.is_empty()
    }

    fn everybody(&self) -> impl Iterator<Item = &Member> {
        self.admins.iter().chain(&self.members)
    }

    fn counts(&self) -> String {
        let (members, admins) = (Count(self.one.members), Count(self.one.admins));
        format!("{}, {}", members.of("member"), admins.of("admin"))
    }
}

#[derive(Debug)]
struct Member {
    row: MemberView,
    since: When,
}

impl Member {
    fn by_hand(&self) -> bool {
        self.row.source == "manual"
    }

    fn is_admin(&self) -> bool {
        self.row.role == "admin"
    }
}

#[derive(Debug)]
struct Former {
    row: FormerView,
    left: When,
}

/// The search for people to put in, and where in the list of members.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    find: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    search: web::Query<Search>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let search = search.into_inner();
    let (find, cursor) = (said(search.find), said(search.cursor));
    let (actor, asked, from) = (visitor.actor.clone(), find.clone(), cursor.clone());
    let path = format!("/console/communities/{}", encoded(&id));
    let (one, admins, members, former, offered) = state
        .read(move |conn| {
            let one = communities::show(conn, &actor, &id)?;
            // Who runs it stands on top of the first page, and there are few of them.
            let admins = match &from {
                None => communities::seated(conn, &actor, &id, Seat::Admin, None, Some(200))?.data,
                Some(_) => Vec::new(),
            };
            let from = from.as_deref();
            let members = communities::seated(conn, &actor, &id, Seat::Member, from, Some(100))?;
            let former = communities::former(conn, &actor, &id, FORMER)?;
            let offered = match asked {
                Some(q) => {
                    let query = ProfileQuery {
                        organization_id: Some(one.organization_id.clone()),
                        q: Some(q),
                        limit: Some(OFFERED),
                        ..ProfileQuery::default()
                    };
                    profiles::list(conn, &actor, &query)?.data
                }
                None => Vec::new(),
            };
            Ok((one, admins, members, former, offered))
        })
        .await?;
    let when = |at| When::new(at, visitor.now);
    let shown = |rows: Vec<MemberView>| {
        let rows = rows.into_iter();
        rows.map(|row| Member {
            since: when(row.granted_at),
            row,
        })
        .collect()
    };
    page(&CommunityPage {
        frame: visitor.frame(one.name.clone(), Section::Communities),
        rules: one.rules.iter().map(rule).collect(),
        admins: shown(admins),
        pager: Pager::new(
            &path,
            &[],
            cursor.as_deref(),
            members.next_cursor.as_deref(),
        ),
        members: shown(members.data),
        former: former
            .into_iter()
            .map(|row| Former {
                left: when(row.ended_at),
                row,
            })
            .collect(),
        orphaned: one.orphaned_at.map(when),
        created: when(one.created_at),
        find,
        offered,
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
        one,
    })
}

/// A rule in words.
pub(super) fn rule(rule: &Value) -> String {
    match serde_json::from_value::<Rule>(rule.clone()) {
        Ok(Rule { when, role }) if role == "admin" => format!("Admins: where {when}"),
        Ok(Rule { when, .. }) => format!("Members: where {when}"),
        Err(_) => rule.to_string(),
    }
}

/// Somebody to put in, or another role for them.
#[derive(Debug, Deserialize)]
pub(super) struct Put {
    profile_id: String,
    role: String,
}

pub(super) async fn put(
    act: Act<Put>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let (form, community) = (act.form, id.into_inner());
    let to = format!("/console/communities/{}?done=member", encoded(&community));
    state
        .write(move |conn| {
            let seat = communities::parse_role(&form.role)?;
            communities::put_member(conn, &actor, &community, &form.profile_id, seat, now)
        })
        .await?;
    Ok(go(&to))
}

/// Somebody to take out.
#[derive(Debug, Deserialize)]
pub(super) struct Leave {
    profile_id: String,
}

pub(super) async fn take_out(
    act: Act<Leave>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now) = (act.visitor.actor, act.visitor.now);
    let (form, community) = (act.form, id.into_inner());
    let to = format!("/console/communities/{}?done=left", encoded(&community));
    state
        .write(move |conn| {
            communities::remove_member(conn, &actor, &community, &form.profile_id, now)
        })
        .await?;
    Ok(go(&to))
}
