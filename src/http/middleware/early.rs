//! What is refused without any work: by the head of the request alone.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HOST;

use super::errors::{EarlyAnswer, of_status};
use crate::app::{App, Mode, RequestInfo};

/// Longer URLs are refused, in bytes.
const MAX_URL: usize = 16 * 1024;
/// Larger header blocks are refused, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

/// Sizes, and the host that was asked. `Err` is the answer.
pub fn check(app: &App, req: &ServiceRequest, info: RequestInfo) -> Result<(), EarlyAnswer> {
    refusal(app, req).map_or(Ok(()), |status| Err(Box::new(of_status(app, info, status))))
}

fn refusal(app: &App, req: &ServiceRequest) -> Option<StatusCode> {
    // A URL in absolute form is refused below, so that this is all of it.
    if req.uri().path_and_query().is_some_and(|url| url.as_str().len() > MAX_URL) {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let size: usize = req.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > MAX_HEADERS {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if req.headers().get_all(HOST).count() > 1 || req.uri().authority().is_some() {
        return Some(StatusCode::BAD_REQUEST);
    }
    // These modes show secrets to this machine: no page of another host may reach it by a name that it points here.
    if app.mode != Mode::Production && !is_loopback_host(req) {
        return Some(StatusCode::MISDIRECTED_REQUEST);
    }
    None
}

fn is_loopback_host(req: &ServiceRequest) -> bool {
    let host = req.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(n, _)| n);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        // RFC 6761 §6.3: names below localhost are of this machine, too.
        || name.to_ascii_lowercase().ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}
