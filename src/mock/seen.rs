//! A request as it came in.

use std::ops::Deref;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use latchway_mock_api::RequestSnapshot;

use super::place::Place;
use crate::protocol::Params;
use crate::request;

/// A request as it came in, and whose path it asks for.
#[derive(Debug, Clone)]
pub struct Seen {
    pub request: RequestSnapshot,
    pub place: Place,
}

impl Deref for Seen {
    type Target = RequestSnapshot;

    fn deref(&self) -> &RequestSnapshot {
        &self.request
    }
}

impl Seen {
    /// `path` is the name of the request's path in the place that it belongs to.
    pub(super) fn of(req: &ServiceRequest, body: Bytes, place: Place, path: &str) -> Self {
        let full_path = req.uri().path().to_owned();
        let query = req.uri().query().unwrap_or_default().to_owned();
        let form = parameters(&query, req.headers(), &body);
        let parameter = || form.iter().find(|(name, _)| name == "client_id").map(|(_, value)| value.clone());
        let request = RequestSnapshot {
            method: req.method().clone(),
            path: path.to_owned(),
            headers: req.headers().clone(),
            peer: req.peer_addr().map(|address| address.ip()),
            client_id: basic(req.headers()).map(|(id, _)| id).or_else(parameter),
            full_path,
            query,
            body,
            form,
        };
        Self { request, place }
    }
}

/// The parameters that a request carries, as far as they can be read.
pub(super) fn parameters(query: &str, headers: &HeaderMap, body: &[u8]) -> Vec<(String, String)> {
    let pairs = |bytes: &[u8]| -> Vec<(String, String)> {
        url::form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    };
    let mut all = pairs(query.as_bytes());
    if request::is_media_type(headers, "application/x-www-form-urlencoded") && Params::parse(body).is_ok() {
        all.extend(pairs(body));
    }
    all
}

/// The client's id and secret in a Basic header (RFC 6749 §2.3.1), if there are any.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}
