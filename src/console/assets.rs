//! The stylesheet and the icon, kept in the binary. The stylesheet's address carries a digest of it,
//! so that browsers may keep it for ever and still see a new one at once.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");
const ICON: &str = include_str!("icon.svg");
const FOR_EVER: (actix_web::http::header::HeaderName, &str) =
    (CACHE_CONTROL, "public, max-age=31536000, immutable");

/// Where the stylesheet is.
pub(super) static STYLE_HREF: LazyLock<String> = LazyLock::new(|| {
    let digest = hex::encode(Sha256::digest(STYLE));
    let short: String = digest.chars().take(12).collect();
    format!("/console/style.css?v={short}")
});

pub(super) async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header(FOR_EVER)
        .body(STYLE)
}

pub(super) async fn icon() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header((CACHE_CONTROL, "public, max-age=86400"))
        .body(ICON)
}
