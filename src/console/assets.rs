//! The stylesheet, the icon and the scripts, kept in the binary. Each one's address carries a digest of
//! it, so that browsers may keep it for ever and still see a new one at once. The scripts are htmx and
//! idiomorph as the npm registry has them (their versions and licences lie beside them), and a few lines
//! of our own.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpResponse, web};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");
const HTMX: &str = include_str!("scripts/htmx-2.0.8.min.js");
const MORPH: &str = include_str!("scripts/idiomorph-ext-0.7.4.min.js");
const LIVE: &str = include_str!("scripts/live.js");
const FOR_EVER: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=31536000, immutable");

/// Where the stylesheet is.
pub(super) static STYLE_HREF: LazyLock<String> = LazyLock::new(|| href("style.css", STYLE));
/// Where the scripts are, in the order they are loaded.
pub(super) static SCRIPT_HREFS: LazyLock<[String; 3]> = LazyLock::new(|| {
    [
        href("htmx.js", HTMX),
        href("morph.js", MORPH),
        href("live.js", LIVE),
    ]
});

fn href(name: &str, content: &str) -> String {
    let digest = hex::encode(Sha256::digest(content));
    let short: String = digest.chars().take(12).collect();
    format!("/console/{name}?v={short}")
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/style.css", web::get().to(style))
        .route("/icon.svg", web::get().to(icon))
        .route("/htmx.js", web::get().to(async || script(HTMX)))
        .route("/morph.js", web::get().to(async || script(MORPH)))
        .route("/live.js", web::get().to(async || script(LIVE)));
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header(FOR_EVER)
        .body(STYLE)
}

fn script(content: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/javascript; charset=utf-8")
        .insert_header(FOR_EVER)
        .body(content)
}

async fn icon() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((CACHE_CONTROL, "public, max-age=86400"))
        .body(ICON)
}
