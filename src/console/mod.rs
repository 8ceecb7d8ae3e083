//! The console: pages for people, rendered on the server over the functions of `operations`, which need no
//! script and are kept up to date by a little of it. Every page but the sign-in wants a session; every
//! form wants the session's own token; what may be done is judged in `operations`. Stylesheet, icon and
//! scripts come from the binary.

mod admin_restorations;
mod assets;
mod audit;
mod care;
mod chart;
mod communities;
mod community;
mod confirm;
mod conflicts;
mod count;
mod deliveries;
mod delivery;
mod destinations;
mod directory_sync;
mod event;
mod events;
mod failures;
mod frame;
mod gate;
mod hold;
mod indent;
mod jobs;
mod link;
mod live;
mod origin;
mod overview;
mod people;
mod person;
mod phrase;
mod refusal;
mod replay;
mod rules;
mod session;
mod sign_in;
mod timeline;
mod todo;
mod triggers;
mod visitor;
mod when;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpResponse, web};

use gate::Gate;
use live::Felt;
use refusal::Refusal;

/// The largest form, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; \
                      connect-src 'self'; frame-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// What the pages share; one for each server.
pub struct Console {
    secure: Secure,
    gate: Gate,
    felt: Felt,
}

/// Whether browsers may send the session's cookie over a connection that is not encrypted. Decided by the
/// configuration: what a request says of its own address is the sender's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secure {
    /// Over HTTPS only.
    Always,
    /// Nobody but this machine can reach the listener: over HTTPS only where a proxy has forwarded the request.
    WhereForwarded,
    /// The console's public address is configured as plain HTTP.
    Never,
}

impl Console {
    /// Cookies with `Secure` as said.
    pub fn new(secure: Secure) -> Self {
        Self {
            secure,
            gate: Gate::default(),
            felt: Felt::default(),
        }
    }
}

/// Every page and form under `/console`.
pub fn routes(config: &mut web::ServiceConfig) {
    let scope = web::scope("/console")
        .wrap(from_fn(guard))
        .app_data(web::PayloadConfig::new(FORM_LIMIT))
        .app_data(
            web::FormConfig::default()
                .limit(FORM_LIMIT)
                .error_handler(|error, _| Refusal::unreadable(error).into()),
        )
        .app_data(
            web::QueryConfig::default().error_handler(|error, _| Refusal::unreadable(error).into()),
        )
        .app_data(web::PathConfig::default().error_handler(|_, _| Refusal::nothing_here().into()))
        .configure(assets::routes)
        .route("/sign-in", web::get().to(sign_in::show))
        .route("/session", web::post().to(sign_in::begin))
        .route("/sign-out", web::post().to(sign_in::end))
        .route("", web::get().to(overview::show))
        .route("/", web::get().to(overview::show))
        .route("/people", web::get().to(people::list))
        .configure(person::routes)
        .configure(conflicts::routes)
        .configure(events::routes)
        .route("/failures", web::get().to(failures::list))
        .configure(jobs::routes)
        .configure(communities::routes)
        .configure(triggers::routes)
        .configure(destinations::routes)
        .configure(deliveries::routes)
        .configure(hold::routes)
        .configure(directory_sync::routes)
        .route("/audit", web::get().to(audit::list))
        .default_service(web::to(nothing_here));
    config.service(scope);
}

async fn nothing_here() -> Result<HttpResponse, Refusal> {
    Err(Refusal::nothing_here())
}

/// What every answer of the console carries, errors included.
async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?.map_into_boxed_body();
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        // A page may bring a policy of its own, for what is not ours to judge.
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(answer)
}
