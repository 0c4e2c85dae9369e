//! What went wrong, for whoever calls (RFC 9457).

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

/// A fault of a request, and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// `path`, `query`, `header`, `cookie` or `body`.
    #[serde(rename = "in")]
    pub place: &'static str,
    /// The parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where inside of it or of the body (RFC 6901).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pointer: String,
    pub detail: String,
}

/// Why there is no other answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    pub detail: String,
    pub faults: Vec<Fault>,
    /// Methods that there are, with 405.
    pub allow: Option<String>,
}

impl Problem {
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), faults: Vec::new(), allow: None }
    }

    /// A request that is not as it must be.
    pub fn faults(faults: Vec<Fault>) -> Self {
        let detail = match &faults[..] {
            [one] => one.sentence(),
            _ => format!("the request has {} faults", faults.len()),
        };
        Self { faults, ..Self::new(400, detail) }
    }

    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub fn json(&self) -> Value {
        let title = self.status().canonical_reason().unwrap_or("Error");
        let mut body = json!({"title": title, "status": self.status, "detail": self.detail});
        if !self.faults.is_empty() {
            body["errors"] = json!(self.faults);
        }
        body
    }

    /// All that is wrong, in a line.
    pub fn sentence(&self) -> String {
        let faults: Vec<String> = self.faults.iter().map(Fault::sentence).collect();
        if faults.is_empty() { self.detail.clone() } else { faults.join("; ") }
    }

    pub fn response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status());
        if let Some(allow) = &self.allow {
            response.insert_header(("Allow", allow.as_str()));
        }
        response.insert_header(("Content-Type", "application/problem+json")).body(self.json().to_string())
    }
}

impl Fault {
    pub fn parameter(place: &'static str, name: &str, detail: impl Into<String>) -> Self {
        Self { place, name: Some(name.to_owned()), pointer: String::new(), detail: detail.into() }
    }

    pub fn body(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { place: "body", name: None, pointer: pointer.into(), detail: detail.into() }
    }

    fn sentence(&self) -> String {
        let Self { place, name, pointer, detail } = self;
        match name {
            Some(name) => format!("{place} {name}{pointer}: {detail}"),
            None => format!("{place}{pointer}: {detail}"),
        }
    }
}
