//! Requests read, and refusals said, as all of `/mock` does.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::mock::answer::refused;
use crate::mock::rules::RuleError;
use crate::mock::strict;

/// Why a request was refused.
pub struct Refusal {
    status: u16,
    why: String,
}

impl Refusal {
    pub fn new(status: u16, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }
}

impl From<RuleError> for Refusal {
    fn from(error: RuleError) -> Self {
        let status = match error {
            RuleError::Invalid { .. } => 400,
            RuleError::NoProfile { .. } | RuleError::NoRule(_) => 404,
        };
        Self::new(status, error.to_string())
    }
}

/// The JSON of a request.
pub fn json<T: DeserializeOwned>(body: &web::Bytes) -> Result<T, Refusal> {
    strict::parse(body).map_err(|why| Refusal::new(400, why))
}

/// An answer.
pub fn shown(value: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(value)
}

/// Done, and nothing to tell.
pub fn done() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// A handler's two ways, made one.
pub fn either(result: Result<HttpResponse, Refusal>) -> HttpResponse {
    result.unwrap_or_else(|refusal| refused(refusal.status, &refusal.why))
}
