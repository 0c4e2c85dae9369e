//! Requests for the tests of these rooms.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use latchway_mock_api::RequestSnapshot;

use crate::mock::place::Place;
use crate::mock::seen::{Seen, parameters};

/// A request to the main issuer, its form in the body, or in the query if it is a GET.
pub fn sample(method: &str, path: &str, form: &str) -> Seen {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let (query, body) = if method == "GET" { (form, "") } else { ("", form) };
    let request = RequestSnapshot {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: path.to_owned(),
        full_path: path.to_owned(),
        query: query.to_owned(),
        form: parameters(query, &headers, body.as_bytes()),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
        peer: None,
        client_id: None,
    };
    Seen { request, place: Place::Issuer { prefix: String::new() } }
}
