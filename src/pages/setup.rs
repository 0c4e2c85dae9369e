//! `/setup`: the first administrator, by a link that works once.

use actix_web::http::StatusCode;
use actix_web::http::header::SET_COOKIE;
use actix_web::{Either, HttpRequest, HttpResponse, web};
use secrecy::SecretString;

use super::view::{SetupErrors, SetupPage};
use super::{forms, render};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::defense::{Counted, Exceeded, Proof};
use crate::domain::{Role, USERNAME_RULE, User, normalize_email, normalize_username};
use crate::fault::{Fault, Problem};
use crate::flow::{self, Answer, OneForm};
use crate::identity::{self, About, LoginProof, Unconfirmed, acceptable, csrf};
use crate::protocol::{OAuthError, Params};
use crate::request;
use crate::storage::{Refusal, StorageError, links, settings, users};
use crate::support::{Handle, Id, Seconds};

/// What the links are for.
pub const PURPOSE: &str = "setup";
/// Set for ever once there was an administrator.
pub const COMPLETED: &str = "setup_completed";
/// How a form was answered is known for so long, in seconds.
const FORM_SECONDS: Seconds = 3_600;

/// `GET /setup?token=…`. Looking does not use the link up.
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let page = look(&app, &req, info).await;
    noted(&app, info, page).await
}

async fn look(app: &App, req: &HttpRequest, info: RequestInfo) -> Result<HttpResponse, Fault> {
    let query = request::page_query(req)?;
    let token = query.get("token").unwrap_or_default();
    check_link(app, info, token).await?;
    let present = request::cookie(req, app, app.cookies.browser);
    let (browser, is_fresh) = flow::browser_cookie(app, present.as_deref());
    let mut response = show(app, &browser, token, &Params::default(), SetupErrors::default())?;
    if is_fresh && let Ok(value) = app.cookies.set(app.cookies.browser, &browser).parse() {
        response.headers_mut().append(SET_COOKIE, value);
    }
    Ok(response)
}

/// `POST /setup`
pub async fn post(
    app: web::Data<App>,
    req: HttpRequest,
    body: web::Bytes,
) -> Result<Either<HttpResponse, Answer>, Fault> {
    let info = request::info(&req)?;
    let done = set_up(&app, &req, info, &body).await;
    noted(&app, info, done).await
}

/// A link that does not work may be somebody who guesses.
async fn noted<T>(app: &App, info: RequestInfo, outcome: Result<T, Fault>) -> Result<T, Fault> {
    if let Err(Fault::Page(Problem::LinkUsed, _)) = outcome {
        let event = Event::failure(EventKind::SetupRefused).reason("dead_link").request(info.address, info.id);
        event.record_alone(&app.trail).await;
    }
    outcome
}

async fn set_up(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    body: &[u8],
) -> Result<Either<HttpResponse, Answer>, Fault> {
    let form = request::page_form(req, body)?;
    let browser = forms::browser_cookie(app, req)?;
    let token = form.get("token").unwrap_or_default();
    forms::check(app, req, info, &form, &browser, &flow::purpose("setup", token)).await?;
    // The browser that lost the answer to this form gets it again.
    let name = form_name(&form);
    if let Ok(link) = Handle::parse(token)
        && let Some(answer) = one_form(&link, &name, &browser, app.now()).recall(app).await?
    {
        return Ok(Either::Right(answer));
    }
    let handle = check_link(app, info, token).await?;
    if form.get("password").unwrap_or_default().len() > identity::MAX_PASSWORD_BYTES {
        return Err(Fault::page(Problem::MalformedRequest, "the password is too long"));
    }
    let (username, email, errors) = read(app, &form);
    let (Some(username), Some(email), false) = (username, email, errors.any()) else {
        let mut response = show(app, &browser, token, &form, errors)?;
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Ok(Either::Left(response));
    };
    let password = SecretString::from(form.get("password").unwrap_or_default());
    let hash = app.passwords.hash(password).await.map_err(|e| OAuthError::unavailable(e.to_string()))?;
    let user = new_user(app, username, email, hash);
    let link = handle.clone();
    match create(app, req, info, user, (handle, &name, &browser)).await {
        // The same form was faster, on another connection.
        Err(Fault::Page(Problem::LinkUsed, why)) => {
            let first = one_form(&link, &name, &browser, app.now()).recall(app).await?;
            first.map(Either::Right).ok_or(Fault::Page(Problem::LinkUsed, why))
        }
        made => made.map(Either::Right),
    }
}

async fn check_link(app: &App, info: RequestInfo, token: &str) -> Result<Handle, Fault> {
    let too_many = |e: Exceeded| Fault::Page(Problem::TooMany { retry_after: e.retry_after }, None);
    let now = app.now();
    // The right link is 256 bits that nobody guesses: it counts for nothing, and others' failures are none of its business.
    if let Ok(handle) = Handle::parse(token) {
        let wanted = handle.clone();
        let valid = app
            .db
            .read("setup.link", move |conn| {
                Ok(settings::get(conn, COMPLETED)?.is_none() && links::is_valid(conn, &wanted, PURPOSE, now)?)
            })
            .await?;
        if valid {
            return Ok(handle);
        }
    }
    app.limiter.may_prove(Proof::Link, info.address, now).map_err(too_many)?;
    match app.limiter.failed(&app.db, Proof::Link, info.address, now, |_| Ok(())).await? {
        Counted::Within => Err(Fault::page(Problem::LinkUsed, "the set-up link is used, expired or unknown")),
        Counted::Beyond(exceeded) => Err(too_many(exceeded)),
    }
}

fn read(app: &App, form: &Params) -> (Option<String>, Option<String>, SetupErrors) {
    let field = |name: &str| form.get(name).unwrap_or_default();
    let mut errors = SetupErrors::default();
    let username = normalize_username(field("username"));
    if username.is_none() {
        errors.username = Some(format!("Choose another user name: {USERNAME_RULE}."));
    }
    let email = normalize_email(field("email"));
    if email.is_none() {
        errors.email = Some("Enter an e-mail address, such as you@example.com.".to_owned());
    }
    let password = field("password");
    let about = About {
        username: field("username"),
        email: Some(field("email")),
        service: &app.config.server.name,
        ..About::default()
    };
    if let Err(why) = acceptable(password, &about, app.config.passwords.min_length) {
        errors.password = Some(why);
    } else if password != field("password_again") {
        errors.password_again = Some("The two passwords are not the same.".to_owned());
    }
    (username, email, errors)
}

fn new_user(app: &App, username: String, email: String, hash: String) -> User {
    let now = app.now();
    User {
        email: Some(email),
        role: Role::Admin,
        password_hash: Some(hash),
        ..User::new(Id::new(&app.clock, &app.rng), username, now)
    }
}

/// The form of a link as it comes from one browser.
fn one_form<'a>(link: &Handle, name: &'a str, browser: &'a str, now: Seconds) -> OneForm<'a> {
    OneForm { id: link.id(), name, cookie: browser, subject: link.id(), until: now + FORM_SECONDS }
}

/// Another account is another form.
fn form_name(form: &Params) -> String {
    let field = |name: &str| form.get(name).unwrap_or_default();
    format!("setup {} {}", field("username"), field("email"))
}

async fn create(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    user: User,
    (link, name, cookie): (Handle, &str, &str),
) -> Result<Answer, Fault> {
    let browser = request::browser(req, info);
    let device = request::device_cookie(app, request::device(req, app), user.id);
    let (writer, now, name, cookie) = (app.clone(), app.now(), name.to_owned(), cookie.to_owned());
    app.db
        .write("setup.create", move |tx| -> Result<_, Refusal<Fault>> {
            let app = &writer;
            let dead = || Fault::page(Problem::LinkUsed, "somebody else used it a moment ago");
            if !links::consume(tx, link.id(), now).map_err(Fault::from)?
                || !settings::set_once(tx, COMPLETED, &user.id.to_string()).map_err(Fault::from)?
            {
                return Err(dead().into());
            }
            match users::insert(tx, &user) {
                Err(StorageError::Conflict(_)) => {
                    return Err(
                        Fault::page(Problem::MalformedRequest, "the user name or e-mail address is taken").into()
                    );
                }
                other => other.map_err(Fault::from)?,
            }
            links::expire_all(tx, PURPOSE, now).map_err(Fault::from)?;
            let proved = LoginProof::new(user.clone(), now).confirm(tx).map_err(|error| match error {
                Unconfirmed::Changed => Fault::page(Problem::Internal, "the new account is not there"),
                Unconfirmed::Storage(error) => error.into(),
            })?;
            let means = (&app.clock, &app.rng);
            let started = identity::start(tx, means, &app.config.sessions, &proved, &browser, None);
            let (_, handle) = started.map_err(Fault::from)?;
            let event = Event::success(EventKind::SetupCompleted).subject(user.id).request(info.address, info.id);
            event.record(tx, &app.clock).map_err(Fault::from)?;
            let session = app.cookies.set(app.cookies.session, &handle.expose());
            let cookies = [session].into_iter().chain(device.clone()).collect();
            let answer = Answer::local("/account?done=welcome").with_cookies(cookies);
            one_form(&link, &name, &cookie, now).seal(app, None, &answer)?.take(tx, now).map_err(Fault::from)?;
            Ok(answer)
        })
        .await
}

fn show(app: &App, browser: &str, token: &str, form: &Params, errors: SetupErrors) -> Result<HttpResponse, Fault> {
    let typed = |name: &str| form.get(name).unwrap_or_default().chars().take(320).collect();
    let page = SetupPage {
        layout: render::layout(app, None),
        csrf: csrf::token(browser, &flow::purpose("setup", token)),
        token: token.to_owned(),
        username: typed("username"),
        email: typed("email"),
        password_min: app.config.passwords.min_length,
        errors,
    };
    render::page(&page, StatusCode::OK, None)
}
