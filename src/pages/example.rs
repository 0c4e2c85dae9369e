//! `examples/first-party-web`, as it would be served beside the issuer; in development mode alone.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::{HttpResponse, web};

use super::policy;
use crate::fault::{Fault, Problem};

macro_rules! files {
    ($($name:literal: $media:literal),+ $(,)?) => {
        &[$(($name, $media, include_str!(concat!("../../examples/first-party-web/", $name)))),+]
    };
}

const FILES: &[(&str, &str, &str)] = files![
    "index.html": "text/html; charset=utf-8",
    "app.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "api.js": "text/javascript; charset=utf-8",
];

/// `GET /examples/first-party/`
pub async fn index() -> Result<HttpResponse, Fault> {
    serve("index.html")
}

/// `GET /examples/first-party/{name}`
pub async fn file(name: web::Path<String>) -> Result<HttpResponse, Fault> {
    serve(&name)
}

fn serve(name: &str) -> Result<HttpResponse, Fault> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    let (_, media, text) = found.ok_or(Fault::Page(Problem::NotFound, None))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, *media))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, policy::playground()))
        .body(*text))
}
