//! The names of this machine at which the development and mock servers answer.

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{HOST, LOCATION};
use actix_web::http::uri::Authority;
use actix_web::{HttpResponse, http::StatusCode};
use url::Url;

use crate::app::{App, Mode, RequestInfo};
use crate::protocol::endpoints::AUTHORIZE;
use crate::route::{ErrorFormat, HostPolicy, Priority};

/// Whether a request asks for a name or an address of this machine.
pub fn is_loopback(req: &ServiceRequest) -> bool {
    asked(req).is_some_and(|host| is_loopback_name(host.host()))
}

/// In development mode pages have one name: a page that is asked for by another name of this machine is answered by a redirect
/// to the issuer's, because cookies of the one do not reach the other and forms are taken from the issuer's origin alone.
pub fn to_issuer(app: &App, req: &ServiceRequest, info: RequestInfo) -> Option<HttpResponse> {
    let route = info.route;
    let is_page = route.errors == ErrorFormat::Page && route.host == HostPolicy::Issuer;
    // Files and documents are the same at each name, and cost a redirect each.
    let is_page = is_page && route.priority != Priority::Exempt;
    let is_asked_for = matches!(*req.method(), Method::GET | Method::HEAD) || route.path == AUTHORIZE;
    if app.mode != Mode::Dev || !is_page || !is_asked_for {
        return None;
    }
    let issuer = Url::parse(app.issuer()).ok()?;
    let asked = asked(req)?;
    // With another port, or a name that is not of this machine, a proxy stands before this server and may have changed the
    // name, so that the redirect would come back here.
    let is_here =
        is_loopback_name(issuer.host_str()?) && asked.port_u16().or(Some(80)) == issuer.port_or_known_default();
    if !is_here || asked.host().eq_ignore_ascii_case(issuer.host_str()?) {
        return None;
    }
    let target = req.uri().path_and_query().map_or(req.path(), |target| target.as_str());
    let mut response = HttpResponse::build(StatusCode::TEMPORARY_REDIRECT);
    Some(response.insert_header((LOCATION, format!("{}{target}", app.issuer()))).finish())
}

/// The host of the request, and its port.
fn asked(req: &ServiceRequest) -> Option<Authority> {
    req.headers().get(HOST)?.to_str().ok()?.parse().ok()
}

fn is_loopback_name(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost")
        // RFC 6761 §6.3: names below localhost are of this machine, too.
        || name.to_ascii_lowercase().ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}
