//! One community: who is in it, and for those who operate, finding people and putting them in.

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use crate::desk::communities::{self, CommunityView, MemberView};
use crate::desk::profiles::{self, ProfileQuery, ProfileView};
use crate::http::HttpState;

use super::frame::{Frame, Section, go, page};
use super::link::{encoded, said};
use super::refusal::Refusal;
use super::visitor::{Act, Visitor};
use super::when::When;

/// How many people a search offers.
const OFFERED: i64 = 10;

#[derive(Template)]
#[template(path = "community.html", config = "src/console/askama.toml")]
struct CommunityPage {
    frame: Frame,
    one: CommunityView,
    members: Vec<Member>,
    orphaned: Option<When>,
    created: When,
    find: Option<String>,
    offered: Vec<ProfileView>,
    operates: bool,
    csrf: String,
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

/// The search for people to put in.
#[derive(Debug, Deserialize)]
pub(super) struct Search {
    find: Option<String>,
}

pub(super) async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    search: web::Query<Search>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let find = said(search.into_inner().find);
    let (actor, asked) = (visitor.actor.clone(), find.clone());
    let now = visitor.now;
    let (one, members, offered) = state
        .read(move |conn| {
            let one = communities::show(conn, &actor, &id)?;
            let members = communities::members(conn, &actor, &id)?.data;
            let offered = match asked {
                Some(q) => {
                    let query = ProfileQuery {
                        organization_id: Some(one.organization_id.clone()),
                        q: Some(q),
                        limit: Some(OFFERED),
                        ..ProfileQuery::default()
                    };
                    profiles::list(conn, &actor, &query, now)?.data
                }
                None => Vec::new(),
            };
            Ok((one, members, offered))
        })
        .await?;
    let when = |at| When::new(at, visitor.now);
    page(&CommunityPage {
        frame: visitor.frame(one.name.clone(), Section::Communities),
        members: members
            .into_iter()
            .map(|row| Member {
                since: when(row.granted_at),
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
            let seat = communities::parse_seat(&form.role)?;
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
