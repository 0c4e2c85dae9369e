//! Headers of every answer.

use std::sync::atomic::Ordering;

use actix_web::HttpResponse;
use actix_web::http::ConnectionType;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, PRAGMA, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::app::{App, RequestInfo};
use crate::pages::policy;
use crate::route::{Cors, HostPolicy};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
static PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
/// What no page of Latchway ever asks a browser for. A feature that a browser does not know would be a warning in its console.
const NO_FEATURES: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
                           magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// Adds what is not there yet. A connection that may not be kept, or any while the server stops, ends with this answer.
pub fn add(app: &App, info: RequestInfo, keeps_alive: bool, response: &mut HttpResponse) {
    if !keeps_alive || app.readiness.draining.load(Ordering::Relaxed) {
        // RFC 9112 §9.6: a proxy sends nothing more on this connection, instead of meeting its end with a request.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let (headers, fixed) = (response.headers_mut(), HeaderValue::from_static);
    if let Ok(id) = HeaderValue::from_str(&info.id.to_string()) {
        headers.insert(REQUEST_ID.clone(), id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, fixed("nosniff"));
    headers.insert(REFERRER_POLICY, fixed("no-referrer"));
    headers.insert(X_FRAME_OPTIONS, fixed("DENY"));
    headers.insert(OPENER_POLICY.clone(), fixed("same-origin"));
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, fixed(policy::NOTHING));
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, fixed("no-store"));
        headers.insert(PRAGMA, fixed("no-cache"));
    }
    headers.insert(PERMISSIONS.clone(), fixed(NO_FEATURES));
    if info.route.host == HostPolicy::Issuer {
        add_for_issuer(app, info, headers);
    }
}

/// What is decided for the issuer's host alone: which sites may embed its resources, and its transport.
fn add_for_issuer(app: &App, info: RequestInfo, headers: &mut HeaderMap) {
    let fixed = HeaderValue::from_static;
    let is_shared = info.route.cors != Cors::Deny;
    headers.insert(RESOURCE_POLICY.clone(), fixed(if is_shared { "cross-origin" } else { "same-origin" }));
    if app.issuer().starts_with("https://") {
        let below = app.config.server.hsts_include_subdomains;
        let value = if below { "max-age=31536000; includeSubDomains" } else { "max-age=31536000" };
        headers.insert(STRICT_TRANSPORT_SECURITY, fixed(value));
    }
}
