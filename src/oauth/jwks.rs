//! The public keys (RFC 7517).

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use crate::app::App;

/// `GET /.well-known/jwks.json`. It may be kept for half the time for which a new key stands here before it signs.
pub async fn get(app: web::Data<App>) -> HttpResponse {
    let max_age = (app.config.keys.prepublish_seconds / 2).clamp(1, 3600);
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, format!("public, max-age={max_age}")))
        .body(app.keys.snapshot().jwks.clone())
}
