//! Requests read, and refusals said, as all of `/mock` does.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::mock::answer::refused;
use crate::mock::rules::RuleError;
use crate::mock::strict;

/// The JSON of a request; `Err` is the refusal.
pub fn json<T: DeserializeOwned>(body: &web::Bytes) -> Result<T, HttpResponse> {
    strict::parse(body).map_err(|why| refused(400, &why))
}

/// An answer.
pub fn shown(value: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(value)
}

/// Done, and nothing to tell.
pub fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// Why rules were refused.
pub fn rule_refused(error: &RuleError) -> HttpResponse {
    let status = match error {
        RuleError::Invalid { .. } => 400,
        RuleError::NoProfile { .. } | RuleError::NoRule(_) => 404,
    };
    refused(status, &error.to_string())
}

/// A handler's two ways, made one.
pub fn either(result: Result<HttpResponse, HttpResponse>) -> HttpResponse {
    result.unwrap_or_else(|refusal| refusal)
}
