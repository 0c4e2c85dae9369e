//! Cross-origin requests: pages of this machine may do everything, others what they may at the real server.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};

static PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The origin of a page of this machine, if the request comes from one.
pub fn local_origin(headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    is_local(origin.to_str().ok()?).then(|| origin.clone())
}

/// Whether a request was sent by a page of elsewhere. Forms of our own pages say `Origin: null`, and that they are ours.
pub fn is_foreign(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    match site {
        Some(b"same-origin" | b"none") => false,
        Some(_) => local_origin(headers).is_none(),
        None => headers.contains_key(ORIGIN) && local_origin(headers).is_none(),
    }
}

/// Whether this is the origin of something on this machine.
pub fn is_local(origin: &str) -> bool {
    let Ok(url) = url::Url::parse(origin) else { return false };
    let host = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    host && matches!(url.scheme(), "http" | "https")
}

/// Whether a request was sent to this machine by one of its own names.
pub fn is_local_host(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    is_local(&format!("http://{host}/"))
}

/// Whether a browser goes to this address as a whole, and does not load it for a page (W3C Fetch Metadata §2.2, §2.3).
pub fn is_navigation(headers: &HeaderMap) -> bool {
    let says = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    says("sec-fetch-mode") == Some(b"navigate") && says("sec-fetch-dest").is_none_or(|to| to == b"document")
}

/// The origin that a request was sent to, which is the name by which its client knows the issuer.
pub fn asked_origin(headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let url = url::Url::parse(&format!("http://{host}/")).ok()?;
    let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/" && url.query().is_none();
    plain.then(|| url.origin().ascii_serialization())
}

/// The answer to a preflight of a page of this machine, if this is one.
pub fn preflight(method: &Method, headers: &HeaderMap) -> Option<HttpResponse> {
    let wanted = headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| method == Method::OPTIONS)?;
    local_origin(headers)?;
    let mut response = HttpResponse::NoContent();
    response.insert_header((ACCESS_CONTROL_ALLOW_METHODS, wanted.clone()));
    response.insert_header((ACCESS_CONTROL_MAX_AGE, "600"));
    response.insert_header((PRIVATE_NETWORK.clone(), "true"));
    if let Some(names) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        response.insert_header((ACCESS_CONTROL_ALLOW_HEADERS, names.clone()));
    }
    Some(response.finish())
}

/// Lets a page of this machine read the answer.
pub fn apply(origin: HeaderValue, headers: &mut HeaderMap) {
    let names: Vec<String> = headers.keys().map(|name| name.as_str().to_owned()).collect();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    if let Ok(all) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, all);
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_local() {
        for origin in ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8443", "http://app.localhost:1"] {
            assert!(is_local(origin), "{origin}");
        }
        for origin in [
            "null",
            "https://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1.evil.example",
            "file://localhost/",
        ] {
            assert!(!is_local(origin), "{origin}");
        }
    }
}
