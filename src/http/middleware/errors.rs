//! Bodies of errors, in the format of the route.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, LINK};

use crate::api;
use crate::app::{App, RequestInfo};
use crate::fault::Fault;
use crate::http::error::{render, render_status};
use crate::route::Route;

/// An answer that a step gives in place of the handler. Boxed, because most requests have none.
pub type EarlyAnswer = Box<HttpResponse>;

/// What HTTP itself refuses, with this status.
pub fn of_status(app: &App, info: RequestInfo, status: StatusCode) -> HttpResponse {
    render_status(app, info.route.errors, status, &info.id.to_string())
}

/// Gives errors of handlers and of the router their body.
pub fn finish(app: &App, info: RequestInfo, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let mut rendered = if let Some(fault) = response.response().error().and_then(|error| error.as_error::<Fault>()) {
        render(app, info.route.errors, fault, &info.id.to_string())
    } else {
        let has_body = response.headers().contains_key(CONTENT_TYPE);
        let from_framework = response.response().error().is_some() || !has_body;
        if !from_framework || !(status.is_client_error() || status.is_server_error()) {
            return response;
        }
        of_status(app, info, status)
    };
    keep_headers(info.route, response.headers(), &mut rendered);
    response.into_response(rendered)
}

/// The headers that stay when the body is replaced by an error body, and the methods of the path if it was another (RFC 9110
/// §15.5.6).
fn keep_headers(route: &Route, from: &HeaderMap, to: &mut HttpResponse) {
    for name in [&LINK, &api::DEPRECATION, &api::SUNSET] {
        if let Some(value) = from.get(name) {
            to.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if to.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Ok(allowed) = HeaderValue::from_str(&route.allow())
    {
        to.headers_mut().insert(ALLOW, allowed);
    }
}
