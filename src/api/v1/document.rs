//! The description of this version.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use utoipa::OpenApi;

use super::Document;

/// This document
///
/// OpenAPI 3.1. A page that shows it is at `/api/docs`.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", operation_id = "document", tag = "About", security(()),
    responses((status = 200, description = "An OpenAPI document", content_type = "application/json"))
)]
pub async fn get() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, no-cache")).json(Document::openapi())
}
