//! `/api/docs`: the document as a page. All of it is in the binary, so that it needs no network.

use std::sync::Arc;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use utoipa_swagger_ui::Config;

use crate::fault::{Fault, Problem};
use crate::protocol::endpoints;
use crate::request;
use crate::support::{gzip, sha256};

/// Nothing inline and nothing from elsewhere; Swagger UI draws its arrows as `data:` images.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      frame-ancestors 'none'; base-uri 'none'; object-src 'none'; form-action 'none'";

/// Our own files: name, media type, content.
const OWN: &[(&str, &str, &str)] = &[
    ("index.html", "text/html; charset=utf-8", include_str!("docs/index.html")),
    ("docs.css", "text/css; charset=utf-8", include_str!("docs/docs.css")),
    ("scheme.js", "text/javascript; charset=utf-8", include_str!("docs/scheme.js")),
    ("init.js", "text/javascript; charset=utf-8", include_str!("docs/init.js")),
];
/// What is used of Swagger UI.
const VENDORED: &[(&str, &str)] =
    &[("swagger-ui-bundle.js", "text/javascript; charset=utf-8"), ("swagger-ui.css", "text/css; charset=utf-8")];

/// `GET /api/docs`
pub async fn index(req: HttpRequest) -> Result<HttpResponse, Fault> {
    serve(&req, "index.html")
}

/// `GET /api/docs/{name}`
pub async fn file(req: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Fault> {
    serve(&req, &name)
}

fn serve(req: &HttpRequest, name: &str) -> Result<HttpResponse, Fault> {
    let (media, bytes, packed) = find(name).ok_or(Fault::Page(Problem::NotFound, None))?;
    let (bytes, packed) = match packed && !request::accepts_gzip(req.headers()) {
        true => (gzip::unpack(&bytes).map_err(|e| Fault::page(Problem::Internal, e.to_string()))?, false),
        false => (bytes, packed),
    };
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(sha256(&bytes)));
    let known = req.headers().get(IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes());
    let mut response = if known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((CACHE_CONTROL, "public, no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((ETAG, tag))
        .insert_header((VARY, "Accept-Encoding"));
    if known {
        return Ok(response.finish());
    }
    if packed {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    Ok(response.insert_header((CONTENT_TYPE, media)).body(bytes))
}

/// A file, its media type and whether it lies there compressed.
fn find(name: &str) -> Option<(&'static str, Vec<u8>, bool)> {
    if let Some((_, media, text)) = OWN.iter().find(|(own, ..)| *own == name) {
        return Some((media, text.as_bytes().to_vec(), false));
    }
    let (name, media) = VENDORED.iter().find(|(vendored, _)| *vendored == name)?;
    let file = utoipa_swagger_ui::serve(name, Arc::new(Config::from(endpoints::API_DOCUMENT))).ok()??;
    Some((media, file.bytes.into_owned(), file.gzpipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_there() {
        let page = OWN[0].2;
        let named = page.split("\"/api/docs/").skip(1).filter_map(|rest| rest.split('"').next());
        let mut files = 0;
        for name in named {
            assert!(find(name).is_some_and(|(_, bytes, _)| !bytes.is_empty()), "{name}");
            files += 1;
        }
        assert_eq!(files, OWN.len() - 1 + VENDORED.len());
        for name in ["", "../mod.rs", "index.css", "swagger-initializer.js", "oauth2-redirect.html"] {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
