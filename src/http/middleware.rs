//! What every request goes through and every answer carries: an id, the caller's address, a deadline, headers, a line in
//! the log and a number in the metrics.

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, LINK, PRAGMA,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};

use super::error::{Form, from_status, render};
use super::unread::Kept;
use super::{address, cors, rate_limit, routes};
use crate::api;
use crate::app::{App, Mode, RequestInfo};
use crate::defense::Passage;
use crate::fault::{Fault, Problem};
use crate::pages::policy;
use crate::support::Id;

/// Longer URLs are refused, in bytes.
const MAX_URL: usize = 16 * 1024;
/// Larger header blocks are refused, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The one middleware.
pub async fn serve(
    app: web::Data<App>,
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let info = RequestInfo {
        id: Id::new(&app.clock, &app.rng),
        address: address::client_address(&req, &app.config.server.trusted_proxies),
        route: label(req.path()),
    };
    req.extensions_mut().insert(info);
    let slot = app.admission.enter(routes::urgency(req.path()));
    let (method, form, route) = (req.method().clone(), Form::of(req.path()), info.route);
    let elsewhere = routes::answers_elsewhere(req.path());
    let cors = cors::Verdict::of(&app, &req).await;
    let unread = Kept::of(&mut req);
    let refusal = match &slot {
        Some(_) => refuse_early(&app, &req),
        None => {
            metrics::counter!("latchway_requests_shed_total").increment(1);
            Some(StatusCode::SERVICE_UNAVAILABLE)
        }
    };
    let mut left = None;
    let mut response = match refusal {
        Some(status) => {
            let response = render_status(&app, form, status, info);
            req.into_response(response)
        }
        None if cors.is_preflight() => req.into_response(cors.preflight()),
        None => match app.limiter.request(req.path(), info.address, app.now()) {
            Passage::Closed(exceeded) => {
                metrics::counter!("latchway_requests_limited_total", "route" => route).increment(1);
                let fault = Fault::Page(Problem::TooMany { retry_after: exceeded.retry_after }, None);
                let mut response = render(&app, form, &fault, &info.id.to_string());
                rate_limit::refused(&exceeded, response.headers_mut());
                req.into_response(response)
            }
            Passage::Open(narrowest) => {
                left = narrowest;
                match serve_in_time(&app, req, next, form, info).await {
                    Ok(response) => response,
                    Err(response) => return Err(without_request(&app, response, info, cors, unread)),
                }
            }
        },
    };
    if let Some(unread) = unread {
        let (request, answer) = response.into_parts();
        response = ServiceResponse::new(request, unread.leave_with(answer));
    }
    add_headers(&app, info, response.headers_mut());
    rate_limit::left(left.as_ref(), response.headers_mut());
    if elsewhere {
        response.headers_mut().remove(STRICT_TRANSPORT_SECURITY);
    }
    cors.apply(response.headers_mut());
    observe(&method, route, &response, info, started);
    Ok(response)
}

/// What the handler answers, if it does so before the deadline. `Err` is an answer too, for which the request is gone.
async fn serve_in_time(
    app: &App,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    form: Form,
    info: RequestInfo,
) -> Result<ServiceResponse<BoxBody>, HttpResponse> {
    let limit = Duration::from_secs(app.config.server.request_timeout_seconds);
    match tokio::time::timeout(limit, next.call(req)).await {
        Ok(Ok(response)) => Ok(finish_body(app, form, info, response.map_into_boxed_body())),
        Ok(Err(error)) => {
            let other = from_status(error.as_response_error().status_code());
            Err(render(app, form, error.as_error::<Fault>().unwrap_or(&other), &info.id.to_string()))
        }
        Err(_) => Err(render(app, form, &Fault::Page(Problem::Timeout, None), &info.id.to_string())),
    }
}

/// An answer where the request is gone: the router wants it to itself, so no copy was kept.
fn without_request(
    app: &App,
    mut response: HttpResponse,
    info: RequestInfo,
    cors: cors::Verdict,
    unread: Option<Kept>,
) -> Error {
    if let Some(unread) = unread {
        response = unread.leave_with(response);
    }
    add_headers(app, info, response.headers_mut());
    cors.apply(response.headers_mut());
    InternalError::from_response("answered by the middleware", response).into()
}

fn refuse_early(app: &App, req: &ServiceRequest) -> Option<StatusCode> {
    // A URL in absolute form is refused below, so that this is all of it.
    if req.uri().path_and_query().is_some_and(|url| url.as_str().len() > MAX_URL) {
        return Some(StatusCode::URI_TOO_LONG);
    }
    let size: usize = req.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if size > MAX_HEADERS {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if matches!(*req.method(), Method::TRACE | Method::CONNECT) {
        return Some(StatusCode::METHOD_NOT_ALLOWED);
    }
    if req.headers().get_all(HOST).count() > 1 || req.uri().authority().is_some() {
        return Some(StatusCode::BAD_REQUEST);
    }
    // These modes show secrets to this machine: no page of elsewhere shall reach it by a name that it points here.
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
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn render_status(app: &App, form: Form, status: StatusCode, info: RequestInfo) -> HttpResponse {
    let mut response = render(app, form, &from_status(status), &info.id.to_string());
    *response.status_mut() = status;
    response
}

/// Gives errors of handlers and of the router their body.
fn finish_body(
    app: &App,
    form: Form,
    info: RequestInfo,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if let Some(fault) = response.response().error().and_then(|error| error.as_error::<Fault>()) {
        let mut rendered = render(app, form, fault, &info.id.to_string());
        keep_headers(response.headers(), rendered.headers_mut());
        return response.into_response(rendered);
    }
    let is_ours = response.headers().contains_key(actix_web::http::header::CONTENT_TYPE);
    let from_framework = response.response().error().is_some() || !is_ours;
    if (status.is_client_error() || status.is_server_error()) && from_framework {
        let mut rendered = render_status(app, form, status, info);
        keep_headers(response.headers(), rendered.headers_mut());
        return response.into_response(rendered);
    }
    response
}

/// What an answer tells beside its body is told with another body too.
fn keep_headers(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [&ALLOW, &LINK, &api::DEPRECATION, &api::SUNSET] {
        if let Some(value) = from.get(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

fn add_headers(app: &App, info: RequestInfo, headers: &mut HeaderMap) {
    let fixed = HeaderValue::from_static;
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
    if app.issuer().starts_with("https://") {
        headers.insert(STRICT_TRANSPORT_SECURITY, fixed("max-age=31536000; includeSubDomains"));
    }
}

/// A path as a metric's label: from a fixed set, whatever was sent.
fn label(path: &str) -> &'static str {
    super::routes::PATHS.iter().copied().find(|known| *known == path).unwrap_or(if path.starts_with("/static/") {
        "/static"
    } else {
        "other"
    })
}

fn observe(
    method: &Method,
    route: &'static str,
    response: &ServiceResponse<BoxBody>,
    info: RequestInfo,
    started: Instant,
) {
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    let class = match status {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::histogram!("latchway_http_request_seconds", "route" => route, "status" => class)
        .record(elapsed.as_secs_f64());
    tracing::debug!(
        request_id = %info.id,
        method = method.as_str(),
        route,
        status,
        address = %info.address,
        micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
        "request"
    );
}
