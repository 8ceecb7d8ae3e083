//! Pages that keep themselves up to date: a part of a page asks for the page again every few seconds,
//! naming the pulse it was shown at. Where nothing was written since, the answer is 304 and no page is
//! read; the pulse itself is looked up once a second for all who ask.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::IF_NONE_MATCH;
use askama::filters::HtmlSafe;
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::db::pulse::{Pulse, pulse};
use crate::http::HttpState;
use crate::operations::OperationError;

use super::link::link;

/// A pulse is good for so long.
const FRESH: Duration = Duration::from_secs(1);
/// Even where nothing is written, times ("5 min ago") are told anew so often.
const RETOLD_SECONDS: i64 = 30;

/// The pulse as it was last felt.
#[derive(Debug, Default)]
pub(super) struct Felt(Mutex<Option<(Instant, Pulse)>>);

impl Felt {
    fn recent(&self) -> Option<Pulse> {
        let felt = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        felt.filter(|(at, _)| at.elapsed() < FRESH)
            .map(|(_, pulse)| pulse)
    }

    /// The pulse by which a page is shown; read before the page itself is.
    pub async fn tag(&self, state: &HttpState, now: Timestamp) -> Result<String, OperationError> {
        let pulse = match self.recent() {
            Some(pulse) => pulse,
            None => {
                let begun = Instant::now();
                let pulse = state.read(|conn| Ok(pulse(conn)?)).await?;
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((begun, pulse));
                pulse
            }
        };
        Ok(tag_of(&pulse, now))
    }
}

fn tag_of(pulse: &Pulse, now: Timestamp) -> String {
    let mut hash = Sha256::new();
    for figure in pulse.figures() {
        hash.update(figure.unwrap_or(i64::MIN).to_be_bytes());
    }
    let told = now.micros().div_euclid(RETOLD_SECONDS * 1_000_000);
    hash.update(told.to_be_bytes());
    hex::encode(hash.finalize()).chars().take(20).collect()
}

/// Whether a page's script asks, and not a person.
pub(super) fn is_script(request: &HttpRequest) -> bool {
    request.headers().contains_key("hx-request")
}

/// Whether what is shown there is what would be shown now.
pub(super) fn is_shown(request: &HttpRequest, tag: &str) -> bool {
    let shown = request.headers().get(IF_NONE_MATCH);
    let shown = shown.and_then(|shown| shown.to_str().ok());
    is_script(request) && shown.is_some_and(|shown| shown.trim_matches('"') == tag)
}

/// The address of a page without what was only said once.
pub(super) fn address_of(request: &HttpRequest) -> String {
    let query = url::form_urlencoded::parse(request.query_string().as_bytes());
    let kept: Vec<_> = query.filter(|(name, _)| name != "done").collect();
    let kept = kept.iter().map(|(name, value)| (&**name, Some(&**value)));
    link(request.path(), &kept.collect::<Vec<_>>())
}

/// What makes an element a live part: its id, and what it asks for.
#[derive(Debug)]
pub(super) struct Live<'a> {
    /// The element's id.
    pub part: &'static str,
    /// The page's address.
    pub here: &'a str,
    /// The pulse it is shown at.
    pub pulse: &'a str,
}

/// Escapes what comes from the address by itself.
impl HtmlSafe for Live<'_> {}

impl fmt::Display for Live<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, pulse, .. } = self;
        let here = self
            .here
            .replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        write!(
            out,
            "id=\"{part}\" data-pulse=\"{pulse}\" hx-get=\"{here}\" hx-trigger=\"live\" \
             hx-select=\"#{part}\" hx-target=\"this\" hx-swap=\"morph:outerHTML\""
        )
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_live_part_asks_for_its_own_page_and_nothing_slips_out_of_the_address() {
        let request = TestRequest::with_uri("/console/people?done=left&q=%22%3E%3Cscript%3E&a=1")
            .to_http_request();
        let here = address_of(&request);
        assert_eq!(here, "/console/people?q=%22%3E%3Cscript%3E&a=1");
        let live = Live {
            part: "rows",
            here: "/console/\"><script>",
            pulse: "ab",
        };
        assert!(!live.to_string().contains("<script"), "{live}");
    }

    #[test]
    fn only_a_script_that_names_the_pulse_is_told_that_nothing_is_new() {
        let request = |named: &'static str| {
            TestRequest::default()
                .insert_header(("hx-request", "true"))
                .insert_header((IF_NONE_MATCH, named))
                .to_http_request()
        };
        assert!(is_shown(&request("\"abc\""), "abc"));
        assert!(!is_shown(&request("\"abd\""), "abc"));
        let person = TestRequest::default().insert_header((IF_NONE_MATCH, "\"abc\""));
        assert!(!is_shown(&person.to_http_request(), "abc"));
    }
}
