//! `/v1/communities`.

use actix_web::web;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::operations::admin_restorations::{self, AdminRestorationQuery, AdminRestorationView};
use crate::operations::communities::{
    self, CommunityQuery, CommunityUpdate, MemberQuery, NewCommunity, Rule,
};
use crate::operations::{Page, Role};

use super::super::body::Body;
use super::super::openapi::{Created, NoContent, Table};
use super::super::{HttpState, Problem};
use super::Caller;

pub(super) fn routes(table: &mut Table) {
    table.get("/communities", list, "Communities.").may(&[404]);
    table
        .post("/communities", create, "Make a community.")
        .needs(Role::Operator)
        .may(&[404, 409, 422]);
    table.get("/communities/{id}", show, "One community.");
    table
        .patch(
            "/communities/{id}",
            update,
            "Rename a community, or replace its rules.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .put(
            "/communities/{id}",
            update,
            "Rename a community, or replace its rules.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .delete("/communities/{id}", delete, "Delete a community.")
        .needs(Role::Operator);
    table
        .put(
            "/communities/{id}/rules",
            put_rules,
            "Replace a community's rules and apply them at once.",
        )
        .needs(Role::Operator)
        .may(&[409, 422]);
    table
        .get(
            "/admin-restorations",
            list_admin_restorations,
            "Admin roles of people who left and returned, which an operator restores or dismisses.",
        )
        .may(&[404]);
    table
        .post(
            "/admin-restorations/{id}/restore",
            restore_admin,
            "Restore the admin role.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .post(
            "/admin-restorations/{id}/dismiss",
            dismiss_admin,
            "Dismiss it: its former holder stays a member.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table.get(
        "/communities/{id}/members",
        members,
        "Who is in a community, by name; somebody who is a member by hand and by a rule is listed twice.",
    );
    table
        .put(
            "/communities/{id}/members/{profile_id}",
            put_member,
            "Put somebody in by hand, or change their role.",
        )
        .needs(Role::Operator)
        .may(&[409]);
    table
        .delete(
            "/communities/{id}/members/{profile_id}",
            remove_member,
            "Take somebody out who was put in by hand.",
        )
        .needs(Role::Operator);
}

async fn list(
    caller: Caller,
    query: web::Query<CommunityQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<communities::CommunityView>>, Problem> {
    let page = state
        .read(move |conn| communities::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn create(
    caller: Caller,
    body: Body<NewCommunity>,
    state: web::Data<HttpState>,
) -> Result<Created<communities::CommunityView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| communities::create(conn, &caller.0, &body, now))
        .await?;
    Ok(Created(one))
}

async fn show(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<communities::CommunityView>, Problem> {
    let one = state
        .read(move |conn| communities::show(conn, &caller.0, &id))
        .await?;
    Ok(web::Json(one))
}

async fn update(
    caller: Caller,
    id: web::Path<String>,
    body: Body<CommunityUpdate>,
    state: web::Data<HttpState>,
) -> Result<web::Json<communities::CommunityView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| communities::update(conn, &caller.0, &id, &body, now))
        .await?;
    Ok(web::Json(one))
}

async fn delete(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<NoContent, Problem> {
    let now = state.clock.now();
    state
        .write(move |conn| communities::delete(conn, &caller.0, &id, now))
        .await?;
    Ok(NoContent)
}

/// The rules by themselves, or under `rules`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Rules {
    Bare(#[schemars(with = "Vec<Rule>")] Vec<Value>),
    Named {
        #[schemars(with = "Vec<Rule>")]
        rules: Vec<Value>,
    },
}

async fn put_rules(
    caller: Caller,
    id: web::Path<String>,
    body: Body<Rules>,
    state: web::Data<HttpState>,
) -> Result<web::Json<communities::CommunityView>, Problem> {
    let now = state.clock.now();
    let (Rules::Bare(rules) | Rules::Named { rules }) = body.into_inner();
    let one = state
        .write(move |conn| communities::put_rules(conn, &caller.0, &id, &rules, now))
        .await?;
    Ok(web::Json(one))
}

async fn members(
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<MemberQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<communities::MemberView>>, Problem> {
    let page = state
        .read(move |conn| communities::member_page(conn, &caller.0, &id, &query))
        .await?;
    Ok(web::Json(page))
}

/// What a member becomes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleBody {
    #[schemars(extend("enum" = ["member", "admin"]))]
    role: String,
}

async fn put_member(
    caller: Caller,
    path: web::Path<(String, String)>,
    body: Body<RoleBody>,
    state: web::Data<HttpState>,
) -> Result<web::Json<communities::MemberView>, Problem> {
    let now = state.clock.now();
    let (id, profile) = path.into_inner();
    let one = state
        .write(move |conn| {
            let role = communities::parse_role(&body.role)?;
            communities::put_member(conn, &caller.0, &id, &profile, role, now)
        })
        .await?;
    Ok(web::Json(one))
}

async fn remove_member(
    caller: Caller,
    path: web::Path<(String, String)>,
    state: web::Data<HttpState>,
) -> Result<NoContent, Problem> {
    let now = state.clock.now();
    let (id, profile) = path.into_inner();
    state
        .write(move |conn| communities::remove_member(conn, &caller.0, &id, &profile, now))
        .await?;
    Ok(NoContent)
}

async fn list_admin_restorations(
    caller: Caller,
    query: web::Query<AdminRestorationQuery>,
    state: web::Data<HttpState>,
) -> Result<web::Json<Page<AdminRestorationView>>, Problem> {
    let page = state
        .read(move |conn| admin_restorations::list(conn, &caller.0, &query))
        .await?;
    Ok(web::Json(page))
}

async fn restore_admin(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<AdminRestorationView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| admin_restorations::restore(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}

async fn dismiss_admin(
    caller: Caller,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<web::Json<AdminRestorationView>, Problem> {
    let now = state.clock.now();
    let one = state
        .write(move |conn| admin_restorations::dismiss(conn, &caller.0, &id, now))
        .await?;
    Ok(web::Json(one))
}
