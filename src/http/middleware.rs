//! What every request goes through and every answer carries: an id, the caller's address, a deadline, headers, a line in
//! the log and a number in the metrics.

use std::sync::LazyLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderMap, HeaderName, HeaderValue, LINK, PRAGMA,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use metrics::{Counter, counter, histogram};

use super::error::{from_status, render};
use super::request_log::{Line, Refused};
use super::unread::Kept;
use super::{address, body, cors, rate_limit, routes};
use crate::api;
use crate::app::{App, Mode, RequestInfo};
use crate::defense::{Left, Passage, Slot};
use crate::fault::{Fault, Problem};
use crate::pages::policy;
use crate::protocol::OAuthError;
use crate::request::{self, Caller, Noted};
use crate::route::{Cors, HostPolicy, Needs, Route};
use crate::support::Id;

/// Longer URLs are refused, in bytes.
const MAX_URL: usize = 16 * 1024;
/// Larger header blocks are refused, in bytes.
const MAX_HEADERS: usize = 32 * 1024;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
static PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
/// What no page of ours ever asks a browser for. A feature that a browser does not know would be a warning in its console.
const NO_FEATURES: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
                           magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

/// The one middleware. Whatever is answered, and by whom, leaves through [`Exchange::finish`].
pub async fn serve(
    app: web::Data<App>,
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let info = RequestInfo {
        id: Id::new(&app.clock, &app.rng),
        address: address::client_address(&req, &app.config.server.trusted_proxies),
        // By the path that the router compares: `/oauth2/%74oken` is `/oauth2/token` here as well.
        route: routes::index(app.mode).resolve(req.match_info().as_str()),
    };
    req.extensions_mut().insert(info);
    let mut exchange = Exchange {
        started,
        info,
        method: req.method().clone(),
        cors: cors::Verdict::of(&req, info.route),
        unread: Kept::of(&mut req),
        left: None,
    };
    if exchange.method == Method::HEAD {
        // RFC 9110 §9.3.2: answered as GET is; the connection leaves the body out, as it knows the method that was sent.
        req.head_mut().method = Method::GET;
    }
    let (answer, noted) = request::with_notes(async {
        match enter(&app, &mut req, info, &mut exchange.cors, &mut exchange.left).await {
            Err(response) => Ok(req.into_response(response)),
            // Held until the answer is there: what is counted is work.
            Ok(_slot) => serve_in_time(&app, req, next, info).await,
        }
    })
    .await;
    match answer {
        Ok(response) => {
            let (request, response) = response.into_parts();
            Ok(ServiceResponse::new(request, exchange.finish(&app, response, noted)))
        }
        // The request is gone: the router wants it to itself, so no copy was kept.
        Err(response) => {
            let response = exchange.finish(&app, response, noted);
            Err(InternalError::from_response("answered by the middleware", response).into())
        }
    }
}

/// What is known of a request when its answer leaves.
struct Exchange {
    started: Instant,
    info: RequestInfo,
    method: Method,
    cors: cors::Verdict,
    unread: Option<Kept>,
    /// What is left of the narrowest limit.
    left: Option<Left>,
}

impl Exchange {
    /// The one way out: every answer gets its headers, is counted and is logged.
    fn finish(self, app: &App, mut response: HttpResponse, noted: Noted) -> HttpResponse {
        if let Some(unread) = self.unread {
            response = unread.leave_with(response);
        }
        add_headers(app, self.info, response.headers_mut());
        rate_limit::left(self.left.as_ref(), response.headers_mut());
        self.cors.apply(response.headers_mut());
        if app.readiness.draining.load(Ordering::Relaxed) {
            // RFC 9112 §9.6: a proxy sends nothing more on this connection, instead of meeting its end with a request.
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        let elapsed = self.started.elapsed();
        let status = response.status().as_u16();
        let (class, responses) = class(status);
        responses.increment(1);
        histogram!("latchway_http_request_seconds", "route" => self.info.route.label, "status" => class)
            .record(elapsed.as_secs_f64());
        let redirected = |error: OAuthError| Refused { code: error.code, reason: Some(error.wire_description()) };
        let refused = response.extensions_mut().remove::<Refused>().or_else(|| noted.refusal.map(redirected));
        let client_id = noted.client.as_ref().map(Caller::client_id);
        Line { info: self.info, method: &self.method, status, elapsed, client_id }.write(refused.as_ref());
        response
    }
}

/// What a request goes through before a handler sees it: what can be said without work comes first, then the limits, then
/// its body, and at last the place among those that are worked on. `Err` is the answer.
async fn enter<'a>(
    app: &'a App,
    req: &mut ServiceRequest,
    info: RequestInfo,
    cors: &mut cors::Verdict,
    left: &mut Option<Left>,
) -> Result<Slot<'a>, HttpResponse> {
    if let Some(status) = refuse_early(app, req) {
        return Err(render_status(app, info, status));
    }
    match app.limiter.request(info.route, req.match_info().as_str(), info.address, app.now()) {
        Passage::Open(narrowest) => *left = narrowest,
        Passage::Closed(exceeded) => {
            counter!("latchway_requests_limited_total", "route" => info.route.label).increment(1);
            cors.recall(app).await;
            let fault = Fault::Page(Problem::TooMany { retry_after: exceeded.retry_after }, None);
            let mut response = render(app, info.route.errors, &fault, &info.id.to_string());
            rate_limit::refused(&exceeded, response.headers_mut());
            return Err(response);
        }
    }
    cors.resolve(app).await;
    if cors.is_preflight() {
        return Err(cors.preflight());
    }
    if let Some(why) = knows_nothing(app, info.route.needs) {
        return Err(render(app, info.route.errors, &Fault::from(OAuthError::unavailable(why)), &info.id.to_string()));
    }
    if let Err(status) = body::read(app, req, info).await {
        let mut response = render_status(app, info, status);
        // What was not read of the body is not taken for the next request.
        response.head_mut().set_connection_type(ConnectionType::Close);
        return Err(response);
    }
    app.admission.enter(info.route.priority).ok_or_else(|| {
        counter!("latchway_requests_shed_total").increment(1);
        render_status(app, info, StatusCode::SERVICE_UNAVAILABLE)
    })
}

/// What the handler answers, if it does so before the deadline. `Err` is an answer too, for which the request is gone.
async fn serve_in_time(
    app: &App,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    info: RequestInfo,
) -> Result<ServiceResponse<BoxBody>, HttpResponse> {
    let limit = Duration::from_secs(app.config.server.request_timeout_seconds);
    match tokio::time::timeout(limit, next.call(req)).await {
        Ok(Ok(response)) => Ok(finish_body(app, info, response.map_into_boxed_body())),
        Ok(Err(error)) => {
            let other = from_status(error.as_response_error().status_code());
            Err(render(app, info.route.errors, error.as_error::<Fault>().unwrap_or(&other), &info.id.to_string()))
        }
        Err(_) => Err(render(app, info.route.errors, &Fault::Page(Problem::Timeout, None), &info.id.to_string())),
    }
}

/// Why what a path tells cannot be known here now, if it depends on the time or on the keys. What needs neither is
/// answered, and what only verifies is where merely a key for signing is missing.
fn knows_nothing(app: &App, needs: Needs) -> Option<&'static str> {
    match needs {
        Needs::Nothing => None,
        Needs::PublicKeys => app.time_ignorance(),
        Needs::Everything => app.ignorance(),
    }
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
    name.eq_ignore_ascii_case("localhost")
        // RFC 6761 §6.3: names below localhost are of this machine, too.
        || name.to_ascii_lowercase().ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn render_status(app: &App, info: RequestInfo, status: StatusCode) -> HttpResponse {
    let mut response = render(app, info.route.errors, &from_status(status), &info.id.to_string());
    *response.status_mut() = status;
    response
}

/// Gives errors of handlers and of the router their body.
fn finish_body(app: &App, info: RequestInfo, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if let Some(fault) = response.response().error().and_then(|error| error.as_error::<Fault>()) {
        let mut rendered = render(app, info.route.errors, fault, &info.id.to_string());
        keep_headers(info.route, response.headers(), &mut rendered);
        return response.into_response(rendered);
    }
    let is_ours = response.headers().contains_key(actix_web::http::header::CONTENT_TYPE);
    let from_framework = response.response().error().is_some() || !is_ours;
    if (status.is_client_error() || status.is_server_error()) && from_framework {
        let mut rendered = render_status(app, info, status);
        keep_headers(info.route, response.headers(), &mut rendered);
        return response.into_response(rendered);
    }
    response
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
    headers.insert(PERMISSIONS.clone(), fixed(NO_FEATURES));
    if info.route.host == HostPolicy::AppHosts {
        return;
    }
    let is_shared = info.route.cors != Cors::Deny;
    headers.insert(RESOURCE_POLICY.clone(), fixed(if is_shared { "cross-origin" } else { "same-origin" }));
    if app.issuer().starts_with("https://") {
        let below = app.config.server.hsts_include_subdomains;
        let value = if below { "max-age=31536000; includeSubDomains" } else { "max-age=31536000" };
        headers.insert(STRICT_TRANSPORT_SECURITY, fixed(value));
    }
}

/// The class of a status: its name, and the counter of its answers, which is looked up once.
fn class(status: u16) -> (&'static str, &'static Counter) {
    static RESPONSES: LazyLock<[(&str, Counter); 4]> = LazyLock::new(|| {
        let of = |class| (class, counter!("latchway_http_responses_total", "status" => class));
        [of("2xx"), of("3xx"), of("4xx"), of("5xx")]
    });
    let (class, responses) = &RESPONSES[usize::from(status / 100).clamp(2, 5) - 2];
    (class, responses)
}
