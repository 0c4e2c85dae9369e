//! A copy of a request, for all that looks at it: the mocked API, rules and the journal.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use latchway_resource_server::RequestHead;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct RequestSnapshot {
    pub method: Method,
    /// Without the prefix of an issuer; percent-encoded, as it came.
    pub path: String,
    /// With it.
    pub full_path: String,
    /// Without the question mark.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: Option<IpAddr>,
    /// Parameters of the query, then those of a form in the body; those that are no form are left out.
    pub form: Vec<(String, String)>,
    /// The client that the request names, by the Basic header or the parameter `client_id`. It is not verified.
    pub client_id: Option<String>,
}

impl RequestSnapshot {
    /// A parameter's first value, from the query or a form in the body.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What the resource server reads credentials from.
    pub(crate) fn head<'a>(&'a self, target: &'a str) -> RequestHead<'a> {
        let head = RequestHead::new(self.method.as_str(), target).from_peer(self.peer);
        self.headers.iter().fold(head, |head, (name, value)| head.header(name.as_str(), value))
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        format!("{}?{}", self.full_path, self.query)
    }
}
