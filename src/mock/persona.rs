//! People who log in by a click, or by `login_hint` without one.

use std::net::IpAddr;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, Responder, web};

use super::answer;
use super::seen::Seen;
use super::settings::Settings;
use crate::app::{App, Persona, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::Scopes;
use crate::fault::{Fault, Problem};
use crate::flow::{self, After, Answer, Approval, Ending, Step};
use crate::identity::{self, CurrentSession, LoginProof, Unconfirmed};
use crate::oauth;
use crate::pages::forms;
use crate::protocol::endpoints;
use crate::request;
use crate::storage::{Refusal, clients, users};
use crate::support::Id;

/// `POST /mock/login`: one click on the login page. Fields: `persona`, and what the page's own form has.
pub async fn login(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let form = request::page_form(&req, &body)?;
    let info = request::info(&req)?;
    let (browser, id) = (forms::browser_cookie(&app, &req)?, form.get("transaction").unwrap_or_default());
    forms::check(&app, &req, info, &form, &browser, &flow::purpose("login", id)).await?;
    let Some(persona) = named(&app, form.get("persona").unwrap_or_default()) else {
        return Err(Fault::page(Problem::MalformedRequest, "there is no such persona"));
    };
    let (session, cookie) = begin(&app, &req, info, persona).await?;
    let answer = match Some(id).filter(|id| !id.is_empty()) {
        Some(text) => {
            let transaction = flow::load(&app, text, Some(&browser)).await?;
            let transaction = flow::begin_again(&app, transaction, &browser).await?;
            Answer::local(transaction.logged_in(&app, &browser, session.session.id)?.at(endpoints::LOGIN))
        }
        None => After::read(&app, &form).map_or_else(|| Answer::local(endpoints::ACCOUNT), |after| after.answer()),
    };
    Ok(answer.with_cookie(cookie))
}

/// The persona that a `login_hint` names: by user name or e-mail address.
fn hinted<'a>(app: &'a App, seen: &Seen) -> Option<&'a Persona> {
    if seen.path != endpoints::AUTHORIZE {
        return None;
    }
    let prompt = seen.parameter("prompt").unwrap_or_default();
    if prompt.split(' ').any(|word| word == "none" || word == "select_account") {
        return None;
    }
    named(app, seen.parameter("login_hint")?)
}

fn named<'a>(app: &'a App, name: &str) -> Option<&'a Persona> {
    app.personas.iter().find(|persona| {
        persona.username == name || name.split_once('@').is_some_and(|(local, _)| local == persona.username)
    })
}

/// Logs the hinted person in before the server looks, so that it finds them logged in. The cookie that the browser is to
/// be given, if that was needed.
pub async fn enter(app: &App, seen: &Seen, req: &mut ServiceRequest) -> Result<Option<String>, Fault> {
    let Some(persona) = hinted(app, seen) else { return Ok(None) };
    let present = request::session(req.request(), app).await?;
    let again = seen.parameter("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "login"));
    if !again && present.is_some_and(|session| session.user.id == persona.user_id) {
        return Ok(None);
    }
    let (_, cookie) = begin(app, req.request(), outside(app, req), persona).await?;
    let pair = cookie.split(';').next().unwrap_or_default();
    let kept: Vec<String> = cookies_without(req.headers(), app.cookies.session);
    let all = kept.into_iter().chain([pair.to_owned()]).collect::<Vec<_>>().join("; ");
    if let Ok(value) = HeaderValue::from_str(&all) {
        req.headers_mut().insert(COOKIE, value);
    }
    Ok(Some(cookie))
}

fn cookies_without(headers: &HeaderMap, name: &str) -> Vec<String> {
    let pairs = headers.get_all(COOKIE).filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs
        .map(str::trim)
        .filter(|pair| pair.split_once('=').is_none_or(|(key, _)| key != name))
        .map(str::to_owned)
        .collect()
}

/// Answers for the hinted person where the server would ask them: whom a test logs in by a hint has consented.
pub async fn leave(
    app: &App,
    settings: &Settings,
    seen: &Seen,
    cookie: Option<String>,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    if hinted(app, seen).is_none() {
        return response;
    }
    let (request, answer) = response.into_parts();
    let asks = |page: &str| {
        let location = answer.headers().get(LOCATION)?.to_str().ok()?;
        location.strip_prefix(page)?.strip_prefix("?transaction=").map(str::to_owned)
    };
    let wants_consent = seen.parameter("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "consent"));
    let waiting = asks(endpoints::CONSENT)
        .filter(|_| settings.consent_by_hint && !wants_consent)
        .or_else(|| asks(endpoints::LOGIN));
    let answered = match waiting {
        Some(id) => match decide(app, &request, answer.headers(), &id, cookie.as_deref()).await {
            Ok(Some(decided)) => decided.respond_to(&request).map_into_boxed_body(),
            Ok(None) => answer,
            Err(fault) => answer::refused(500, &format!("the hinted login could not be finished: {fault}")),
        },
        None => answer,
    };
    let mut answered = answered;
    if let Some(value) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        answered.headers_mut().append(SET_COOKIE, value);
    }
    ServiceResponse::new(request, answered)
}

/// What follows once the person is logged in and has consented; `None` if something else is missing.
async fn decide(
    app: &App,
    req: &HttpRequest,
    answer: &HeaderMap,
    transaction: &str,
    cookie: Option<&str>,
) -> Result<Option<Answer>, Fault> {
    let browser = set_cookie(answer, app.cookies.browser).or_else(|| request::cookie(req, app, app.cookies.browser));
    let transaction = flow::load_waiting(app, transaction, browser.as_deref()).await?;
    let handle = cookie.and_then(session_of).or_else(|| request::cookie(req, app, app.cookies.session));
    let Some(handle) = handle else { return Ok(None) };
    let Some(session) = identity::current(&app.db, &handle, app.now()).await? else { return Ok(None) };
    let id = transaction.request().client_id.clone();
    let Some(client) = app.db.read("mock.client", move |conn| clients::find(conn, &id)).await? else { return Ok(None) };
    let info = request::info(req)?;
    let scope: Scopes =
        match flow::decide(app, &client, transaction.request(), Some(&session), Some(session.session.id)).await? {
            Step::Answer(scope) => scope,
            Step::Consent => transaction.request().scopes(),
            Step::Login | Step::Refuse(_) => return Ok(None),
        };
    let browser = browser.unwrap_or_default();
    let ending = Ending { transaction: &transaction, browser: &browser, form: "hint", cookies: Vec::new() };
    let approval = Approval::given(scope, ending);
    flow::approve(app, info, &client, transaction.request(), &session, approval).await.map(Some)
}

fn set_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(SET_COOKIE).filter_map(|value| value.to_str().ok());
    values
        .filter_map(|text| text.split(';').next()?.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, v)| v.to_owned())
}

/// The handle in a `Set-Cookie` value.
fn session_of(cookie: &str) -> Option<String> {
    cookie.split(';').next()?.split_once('=').map(|(_, value)| value.to_owned())
}

/// Begins a session as a login with a password does.
async fn begin(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    persona: &Persona,
) -> Result<(CurrentSession, String), Fault> {
    let replaced = request::session(req, app).await?.map(|current| current.session);
    let (browser, user_id, writer) = (request::browser(req, info), persona.user_id, app.clone());
    let at = app.now();
    let user = app.db.read("mock.persona", move |conn| users::find(conn, user_id)).await?;
    let gone = || Fault::page(Problem::MalformedRequest, "the persona's account is disabled or was changed meanwhile");
    let proof = LoginProof::new(user.ok_or_else(gone)?, at);
    let handle = app
        .db
        .write("mock.login", move |tx| -> Result<_, Refusal<Fault>> {
            let means = (&writer.clock, &writer.rng);
            let proved = proof.confirm(tx).map_err(|error| match error {
                Unconfirmed::Changed => gone(),
                Unconfirmed::Storage(error) => error.into(),
            })?;
            let started = identity::start(tx, means, &writer.config.sessions, &proved, &browser, replaced.as_ref());
            let (_, handle) = started.map_err(Fault::from)?;
            let event = Event::success(EventKind::LoginSucceeded).subject(user_id).request(info.address, info.id);
            event.record(tx, &writer.clock).map_err(Fault::from)?;
            Ok(handle)
        })
        .await?;
    let value = handle.expose();
    let session = identity::current(&app.db, &value, app.now()).await?;
    let session = session.ok_or_else(|| Fault::page(Problem::Internal, "a session that is none"))?;
    Ok((session, app.cookies.set(app.cookies.session, &value)))
}

/// What the server's own middleware, which comes later, will know of a request.
fn outside(app: &App, req: &ServiceRequest) -> RequestInfo {
    let address = req.peer_addr().map_or(IpAddr::from([127, 0, 0, 1]), |address| address.ip());
    RequestInfo { id: Id::new(&app.clock, &app.rng), address, route: &oauth::AUTHORIZE }
}
