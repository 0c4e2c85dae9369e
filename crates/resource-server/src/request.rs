//! What a decision needs of an HTTP request, without a web framework.

use std::fmt;
use std::net::IpAddr;

use http::{Extensions, Request, request::Parts};

/// The head of a request: method, target, headers, and the address at the other end of its connection.
///
/// A request of the `http` crate becomes one by `From`, and so does one of actix-web with the feature `actix`. For any other
/// framework it is put together:
///
/// ```
/// use latchway_resource_server::RequestHead;
///
/// let head = RequestHead::new("GET", "/orders?page=2").header("Authorization", "Bearer a.b.c");
/// assert_eq!((head.query(), head.value("authorization")), ("page=2", Some("Bearer a.b.c")));
/// ```
#[derive(Clone)]
pub struct RequestHead<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
    peer: Option<IpAddr>,
    extensions: Option<&'a Extensions>,
}

impl<'a> RequestHead<'a> {
    /// A request without headers. The target is a path with its query, or a whole URL.
    pub fn new(method: &'a str, target: &'a str) -> Self {
        Self { method, target, headers: Vec::new(), peer: None, extensions: None }
    }

    /// Adds a header. One that came several times is added several times.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.headers.push((name, value.as_ref()));
        self
    }

    /// The address at the other end of the connection.
    #[must_use]
    pub fn from_peer(mut self, address: Option<IpAddr>) -> Self {
        self.peer = address;
        self
    }

    pub fn method(&self) -> &'a str {
        self.method
    }

    /// What follows the question mark; empty if nothing does.
    pub fn query(&self) -> &'a str {
        let target = self.target.split('#').next().unwrap_or_default();
        target.split_once('?').map_or("", |(_, query)| query)
    }

    /// The values of a header, in the order in which they came. The name has no case.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The value of a header that is there once and has visible characters alone.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let mut values = self.values(name);
        let first = values.next()?;
        if values.next().is_some() { None } else { visible(first) }
    }

    /// The address at the other end of the connection, which is a proxy's where there is one.
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    /// An extension of a request of the `http` crate, such as tonic's `TcpConnectInfo`.
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&'a T> {
        self.extensions?.get()
    }

    /// The parts of a request of the `http` crate.
    fn of_http(
        method: &'a http::Method,
        uri: &'a http::Uri,
        headers: &'a http::HeaderMap,
        extensions: &'a Extensions,
    ) -> Self {
        Self {
            method: method.as_str(),
            target: uri.path_and_query().map_or("", |target| target.as_str()),
            headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
            peer: peer_of(extensions),
            extensions: Some(extensions),
        }
    }
}

/// Header values are credentials, so that they are not shown.
impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| *name).collect();
        f.debug_struct("RequestHead").field("method", &self.method).field("headers", &names).finish_non_exhaustive()
    }
}

impl<'a, B> From<&'a Request<B>> for RequestHead<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self::of_http(request.method(), request.uri(), request.headers(), request.extensions())
    }
}

impl<'a> From<&'a Parts> for RequestHead<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self::of_http(&parts.method, &parts.uri, &parts.headers, &parts.extensions)
    }
}

/// What axum knows of the connection, if its app was served by `into_make_service_with_connect_info`.
#[cfg(feature = "tower")]
fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip())
}

#[cfg(not(feature = "tower"))]
fn peer_of(_: &Extensions) -> Option<IpAddr> {
    None
}

/// A header value as text, if it has visible ASCII, blanks and tabs alone.
pub(crate) fn visible(value: &[u8]) -> Option<&str> {
    let is_visible = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    if is_visible { std::str::from_utf8(value).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_the_http_crate_is_read() {
        let request =
            Request::post("https://api.example/a?b=c").header("X-One", "1").header("x-two", "2").header("X-Two", "3");
        let request = request.extension(7_u8).body(()).expect("a request");
        let head = RequestHead::from(&request);
        assert_eq!((head.method(), head.query(), head.value("x-one")), ("POST", "b=c", Some("1")));
        assert_eq!(head.value("X-TWO"), None, "there twice");
        assert_eq!(head.values("X-TWO").collect::<Vec<_>>(), [b"2", b"3"]);
        assert_eq!((head.extension::<u8>(), head.extension::<u16>(), head.peer()), (Some(&7), None, None));
    }

    #[test]
    fn no_value_is_shown() {
        let head = RequestHead::new("GET", "/?access_token=secret").header("Authorization", "Bearer secret");
        assert!(!format!("{head:?}").contains("secret"));
        assert_eq!(RequestHead::new("GET", "/#?a").query(), "");
        assert_eq!(RequestHead::new("GET", "/").header("A", &[0xff_u8]).value("a"), None);
    }
}
