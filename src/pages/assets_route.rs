//! Files that pages need: our own, and the logos of clients.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};

use super::assets;
use crate::app::App;
use crate::fault::{Fault, Problem};
use crate::request;
use crate::storage::clients;

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const FOR_A_WHILE: &str = "public, no-cache";

/// `GET /static/{name}`
pub async fn get_static(req: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Fault> {
    let query = request::page_query(&req)?;
    let current = query.get("v").is_some_and(|v| assets::is_current(&name, v));
    serve(&req, &name, if current { FOR_EVER } else { FOR_A_WHILE })
}

/// `GET /favicon.ico`, for browsers that do not read the page.
pub async fn favicon(req: HttpRequest) -> Result<HttpResponse, Fault> {
    serve(&req, "favicon.svg", FOR_A_WHILE)
}

fn serve(req: &HttpRequest, name: &str, cache: &'static str) -> Result<HttpResponse, Fault> {
    let asset = assets::get(name, request::accepts_gzip(req.headers())).ok_or(Fault::Page(Problem::NotFound, None))?;
    let assets::Asset { bytes, media, tag, is_gzip } = asset;
    let known = req.headers().get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if known == Some(tag.as_str()) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((ETAG, tag.clone()))
        .insert_header((VARY, "Accept-Encoding"));
    if known == Some(tag.as_str()) {
        return Ok(response.finish());
    }
    if is_gzip {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    // An SVG that is opened by itself may style itself, and do nothing else.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    if media == "image/svg+xml" {
        response.insert_header((CONTENT_SECURITY_POLICY, policy));
    }
    Ok(response.insert_header((CONTENT_TYPE, media)).body(bytes))
}

/// `GET /client-logo/{client_id}`: an image that the operator registered; never fetched from elsewhere.
pub async fn client_logo(app: web::Data<App>, client_id: web::Path<String>) -> Result<HttpResponse, Fault> {
    let id = client_id.into_inner();
    let logo = app.db.read("client.logo", move |conn| clients::logo(conn, &id)).await?;
    let (media, image) = logo.ok_or(Fault::Page(Problem::NotFound, None))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, media)).insert_header((CACHE_CONTROL, FOR_A_WHILE)).body(image))
}
