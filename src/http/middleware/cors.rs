//! Cross-origin requests (Fetch standard): public documents for everybody, the endpoints that browser apps call for the
//! origins of registered ones, pages for nobody. Never with credentials.

use std::collections::HashSet;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use url::Url;

use super::errors::EarlyAnswer;
use crate::app::App;
use crate::route::{Cors, Route};
use crate::storage::{StorageError, clients};

/// What registered browser apps may send: credentials, what protocols around them add, and what tracing adds by itself.
const HEADERS: &str = "authorization, content-type, mcp-protocol-version, x-requested-with, x-request-id, traceparent, \
                       tracestate, baggage, sentry-trace";
/// The longest list of asked headers that is given back, in bytes.
const MAX_ASKED: usize = 1024;

/// What this request may be told about sharing its answer.
pub struct Verdict {
    allow: Option<HeaderValue>,
    /// The origin of an app, of which it was not asked yet whether it is registered.
    asking: Option<HeaderValue>,
    vary: bool,
    route: &'static Route,
    headers: HeaderValue,
    preflight: bool,
}

/// Finds out whether the origin may read the answer, which may take the database: once the request is within its limits. `Err`
/// answers a preflight.
pub async fn check(app: &App, cors: &mut Verdict) -> Result<(), EarlyAnswer> {
    cors.resolve(app).await;
    if cors.preflight { Err(Box::new(cors.preflight())) } else { Ok(()) }
}

impl Verdict {
    /// What can be said without asking the database.
    pub fn of(req: &ServiceRequest, route: &'static Route) -> Self {
        let none = Self {
            allow: None,
            asking: None,
            vary: false,
            route,
            headers: HeaderValue::from_static(HEADERS),
            preflight: false,
        };
        let is_public = match route.cors {
            Cors::Deny => return none,
            Cors::Public => true,
            Cors::RegisteredOrigins => false,
        };
        let headers = req.headers();
        let preflight = req.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let origin = headers.get(ORIGIN).cloned();
        let (allow, asking) = match origin {
            Some(_) if is_public => (Some(HeaderValue::from_static("*")), None),
            origin => (None, origin),
        };
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_public && preflight);
        let headers = asked.filter(|asked| is_list_of_names(asked)).cloned();
        let headers = headers.unwrap_or(HeaderValue::from_static(HEADERS));
        Self { allow, asking, vary: !is_public, route, headers, preflight }
    }

    /// Asks whether the origin is a registered app's.
    async fn resolve(&mut self, app: &App) {
        if let Some(origin) = self.asking.take() {
            let known = origins(app).await;
            self.allow = known.filter(|known| is_registered(known, &origin)).map(|_| origin);
        }
    }

    /// The same from memory alone, for a request that is refused for being one too many: the app may still read why.
    pub async fn recall(&mut self, app: &App) {
        if let Some(origin) = self.asking.take() {
            let known = app.origins.get(&()).await;
            self.allow = known.filter(|known| is_registered(known, &origin)).map(|_| origin);
        }
    }

    fn preflight(&self) -> HttpResponse {
        let mut response = HttpResponse::NoContent();
        if self.allow.is_some() {
            response
                .insert_header((ACCESS_CONTROL_ALLOW_METHODS, self.route.methods()))
                .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone()))
                .insert_header((ACCESS_CONTROL_MAX_AGE, "600"));
        }
        response.finish()
    }

    pub fn apply(self, headers: &mut HeaderMap) {
        if self.vary {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Some(allow) = self.allow {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allow);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("www-authenticate, x-request-id"));
        }
    }
}

/// Whether these are names of headers (RFC 9110 §5.1), separated by commas. A document that is public to everybody may be asked
/// for with any of them: they change nothing of the answer.
fn is_list_of_names(list: &HeaderValue) -> bool {
    let is_name_or_separator = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~, ".contains(b);
    list.len() <= MAX_ASKED && list.as_bytes().iter().all(is_name_or_separator)
}

/// Whether an app that runs in the browser is registered at this origin. `null` never is.
fn is_registered(known: &HashSet<String>, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| known.contains(origin))
}

/// The origins of all active public clients. Of many requests that find the memory stale one asks the database.
async fn origins(app: &App) -> Option<Arc<HashSet<String>>> {
    let read = async {
        let uris = app.db.read("cors.redirect_uris", clients::public_redirect_uris).await?;
        let origins = uris.iter().filter_map(|uri| Url::parse(uri).ok()).map(|url| url.origin());
        let known: HashSet<String> =
            origins.filter(url::Origin::is_tuple).map(|origin| origin.ascii_serialization()).collect();
        Ok::<_, StorageError>(Arc::new(known))
    };
    app.origins.try_get_with((), read).await.ok()
}
