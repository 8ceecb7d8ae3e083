//! Signing in with an API token, and out again. The token goes into no cookie, log or page; what the
//! browser keeps is a sealed session.

use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::http::{HttpState, source_of};
use crate::operations::sessions::{self, LIFETIME};

use super::frame::{Frame, go_with_cookie, page, page_with};
use super::origin;
use super::refusal::Refusal;
use super::session::{COOKIE, Session};
use super::visitor::{Act, Button};
use super::{Console, Secure};

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/console/askama.toml")]
struct SignInPage {
    frame: Frame,
    next: String,
    problem: Option<&'static str>,
    plain: bool,
}

/// What the sign-in page is asked with.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

/// The sign-in form.
#[derive(Deserialize)]
pub(super) struct Credentials {
    token: String,
    next: Option<String>,
}

pub(super) async fn show(
    request: HttpRequest,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Refusal> {
    page(&form(&request, asked.into_inner().next, None))
}

fn form(request: &HttpRequest, next: Option<String>, problem: Option<&'static str>) -> SignInPage {
    let info = request.connection_info();
    SignInPage {
        frame: Frame::bare("Sign in"),
        next: own_page(next.as_deref()).to_owned(),
        problem,
        plain: info.scheme() == "http" && !origin::is_local(host_of(request)),
    }
}

fn host_of(request: &HttpRequest) -> &str {
    let host = request.headers().get(HOST);
    host.and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// Only our own pages are gone on to: an address of somebody else's would make a fine trap.
fn own_page(next: Option<&str>) -> &str {
    next.filter(|next| *next == "/console" || next.starts_with("/console/"))
        .filter(|next| !next.contains(['\\', '\r', '\n']))
        .unwrap_or("/console")
}

pub(super) async fn begin(
    request: HttpRequest,
    form_sent: web::Form<Credentials>,
    state: web::Data<HttpState>,
    console: web::Data<Console>,
) -> Result<HttpResponse, Refusal> {
    origin::own_site(request.headers())?;
    let Credentials { token, next } = form_sent.into_inner();
    let now = state.clock.now();
    let source = source_of(&request, &state.trusted_proxies);
    let account: [u8; 32] = Sha256::digest(token.trim()).into();
    if let Err(wait) = console.gate.admit(source, &account, now) {
        let seconds = wait.as_secs().max(1);
        tracing::warn!("too many attempts to sign in to the console");
        let problem = Some("Too many attempts from your address. Wait a minute, then try again.");
        let mut answer = page_with(
            StatusCode::TOO_MANY_REQUESTS,
            &form(&request, next, problem),
        )?;
        answer.headers_mut().insert(
            RETRY_AFTER,
            actix_web::http::header::HeaderValue::from(seconds),
        );
        return Ok(answer);
    }
    if state.actor_of(account).await?.is_none() {
        console.gate.failed(source, account, now);
        let problem = Some("This token is not known, or it was revoked.");
        let page = form(&request, next, problem);
        return page_with(StatusCode::UNAUTHORIZED, &page);
    }
    let session = Session::new().ok_or(Refusal::Internal)?;
    let id = session.id();
    state
        .write(move |conn| sessions::begin(conn, &id, &account, now))
        .await?;
    let secure = is_secure(&request, console.secure);
    let cookie = cookie(&session.cookie(), LIFETIME.as_secs(), secure);
    Ok(go_with_cookie(own_page(next.as_deref()), &cookie))
}

/// Ends the session at the server, too: a copy of the cookie is worth nothing afterwards.
pub(super) async fn end(
    request: HttpRequest,
    act: Act<Button>,
    state: web::Data<HttpState>,
    console: web::Data<Console>,
) -> Result<HttpResponse, Refusal> {
    let id = act.visitor.session_id();
    state.write(move |conn| sessions::end(conn, &id)).await?;
    let secure = is_secure(&request, console.secure);
    Ok(go_with_cookie("/console/sign-in", &cookie("", 0, secure)))
}

/// What a request says can only make it stricter.
fn is_secure(request: &HttpRequest, secure: Secure) -> bool {
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "via"];
    match secure {
        Secure::Always => true,
        Secure::Never => false,
        Secure::WhereForwarded => forwarded
            .iter()
            .any(|name| request.headers().contains_key(*name)),
    }
}

fn cookie(value: &str, seconds: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/console; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

#[cfg(test)]
mod tests {
    use super::own_page;

    #[test]
    fn signing_in_leads_to_our_own_pages_only() {
        assert_eq!(own_page(Some("/console/people?q=a")), "/console/people?q=a");
        for trap in [
            "//evil.example",
            "https://evil.example",
            "/console\\@evil",
            "/consolex",
            "",
        ] {
            assert_eq!(own_page(Some(trap)), "/console", "{trap}");
        }
        assert_eq!(own_page(None), "/console");
    }
}
