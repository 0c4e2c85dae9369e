//! Reading requests: what every handler does first.

use std::cell::RefCell;
use std::sync::Arc;

use actix_web::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderMap, HeaderValue, USER_AGENT,
};
use actix_web::{HttpMessage, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::{App, RequestInfo};
use crate::audit::Event;
use crate::defense::Exceeded;
use crate::domain::Client;
use crate::fault::{Fault, Problem};
use crate::identity::{Browser, CurrentSession, Device, account_tag, current};
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::support::{Id, Seconds};

tokio::task_local! {
    static NOTED: RefCell<Noted>;
}

/// What the log tells of a request beside its answer.
#[derive(Default)]
pub struct Noted {
    pub client: Option<Caller>,
    /// Why it was refused, where the answer itself goes to the client by a redirect.
    pub refusal: Option<OAuthError>,
}

/// The client that a request is of, for the log.
pub enum Caller {
    /// It proved itself, or is a public one.
    Known(Arc<Client>),
    /// It could not.
    Claimed(String),
}

impl Caller {
    pub fn client_id(&self) -> &str {
        match self {
            Self::Known(client) => &client.client_id,
            Self::Claimed(client_id) => client_id,
        }
    }
}

/// Serves a request, and tells with its answer what was noted meanwhile, by [`note_client`] and [`note_refusal`].
pub async fn with_notes<T>(serve: impl Future<Output = T>) -> (T, Noted) {
    let noted = async {
        let answer = serve.await;
        (answer, NOTED.with(RefCell::take))
    };
    NOTED.scope(RefCell::default(), noted).await
}

/// Notes which client the request is of.
pub fn note_client(client: Caller) {
    // Outside of a request there is nothing to note it for.
    let _ = NOTED.try_with(|noted| noted.borrow_mut().client = Some(client));
}

/// Notes why a request is refused whose answer a browser carries to the client (RFC 6749 §4.1.2.1).
pub fn note_refusal(client_id: &str, error: &OAuthError) {
    note_client(Caller::Claimed(client_id.to_owned()));
    let _ = NOTED.try_with(|noted| noted.borrow_mut().refusal = Some(error.clone()));
}

/// What the device cookie is sealed for.
const DEVICE: &str = "known device";

/// What the middleware found out about a request.
pub fn info(req: &HttpRequest) -> Result<RequestInfo, Fault> {
    req.extensions()
        .get::<RequestInfo>()
        .copied()
        .ok_or_else(|| Fault::OAuth(OAuthError::server_error("a request without request information")))
}

/// Somebody has done something too often.
pub fn too_many(exceeded: Exceeded) -> OAuthError {
    OAuthError { limit: exceeded.policy, ..OAuthError::slow_down(exceeded.retry_after) }
}

/// The parameters of a URL's query.
pub fn query(req: &HttpRequest) -> Result<Params, OAuthError> {
    Params::parse(req.query_string().as_bytes()).map_err(|e| OAuthError::invalid_request(e.to_string()))
}

/// The parameters of a form, which must come as one (RFC 6749 §3.2).
pub fn form(headers: &HeaderMap, body: &[u8]) -> Result<Params, OAuthError> {
    if !is_media_type(headers, "application/x-www-form-urlencoded") {
        let error = "Content-Type must be application/x-www-form-urlencoded, in UTF-8";
        return Err(OAuthError::new(ErrorCode::UnsupportedMediaType, error));
    }
    Params::parse(body).map_err(|e| OAuthError::invalid_request(e.to_string()))
}

/// Whether a body says that it is of this type, in UTF-8 and as it is.
pub fn is_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
    let (Some(kind), None) = (types.next(), types.next()) else { return false };
    let mut parts = kind.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let utf8 = parts.filter_map(|part| part.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    // RFC 9110 §8.4: what is compressed is not unpacked here, whatever a few bytes would grow to.
    let encoded = headers.contains_key(CONTENT_ENCODING);
    essence.eq_ignore_ascii_case(wanted) && utf8 && !encoded
}

/// Whether an answer may be compressed with gzip (RFC 9110 §12.5.3).
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut accepted = None;
    for item in
        headers.get_all(ACCEPT_ENCODING).filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','))
    {
        let mut parts = item.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let refused =
            parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0)));
        match coding.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return !refused,
            "*" => accepted = Some(!refused),
            _ => {}
        }
    }
    accepted.unwrap_or(false)
}

/// Parameters of an endpoint that takes them in the body alone.
pub fn body_only(req: &HttpRequest, body: &[u8]) -> Result<Params, OAuthError> {
    if !req.query_string().is_empty() {
        // RFC 6749 §2.3.1, §3.2: nothing of this belongs into a URL, which logs and histories keep.
        return Err(OAuthError::invalid_request("parameters must be in the request body, not in the URL"));
    }
    form(req.headers(), body)
}

/// The parameters of a page's form.
pub fn page_form(req: &HttpRequest, body: &[u8]) -> Result<Params, Fault> {
    form(req.headers(), body).map_err(|e| Fault::page(Problem::MalformedRequest, e.description.into_owned()))
}

/// The parameters of a page's URL.
pub fn page_query(req: &HttpRequest) -> Result<Params, Fault> {
    query(req).map_err(|e| Fault::page(Problem::MalformedRequest, e.description.into_owned()))
}

/// A cookie of ours; `None` if it is absent or came twice.
pub fn cookie(req: &HttpRequest, app: &App, name: &str) -> Option<String> {
    let headers = req.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
    app.cookies.read(headers, name).map(str::to_owned)
}

/// The browser that sent this, if it is one in which somebody has logged in before.
pub fn device(req: &HttpRequest, app: &App) -> Option<Device> {
    marked_device(app, &cookie(req, app, app.cookies.device)?)
}

/// The device of a mark that an app kept. One that is not ours or was cut is as good as none.
pub fn marked_device(app: &App, mark: &str) -> Option<Device> {
    let sealed = URL_SAFE_NO_PAD.decode(mark).ok()?;
    Device::from_bytes(&app.keys.sealer().open(DEVICE, &sealed)?)
}

/// What a device is known by from now on as one in which this person has logged in.
pub fn device_mark(app: &App, device: Option<Device>, user_id: Id) -> Option<String> {
    let (now, seconds) = (app.now(), device_seconds(app)?);
    let device = device.unwrap_or_else(|| Device::new(&app.rng)).with(user_id, now + seconds, now);
    Some(URL_SAFE_NO_PAD.encode(app.keys.sealer().seal(&app.rng, DEVICE, &device.to_bytes())?))
}

/// The cookie by which a browser is known from now on as one in which this person has logged in.
pub fn device_cookie(app: &App, device: Option<Device>, user_id: Id) -> Option<String> {
    cookie_of_mark(app, &device_mark(app, device, user_id)?)
}

/// The cookie that carries a mark.
pub fn cookie_of_mark(app: &App, mark: &str) -> Option<String> {
    Some(app.cookies.keep(app.cookies.device, mark, device_seconds(app)?))
}

fn device_seconds(app: &App) -> Option<Seconds> {
    const DAY: Seconds = 86_400;
    Some(Seconds::from(app.config.limits.known_device_days) * DAY).filter(|seconds| *seconds > 0)
}

/// Who is logged in, in the browser that sent this.
pub async fn session(req: &HttpRequest, app: &App) -> Result<Option<CurrentSession>, Fault> {
    match cookie(req, app, app.cookies.session) {
        Some(value) => Ok(current(&app.db, &value, app.now()).await?),
        None => Ok(None),
    }
}

/// What is noted of a browser with its session.
pub fn browser(req: &HttpRequest, info: RequestInfo) -> Browser {
    let agent = req.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Browser { user_agent: agent.to_owned(), address: info.address.to_string() }
}

/// Whether a browser says that another site made it send this form. Our pages have the referrer policy `no-referrer`,
/// under which browsers send `Origin: null` with our own forms too, and tell by `Sec-Fetch-Site` that they are ours.
/// Old browsers say neither, and are judged by the form's token alone.
pub fn is_cross_site(req: &HttpRequest, app: &App) -> bool {
    let header = |name: &str| req.headers().get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
    let site = header("sec-fetch-site");
    if site.as_deref().is_some_and(|site| site != "same-origin" && site != "none") {
        return true;
    }
    header("origin").is_some_and(|origin| origin != "null" && !app.is_own_origin(&origin))
}

/// Notes now and then that a session is in use, so that it lasts while it is, up to its absolute end.
pub async fn touch(app: &App, current: &CurrentSession) -> Result<(), Fault> {
    const PAUSE: Seconds = 60;
    let (session, now) = (&current.session, app.now());
    if now - session.last_seen_at < PAUSE {
        return Ok(());
    }
    let sessions = &app.config.sessions;
    let (id, expires_at) =
        (session.id, (now + sessions.idle_seconds).min(session.created_at + sessions.absolute_seconds));
    app.db
        .write("session.touch", move |tx| -> Result<_, crate::storage::Refusal<Fault>> {
            Ok(crate::storage::sessions::touch(tx, id, now, expires_at).map_err(Fault::from)?)
        })
        .await
}

/// Whose password was tried, as far as the trail may tell.
pub fn of_account(event: Event, known: Option<Id>, username: &str) -> Event {
    match known {
        Some(id) => event.subject(id),
        None => event.detail(serde_json::json!({"account": account_tag(username)})),
    }
}
