//! Answers of the mock itself.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::json;

use super::world_error::WorldError;

/// A refusal in JSON (RFC 9457): its status, and a sentence for whoever drives the mock.
pub fn refused(status: u16, detail: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let title = status.canonical_reason().unwrap_or("Refused");
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .insert_header(("cache-control", "no-store"))
        .body(json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail}).to_string())
}

/// Why there is no world for a request.
pub fn world(error: &WorldError) -> HttpResponse {
    let status = match error {
        WorldError::Name => 400,
        WorldError::Foreign => 403,
        WorldError::TooMany => 429,
        WorldError::Make(_) | WorldError::Rules(_) => 500,
    };
    if status == 500 {
        tracing::error!(%error, "a mock could not be made");
    }
    refused(status, &error.to_string())
}
