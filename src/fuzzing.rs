//! What strangers send, as targets for a fuzzer (`scripts/fuzz`). Each says what must hold whatever comes; a panic is a
//! finding in any case.

use std::sync::OnceLock;

use crate::bearer::BearerToken;
use crate::domain::{RedirectUri, Scopes};
use crate::keys::{Jwt, KeyRing, Sealer};
use crate::oauth::client_auth_fuzzing as client_auth;
use crate::protocol::Params;
use crate::support::{ApiKeyText, Clock, Handle};

/// A target: its name and what it does with the bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target, by name.
pub const TARGETS: &[Target] = &[
    ("form", form),
    ("redirect", redirect),
    ("scope", scope),
    ("basic", basic),
    ("bearer", bearer),
    ("access_token", access_token),
    ("assertion", client_auth::assertion),
    ("jwks", client_auth::jwks),
    ("handle", handle),
    ("api_key", api_key),
];

/// A form or a query: what was read and is written again reads the same.
fn form(bytes: &[u8]) {
    let Ok(params) = Params::parse(bytes) else { return };
    let again = ["grant_type", "client_id", "code", "redirect_uri", "scope", "state", "resource", "nonce", "a"];
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    for name in again {
        for value in params.all(name) {
            assert!(!value.chars().any(|c| c.is_control() && !"\t\r\n".contains(c)), "a control character got through");
            encoded.append_pair(name, value);
        }
    }
    let second = Params::parse(encoded.finish().as_bytes());
    let Ok(second) = second else { panic!("what was read cannot be read again") };
    for name in again {
        assert!(params.all(name).eq(second.all(name)), "{name} changed");
    }
}

/// A redirect URI, registered and asked for: it matches itself, and another only if it differs in a loopback port.
fn redirect(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (registered, asked) = text.split_once('\n').unwrap_or((text, text));
    let Ok(uri) = RedirectUri::register(registered) else { return };
    assert!(uri.matches(registered), "it does not match itself");
    assert_eq!(uri.as_str(), registered);
    if uri.matches(asked) && asked != registered {
        let loopback = ["http://127.0.0.1", "http://[::1]"];
        assert!(loopback.iter().any(|origin| registered.starts_with(origin)), "{asked} is taken for {registered}");
        let (one, other) = (url::Url::parse(registered), url::Url::parse(asked));
        let (Ok(mut one), Ok(mut other)) = (one, other) else { panic!("{asked} is no URL") };
        let _ = (one.set_port(None), other.set_port(None));
        assert_eq!(one, other, "they differ in more than the port");
    }
}

/// A scope: written and read it is the same, and it is within itself.
fn scope(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(scopes) = Scopes::parse(text) else { return };
    let Ok(again) = Scopes::parse(&scopes.to_string()) else { panic!("{scopes} cannot be read") };
    assert_eq!(scopes.to_string(), again.to_string());
    assert!(scopes.is_subset(&again) && again.is_subset(&scopes));
}

/// An Authorization header with a form.
fn basic(bytes: &[u8]) {
    let (header, form) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    client_auth::credentials(&headers(header), &Params::parse(form).unwrap_or_default());
}

fn bearer(bytes: &[u8]) {
    let (header, form) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let _ = BearerToken::read(&headers(header), &Params::parse(form).unwrap_or_default());
}

fn headers(value: &[u8]) -> actix_web::http::header::HeaderMap {
    let mut headers = actix_web::http::header::HeaderMap::new();
    if let Ok(value) = actix_web::http::header::HeaderValue::from_bytes(value) {
        headers.insert(actix_web::http::header::AUTHORIZATION, value);
    }
    headers
}

/// An access token: nobody without our key can make one.
fn access_token(bytes: &[u8]) {
    static RING: OnceLock<Option<KeyRing>> = OnceLock::new();
    let ring = RING.get_or_init(|| {
        let sealer = std::sync::Arc::new(Sealer::new(&[7; 32])?);
        KeyRing::new(&[], sealer, Clock::system()).ok()
    });
    let (Some(ring), Ok(token)) = (ring, std::str::from_utf8(bytes)) else { return };
    assert!(ring.snapshot().verify(token, Jwt::AccessToken, 0).is_none(), "a forgery");
}

/// A code, refresh token or cookie: one that is read is written as it came.
fn handle(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(handle) = Handle::parse(text) {
        assert_eq!(handle.expose().as_str(), text, "two texts for one handle");
    }
}

/// An API key: one that is read is written as it came.
fn api_key(bytes: &[u8]) {
    use secrecy::ExposeSecret;
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = ApiKeyText::parse(text) {
        assert_eq!(key.expose().expose_secret(), text, "two texts for one key");
    }
}
