//! Who looks at a page, and who submits a form. The session and its token are looked up on every
//! request. [`Act`] is the only way to read a form: it refuses what another site sent, and what
//! does not carry the session's own token.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::http::HttpState;
use crate::operations::{Actor, Role, sessions};

use super::Console;
use super::frame::{Frame, Section};
use super::link::link;
use super::live;
use super::origin;
use super::refusal::Refusal;
use super::session::{COOKIE, Session};

/// Somebody signed in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    /// Who they are and what they may do.
    pub actor: Actor,
    /// What their forms carry.
    pub csrf: String,
    /// The instant the page is seen from.
    pub now: Timestamp,
    /// What has just been done, from the address.
    notice: Option<&'static str>,
    /// The page's own address.
    here: String,
    /// The pulse that the page is shown at.
    pulse: String,
    session: Session,
}

impl Visitor {
    /// What the server knows the session by.
    pub fn session_id(&self) -> [u8; 32] {
        self.session.id()
    }

    /// Whether buttons that only an admin may press are shown; `operations` judges again.
    pub fn administers(&self) -> bool {
        self.actor.role >= Role::Admin
    }

    /// Whether buttons that change something are shown; `operations` judges again.
    pub fn operates(&self) -> bool {
        self.actor.role >= Role::Operator
    }

    /// What stands around a page for this visitor.
    pub fn frame(&self, title: impl Into<String>, section: Section) -> Frame {
        Frame {
            title: title.into(),
            section,
            who: Some(super::frame::Who {
                name: self.actor.name.clone(),
                role: self.actor.role.as_str(),
                csrf: self.csrf.clone(),
            }),
            notice: self.notice,
            here: self.here.clone(),
            pulse: self.pulse.clone(),
        }
    }
}

type Extracting<T> = Pin<Box<dyn Future<Output = Result<T, Refusal>>>>;

impl FromRequest for Visitor {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { visitor(&request).await })
    }
}

async fn visitor(request: &HttpRequest) -> Result<Visitor, Refusal> {
    let (Some(state), Some(console)) = (
        request.app_data::<web::Data<HttpState>>(),
        request.app_data::<web::Data<Console>>(),
    ) else {
        return Err(Refusal::Internal);
    };
    let now = state.clock.now();
    let session = request
        .cookie(COOKIE)
        .and_then(|cookie| Session::read(cookie.value()))
        .ok_or_else(|| to_sign_in(request))?;
    let id = session.id();
    let token = state
        .read_first(move |conn| sessions::token_of(conn, &id, now))
        .await?
        .ok_or_else(|| to_sign_in(request))?;
    let actor = state
        .actor_of(token)
        .await?
        .ok_or_else(|| to_sign_in(request))?;
    let pulse = match request.method() {
        &Method::GET => console.felt.tag(state, now).await?,
        _ => String::new(),
    };
    if live::is_shown(request, &pulse) {
        return Err(Refusal::NothingNew);
    }
    Ok(Visitor {
        here: live::address_of(request),
        pulse,
        actor,
        csrf: session.csrf(),
        now,
        notice: notice_of(request.query_string()),
        session,
    })
}

/// To the sign-in page, and from there back to the page that was asked for.
fn to_sign_in(request: &HttpRequest) -> Refusal {
    if live::is_script(request) {
        return Refusal::Ended;
    }
    let asked = match request.uri().path_and_query() {
        Some(asked) if request.method() == Method::GET && request.path() != "/console" => {
            Some(asked.as_str())
        }
        _ => None,
    };
    Refusal::SignIn(link("/console/sign-in", &[("next", asked)]))
}

/// The address carries a word; what is shown is one of our own sentences.
fn notice_of(query: &str) -> Option<&'static str> {
    let done = url::form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == "done").then_some(value))?;
    Some(match done.as_ref() {
        "replayed" => {
            "Replayed: what came of it is told here as soon as the worker has been there."
        }
        "discarded" => "Discarded.",
        "job_retried" => "It is tried again, from where it came to.",
        "stopped" => "Stopped. What was done stays done.",
        "retried" => "The message is due again.",
        "cancelled" => "The message is cancelled.",
        "approved" => "Approved: what waited goes on.",
        "rejected" => "Rejected: nobody is removed by it.",
        "member" => "The membership is saved.",
        "left" => "The membership has ended.",
        "created" => "The community is there. Now find people to put in.",
        "mapped" => "The mapping is saved, for everything that comes from now on.",
        "guarded" => "The guards are saved.",
        "messaging_enabled" => "Messaging is on. People who were already there get no message.",
        "messaging_disabled" => "Messaging is off. Messages that are already due still go out.",
        "decided" => "Decided.",
        "revoked" => "Revoked: the set-up link no longer works.",
        "syncing" => "WorkOS has queued the sync. What it finds arrives as events.",
        "applying" => "What differs is being applied, under the same guards as a webhook.",
        "ruled" => "The rules are saved and applied to everybody.",
        "renamed" => "The name is saved.",
        "saved" => "Saved, as a version of its own.",
        "published" => "Published. It fires once messaging is on.",
        "drafted" => "A draft again: nothing new falls due by it.",
        "deleted" => "Deleted.",
        "resumed" => "It goes on: what waited there is being sent.",
        "settled" => "Decided, and it stays so.",
        "restored" => "Admin role restored.",
        "dismissed" => "They stay a plain member.",
        "erased" => "Erased for good.",
        "opted_out" => "They hear nothing any more.",
        "opted_in" => "They hear again what is due from now on.",
        "kept" => "Under a legal hold: neither erased nor purged.",
        "released" => "The legal hold is released.",
        _ => return None,
    })
}

/// A form that somebody signed in has sent from one of our own pages.
#[derive(Debug)]
pub(super) struct Act<T> {
    /// Who sent it.
    pub visitor: Visitor,
    /// What it says.
    pub form: T,
}

/// The form around a button: that it was pressed is all it says.
#[derive(Debug, Deserialize)]
pub(super) struct Button {}

#[derive(Deserialize)]
struct Signed<T> {
    /// Left out, it is nobody's.
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: T,
}

/// U+0000 as forms write it.
const NOTHING: &[u8] = b"%00";

impl<T: DeserializeOwned + 'static> FromRequest for Act<T> {
    type Error = Refusal;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            origin::own_site(request.headers())?;
            let visitor = visitor(&request).await?;
            let body = body.await.map_err(Refusal::unreadable)?;
            // As in addresses: no text here has it, and PostgreSQL refuses it.
            if body.contains(&0) || body.windows(NOTHING.len()).any(|three| three == NOTHING) {
                return Err(Refusal::unreadable(
                    "the form has the character U+0000, which no text here may have",
                ));
            }
            let mut payload: Payload = Payload::Stream {
                payload: Box::pin(stream::iter([Ok(body)])),
            };
            let form = web::Form::<Signed<T>>::from_request(&request, &mut payload);
            let Signed { csrf, form } = form.await.map_err(Refusal::unreadable)?.into_inner();
            if !visitor.session.is_own(&csrf) {
                return Err(Refusal::foreign_form());
            }
            Ok(Self { visitor, form })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::notice_of;

    #[test]
    fn an_address_puts_no_words_of_its_own_on_a_page() {
        assert!(notice_of("a=b&done=replayed").is_some());
        assert_eq!(notice_of("done=call+this+number"), None);
        assert_eq!(notice_of(""), None);
    }
}
