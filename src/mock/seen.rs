//! A request as it came in.

use std::net::IpAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::house::{House, World};
use super::place::Place;
use crate::protocol::Params;
use crate::request;

/// A request as it came in, kept for rules, the mocked API and the journal.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Without the issuer's prefix; percent-encoded, as it came.
    pub path: String,
    /// With it.
    pub full_path: String,
    /// Without the question mark.
    pub query: String,
    pub headers: HeaderMap,
    /// At most [`super::layer::MAX_BODY`] bytes.
    pub body: Bytes,
    pub peer: Option<IpAddr>,
    pub place: Place,
    /// Parameters of the query, then those of a form in the body; those that are no form are left out.
    pub form: Vec<(String, String)>,
    /// Who says to ask, by the Basic header or the parameter `client_id`. Nobody has checked.
    pub client_id: Option<String>,
}

impl Seen {
    pub(super) fn of(req: &ServiceRequest, body: Bytes, house: &House, world: &World) -> Self {
        let full_path = req.uri().path().to_owned();
        let (place, path) = house.place(world, &full_path);
        let query = req.uri().query().unwrap_or_default().to_owned();
        let form = parameters(&query, req.headers(), &body);
        let parameter = || form.iter().find(|(name, _)| name == "client_id").map(|(_, value)| value.clone());
        Self {
            method: req.method().clone(),
            path: path.to_owned(),
            headers: req.headers().clone(),
            peer: req.peer_addr().map(|address| address.ip()),
            client_id: basic(req.headers()).map(|(id, _)| id).or_else(parameter),
            full_path,
            query,
            body,
            place,
            form,
        }
    }

    /// A parameter's first value, from the query or a form in the body.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
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
