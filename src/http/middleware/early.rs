//! What is refused without any work: by the head of the request alone.

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::HOST;

use super::errors::{EarlyAnswer, of_status};
use super::host;
use crate::app::{App, Mode, RequestInfo};
use crate::http::connections;

/// Longer URLs are refused, in bytes.
const MAX_URL: usize = 16 * 1024;
/// Larger header blocks are refused, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

/// The connection, sizes, and the host that was asked. `Err` is the answer.
pub fn check(app: &App, req: &ServiceRequest, info: RequestInfo) -> Result<(), EarlyAnswer> {
    let refused = refusal(app, req).map(|status| of_status(app, info, status));
    refused.or_else(|| host::to_issuer(app, req, info)).map_or(Ok(()), |answer| Err(Box::new(answer)))
}

fn refusal(app: &App, req: &ServiceRequest) -> Option<StatusCode> {
    if connections::is_refused(req) {
        return Some(StatusCode::SERVICE_UNAVAILABLE);
    }
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
    if app.mode != Mode::Production && !host::is_loopback(req) {
        return Some(StatusCode::MISDIRECTED_REQUEST);
    }
    None
}
