//! What stands around every page: navigation, who is signed in, what has just been done.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use askama::Template;

use super::assets::{SCRIPT_HREFS, STYLE_HREF};
use super::live::Live;
use super::refusal::Refusal;

/// The parts of the console, as the navigation lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    People,
    Events,
    Communities,
    Triggers,
    Deliveries,
    DirectorySync,
    Audit,
    /// Sign-in and errors.
    Nowhere,
}

impl Section {
    const LISTED: [(Self, &'static str, &'static str); 8] = [
        (Self::Overview, "Overview", "/console"),
        (Self::People, "People", "/console/people"),
        (Self::Events, "Events", "/console/events"),
        (Self::Communities, "Communities", "/console/communities"),
        (Self::Triggers, "Triggers", "/console/triggers"),
        (Self::Deliveries, "Deliveries", "/console/deliveries"),
        (
            Self::DirectorySync,
            "Directory Sync",
            "/console/directory-sync",
        ),
        (Self::Audit, "Audit", "/console/audit"),
    ];
}

/// Who is signed in.
#[derive(Debug)]
pub(super) struct Who {
    /// The token's name.
    pub name: String,
    /// Its role.
    pub role: &'static str,
    /// For the button that signs out.
    pub csrf: String,
}

/// What stands around a page.
#[derive(Debug)]
pub(super) struct Frame {
    /// The page's name.
    pub title: String,
    /// Where it belongs.
    pub section: Section,
    /// Who looks at it; nobody on the sign-in page and on errors.
    pub who: Option<Who>,
    /// What has just been done.
    pub notice: Option<&'static str>,
    /// The page's own address.
    pub here: String,
    /// The pulse that the page is shown at.
    pub pulse: String,
}

impl Frame {
    /// Around a page for nobody in particular.
    pub fn bare(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            section: Section::Nowhere,
            who: None,
            notice: None,
            here: String::new(),
            pulse: String::new(),
        }
    }

    /// Where the stylesheet is.
    pub fn style(&self) -> &'static str {
        &STYLE_HREF
    }

    /// Where the scripts are.
    pub fn scripts(&self) -> &'static [String] {
        SCRIPT_HREFS.as_slice()
    }

    /// What makes an element a part of the page that keeps itself up to date.
    pub fn live(&self, part: &'static str) -> Live<'_> {
        Live {
            part,
            here: &self.here,
            pulse: &self.pulse,
        }
    }

    /// The navigation: name, address, whether the page belongs to it.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        Section::LISTED
            .into_iter()
            .map(|(section, name, href)| (name, href, section == self.section))
    }
}

/// A page as an answer.
pub(super) fn page(template: &impl Template) -> Result<HttpResponse, Refusal> {
    page_with(StatusCode::OK, template)
}

/// A page with another status.
pub(super) fn page_with(
    status: StatusCode,
    template: &impl Template,
) -> Result<HttpResponse, Refusal> {
    let text = template.render().map_err(|error| {
        tracing::error!(%error, "a page of the console could not be rendered");
        Refusal::Internal
    })?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .body(text))
}

/// After a form: on to a page, which a reload does not send again.
pub(super) fn go(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, to))
        .finish()
}

/// As [`go`], with a cookie.
pub(super) fn go_with_cookie(to: &str, cookie: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, to))
        .insert_header((SET_COOKIE, cookie))
        .finish()
}
