//! Directory Sync in minutes: an admin is taken to WorkOS's set-up link, and this page follows what
//! comes of it: link opened, directory linked, people arriving, ready for messages. WorkOS's own counts are
//! asked for whenever something has come. The link is in one answer and nowhere else: whoever has it
//! may configure the organization for five minutes.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, REFRESH};
use actix_web::{HttpResponse, web};
use askama::Template;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::http::HttpState;
use crate::operations::enable::{self, Arriving, EnableView};
use crate::operations::{Actor, OperationError, names, organizations};

use super::super::frame::{Frame, Section, go, page};
use super::super::link::{encoded, said};
use super::super::refusal::Refusal;
use super::super::visitor::{Act, Button, Visitor};
use super::super::when::When;
use super::HOME;
use super::asking::{PATIENCE, client};

/// What an organization goes through, and what each step is called.
const STEPS: [(&str, &str); 5] = [
    ("link_opened", "Set-up link opened"),
    ("linked", "Directory linked"),
    ("arriving", "People arriving"),
    ("ready", "Ready"),
    ("messaging_enabled", "Messaging on"),
];

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/directory-sync/enable", web::get().to(choose))
        .route("/directory-sync/enable/{organization}", web::get().to(show))
        .route(
            "/directory-sync/enable/{organization}/open",
            web::post().to(open),
        )
        .route(
            "/directory-sync/enable/{organization}/revoke",
            web::post().to(revoke),
        );
}

#[derive(Template)]
#[template(
    path = "directory_sync/enable.html",
    config = "src/console/askama.toml"
)]
struct EnablePage {
    frame: Frame,
    id: String,
    name: String,
    view: EnableView,
    opened: Option<When>,
    /// Whether the link that was opened last can still be used.
    alive: Option<When>,
    revoked: Option<When>,
    directories: Vec<Coming>,
    /// Whether anything was ever heard of the organization.
    known: bool,
    /// WorkOS could not be asked for its own counts.
    unasked: bool,
    asks_workos: bool,
    /// Whether there is more to come.
    goes_on: bool,
    manages: bool,
    operates: bool,
    csrf: String,
}

impl EnablePage {
    /// The steps, each with whether it is done and whether it is where things stand.
    fn steps(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let at = STEPS.iter().position(|(step, _)| *step == self.view.step);
        STEPS.iter().enumerate().map(move |(place, (_, name))| {
            let state = match at {
                Some(at) if place < at || (place == at && at == STEPS.len() - 1) => "done",
                Some(at) if place == at => "now",
                _ => "later",
            };
            (*name, state)
        })
    }
}

/// A directory whose people are arriving.
struct Coming {
    one: Arriving,
    linked: When,
}

impl Coming {
    /// How many are awaited; as many as are here where WorkOS does not say.
    fn of(&self) -> i64 {
        self.one
            .users_there
            .unwrap_or_default()
            .max(self.one.users_here)
    }
}

/// The form that names an organization.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    organization: Option<String>,
}

async fn choose(_: Visitor, named: web::Query<Named>) -> HttpResponse {
    match said(named.into_inner().organization) {
        Some(id) => go(&format!("{HOME}/enable/{}", encoded(&id))),
        None => go(HOME),
    }
}

async fn show(
    visitor: Visitor,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let id = id.into_inner();
    let Far {
        name,
        known,
        view,
        unasked,
    } = far(&state, &visitor.actor, &id).await?;
    let when = |at| When::new(at, visitor.now);
    page(&EnablePage {
        frame: visitor.frame(
            format!("Connect a directory: {name}"),
            Section::DirectorySync,
        ),
        opened: view.link_opened_at.map(when),
        alive: view.link_ends_at.filter(|at| *at > visitor.now).map(when),
        revoked: view.link_revoked_at.map(when),
        directories: view
            .directories
            .iter()
            .map(|one| Coming {
                linked: when(one.linked_at),
                one: one.clone(),
            })
            .collect(),
        goes_on: !["ready", "messaging_enabled"].contains(&view.step) && state.workos.is_some(),
        id,
        name,
        view,
        known,
        unasked,
        asks_workos: state.workos.is_some(),
        manages: visitor.administers(),
        operates: visitor.operates(),
        csrf: visitor.csrf.clone(),
    })
}

/// How far an organization has come.
struct Far {
    name: String,
    known: bool,
    view: EnableView,
    /// WorkOS's own counts are missing.
    unasked: bool,
}

/// With WorkOS's own counts where it says them soon.
async fn far(state: &HttpState, actor: &Actor, id: &str) -> Result<Far, Refusal> {
    let (by, asked) = (actor.clone(), id.to_owned());
    let mut far = state
        .read(move |conn| {
            let view = match enable::state(conn, &by, &asked, None) {
                Err(OperationError::NotFound { .. }) if enable::may_open(&by, &asked).is_ok() => {
                    enable::not_started(&asked)
                }
                done => done?,
            };
            Ok(Far {
                known: organizations::show(conn, &by, &asked).is_ok(),
                name: names::of_organization(conn, &by, &asked)?,
                view,
                unasked: false,
            })
        })
        .await?;
    let linked = !far.view.directories.is_empty();
    let Some(client) = state.workos.as_ref().filter(|_| linked) else {
        return Ok(far);
    };
    let counting = client.counted(far.view.directory_ids());
    let there = tokio::time::timeout(PATIENCE, counting)
        .await
        .unwrap_or_default();
    far.unasked = there.len() < far.view.directories.len();
    let (by, asked) = (actor.clone(), id.to_owned());
    far.view = state
        .read(move |conn| enable::state(conn, &by, &asked, Some(&there)))
        .await?;
    Ok(far)
}

#[derive(Template)]
#[template(
    path = "directory_sync/opening.html",
    config = "src/console/askama.toml"
)]
struct OpeningPage<'a> {
    frame: Frame,
    id: String,
    link: &'a str,
}

/// The browser goes on by itself. Not by a redirect: browsers hold those of a form against the page's
/// policy, and a policy that named WorkOS's hosts would let forms go there, too.
async fn open(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (visitor, id) = (act.visitor, id.into_inner());
    enable::may_open(&visitor.actor, &id)?;
    let link = client(&state)?.setup_link(&id).await?;
    let onward = onward(link.expose_secret())?;
    let (actor, now, asked) = (visitor.actor.clone(), visitor.now, id.clone());
    state
        .write(move |conn| enable::opened(conn, &actor, &asked, now))
        .await?;
    let mut answer = page(&OpeningPage {
        frame: visitor.frame("On to WorkOS", Section::DirectorySync),
        id,
        link: link.expose_secret(),
    })?;
    answer.headers_mut().insert(REFRESH, onward);
    Ok(answer)
}

async fn revoke(
    act: Act<Button>,
    id: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Refusal> {
    let (actor, now, id) = (act.visitor.actor, act.visitor.now, id.into_inner());
    enable::may_open(&actor, &id)?;
    client(&state)?.revoke_setup_link(&id).await?;
    let organization = id.clone();
    state
        .write(move |conn| enable::revoked(conn, &actor, &organization, now))
        .await?;
    Ok(go(&format!("{HOME}/enable/{}?done=revoked", encoded(&id))))
}

/// The header that leads on; only over HTTPS is somebody sent on with a link like that.
fn onward(link: &str) -> Result<HeaderValue, Refusal> {
    let refused = || {
        Refusal::Page(
            StatusCode::BAD_GATEWAY,
            "What WorkOS answered is no HTTPS address, so you are not sent there. Is \
             WORKOS_API_URL the one you mean?"
                .to_owned(),
        )
    };
    let url = url::Url::parse(link).map_err(|_| refused())?;
    if url.scheme() != "https" {
        return Err(refused());
    }
    let mut value = HeaderValue::from_str(&format!("0;url={url}")).map_err(|_| refused())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::onward;

    #[test]
    fn nobody_is_sent_on_but_over_https() {
        assert!(onward("https://setup.workos.com/x?secret=a").is_ok());
        for link in [
            "http://setup.workos.com",
            "javascript:alert(1)",
            "",
            "setup",
        ] {
            assert!(onward(link).is_err(), "{link}");
        }
    }
}
