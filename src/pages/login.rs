//! `/login`: to an app, or to one's own account.

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, SET_COOKIE};
use actix_web::{Either, HttpRequest, HttpResponse, web};
use secrecy::SecretString;

use super::view::{LoginMode, LoginPage, LoginProblem, Name, PersonaView};
use super::{forms, render};
use crate::app::{App, Persona, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, ClientStatus};
use crate::fault::{Fault, Problem};
use crate::flow::{self, After, Answer, Approval, Ending, Step, Transaction, TransactionStage};
use crate::identity::{self, CurrentSession, Limit, LoginProof, LoginRefusal, Origin, Unconfirmed, csrf};
use crate::protocol::{OAuthError, endpoints};
use crate::request;
use crate::storage::{Refusal, clients};
use crate::support::{Id, network};

type Response = Either<HttpResponse, Answer>;

/// `GET /login`
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<Response, Fault> {
    let info = request::info(&req)?;
    let query = request::page_query(&req)?;
    let session = request::session(&req, &app).await?;
    let present = request::cookie(&req, &app, app.cookies.browser);
    let switching = query.get("switch").is_some();
    let Some(id) = query.get("transaction") else {
        let after = After::read(&app, &query);
        let mode = match (session.filter(|_| !switching), &after) {
            (Some(session), Some(after)) if !after.accepts(session.session.auth_time, app.now()) => {
                LoginMode::Again { username: session.user.username }
            }
            (Some(_), after) => return Ok(Either::Right(go_on(after.as_ref()))),
            (None, _) => LoginMode::Anyone { username: String::new() },
        };
        let (browser, is_fresh) = flow::browser_cookie(&app, present.as_deref());
        let mut response = show(&app, info, &browser, Purpose::Own(after), mode, None).await?;
        if is_fresh {
            append_cookie(&mut response, &app.cookies.set(app.cookies.browser, &browser));
        }
        return Ok(Either::Left(response));
    };
    let transaction = flow::load(&app, id, present.as_deref()).await?;
    let browser = present.unwrap_or_default();
    if let Some(session) = &session
        && !switching
    {
        client_of(&app, info, &transaction).await?;
        let ending = Ending { transaction: &transaction, browser: &browser, form: GOING_ON, cookies: Vec::new() };
        if let Some(repeated) = repeated(&app, &ending, session.user.id).await? {
            return Ok(Either::Right(repeated));
        }
        let needed = flow::login_needed(transaction.request(), session, transaction.session_id(), app.now());
        if !needed {
            return proceed(&app, info, session, ending).await.map(Either::Right);
        }
    }
    if transaction.stage != TransactionStage::Waiting {
        return Err(flow::dead_end(&app, &transaction).await);
    }
    let mode = match session.filter(|_| !switching) {
        Some(session) => LoginMode::Again { username: session.user.username },
        None => LoginMode::Anyone { username: transaction.request().login_hint.clone().unwrap_or_default() },
    };
    Ok(Either::Left(show(&app, info, &browser, Purpose::App(&transaction), mode, None).await?))
}

/// `POST /login`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let info = request::info(&req)?;
    let form = request::page_form(&req, &body)?;
    let browser = forms::browser_cookie(&app, &req)?;
    let id = form.get("transaction").unwrap_or_default();
    forms::check(&app, &req, info, &form, &browser, &flow::purpose("login", id)).await?;
    let transaction = match id {
        "" => None,
        text => {
            let transaction = flow::load(&app, text, Some(&browser)).await?;
            client_of(&app, info, &transaction).await?;
            Some(flow::begin_again(&app, transaction, &browser).await?)
        }
    };
    if form.is_repeated("username") || form.is_repeated("password") {
        return Err(Fault::page(Problem::MalformedRequest, "a field is given more than once"));
    }
    let username = form.get("username").unwrap_or_default();
    let password = SecretString::from(form.get("password").unwrap_or_default());
    let (address, device, now) = (network(info.address).to_string(), request::device(&req, &app), app.now());
    let origin = Origin { address: &address, device: device.as_ref() };
    let outcome =
        identity::log_in(&app.db, &app.passwords, &app.config.limits, (username, password), origin, now).await;
    let begun = match outcome {
        Ok(proof) => {
            if let Some(transaction) = &transaction {
                let ending = Ending { transaction, browser: &browser, form: LOGIN, cookies: Vec::new() };
                if let Some(repeated) = repeated(&app, &ending, proof.user_id()).await? {
                    return Ok(Either::Right(repeated));
                }
            }
            begin_session(&app, &req, info, &proof).await?
        }
        Err(refusal) => Err(refusal),
    };
    let (session, cookie) = match begun {
        Ok(begun) => begun,
        Err(refusal) => {
            let purpose = transaction.as_ref().map_or_else(|| Purpose::Own(After::read(&app, &form)), Purpose::App);
            let response = refuse(&app, info, &browser, purpose, username, refusal).await?;
            return Ok(Either::Left(response));
        }
    };
    let known = request::device_cookie(&app, device, session.user.id);
    let cookies: Vec<String> = [cookie].into_iter().chain(known).collect();
    let answer = match transaction {
        Some(transaction) => {
            let transaction = transaction.logged_in(&app, &browser, session.session.id)?;
            let ending = Ending { transaction: &transaction, browser: &browser, form: LOGIN, cookies };
            proceed(&app, info, &session, ending).await?
        }
        None => go_on(After::read(&app, &form).as_ref()).with_cookies(cookies),
    };
    Ok(Either::Right(answer))
}

/// What ended a transaction: a login as its last step, or a page on which nobody was asked for anything.
const LOGIN: &str = "login";
pub const GOING_ON: &str = "going on";

/// Where the same form led that came first, of a transaction that was answered; the page that leads back to the app if this is
/// another form, or comes too late.
pub async fn repeated(app: &App, ending: &Ending<'_>, subject: Id) -> Result<Option<Answer>, Fault> {
    match ending.transaction.stage {
        TransactionStage::Waiting => Ok(None),
        TransactionStage::Answered => ending.recall(app, subject).await.map(Some),
        TransactionStage::Expired => Err(flow::dead_end(app, ending.transaction).await),
    }
}

/// What a login is for.
#[derive(Clone)]
enum Purpose<'a> {
    App(&'a Transaction),
    /// What one does here oneself.
    Own(Option<After>),
}

fn go_on(after: Option<&After>) -> Answer {
    after.map_or_else(|| Answer::local(endpoints::ACCOUNT), After::answer)
}

/// `POST /login/switch`: "not you?" on the consent page and where a person confirms who they are. The session goes on
/// until somebody else has logged in.
pub async fn switch(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let form = request::page_form(&req, &body)?;
    let browser = forms::browser_cookie(&app, &req)?;
    let id = form.get("transaction").unwrap_or_default();
    // Each page's forms share one token: that of the consent page is the session's, that of the login page the browser's.
    let login = flow::purpose("login", id);
    if csrf::is_valid(form.get("csrf"), &browser, &login) {
        forms::check(&app, &req, info, &form, &browser, &login).await?;
    } else {
        let cookie = request::cookie(&req, &app, app.cookies.session).unwrap_or_default();
        forms::check(&app, &req, info, &form, &cookie, &flow::purpose("consent", id)).await?;
    }
    if id.is_empty() {
        let login =
            After::read(&app, &form).map_or_else(|| "/login?".to_owned(), |after| format!("{}&", after.login()));
        return Ok(Answer::local(format!("{login}switch=1")));
    }
    let transaction = flow::load_waiting(&app, id, Some(&browser)).await?;
    Ok(Answer::local(format!("{}&switch=1", transaction.at(endpoints::LOGIN))))
}

/// What a transaction waits for after a login.
pub async fn proceed(
    app: &App,
    info: RequestInfo,
    session: &CurrentSession,
    ending: Ending<'_>,
) -> Result<Answer, Fault> {
    let transaction = ending.transaction;
    let client = client_of(app, info, transaction).await?;
    match flow::decide(app, &client, transaction.request(), Some(session), transaction.session_id()).await? {
        Step::Login => Ok(Answer::local(transaction.at(endpoints::LOGIN)).with_cookies(ending.cookies)),
        Step::Consent => Ok(Answer::local(transaction.at(endpoints::CONSENT)).with_cookies(ending.cookies)),
        Step::Refuse(error) => {
            request::note_refusal(&client.client_id, &error);
            Event::failure(EventKind::AuthzRefused)
                .reason(error.code.as_str())
                .detail(serde_json::json!({"description": error.wire_description()}))
                .client(&client.client_id)
                .subject(session.user.id)
                .request(info.address, info.id)
                .record_alone(&app.trail)
                .await;
            Ok(flow::refuse(&transaction.request().target, &error, app.issuer()).with_cookies(ending.cookies))
        }
        Step::Answer(scope) => {
            let approval = Approval::remembered(scope, Some(ending));
            flow::approve(app, info, &client, transaction.request(), session, approval).await
        }
    }
}

/// The client of a transaction, as long as it is one and has the address that the request wants its answer at.
pub async fn client_of(app: &App, info: RequestInfo, transaction: &Transaction) -> Result<Client, Fault> {
    let id = transaction.request().client_id.clone();
    let found = app.db.read("transaction.client", move |conn| clients::find(conn, &id)).await?;
    let client = found
        .filter(|client| client.status == ClientStatus::Active)
        .ok_or_else(|| Fault::page(Problem::UnknownClient, "the client was disabled meanwhile"))?;
    flow::check_redirect(app, info, &client, transaction.request()).await?;
    Ok(client)
}

/// Begins a session, if the proof still holds for the account; else tells why not.
async fn begin_session(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    proof: &LoginProof,
) -> Result<Result<(CurrentSession, String), LoginRefusal>, Fault> {
    let replaced = request::session(req, app).await?.map(|current| current.session);
    let browser = request::browser(req, info);
    let (writer, proved) = (app.clone(), proof.clone());
    let begun = app
        .db
        .write("login.session", move |tx| -> Result<_, Refusal<Fault>> {
            let app = &writer;
            let proved = match proved.confirm(tx) {
                Ok(proved) => proved,
                Err(Unconfirmed::Changed) => return Ok(None),
                Err(Unconfirmed::Storage(error)) => return Err(Fault::from(error).into()),
            };
            let means = (&app.clock, &app.rng);
            let started = identity::start(tx, means, &app.config.sessions, &proved, &browser, replaced.as_ref());
            let (session, handle) = started.map_err(Fault::from)?;
            let user = proved.user().clone();
            let event = Event::success(EventKind::LoginSucceeded).subject(user.id).request(info.address, info.id);
            event.record(tx, &app.clock).map_err(Fault::from)?;
            Ok(Some((CurrentSession { session, user }, handle)))
        })
        .await?;
    let begun = begun.map(|(current, handle)| (current, app.cookies.set(app.cookies.session, &handle.expose())));
    Ok(begun.ok_or_else(|| LoginRefusal::Changed { known: proof.user_id() }))
}

async fn refuse(
    app: &App,
    info: RequestInfo,
    browser: &str,
    purpose: Purpose<'_>,
    username: &str,
    refusal: LoginRefusal,
) -> Result<HttpResponse, Fault> {
    let event = |kind| Event::failure(kind).request(info.address, info.id);
    let (problem, status, wait, event) = match refusal {
        LoginRefusal::Wrong { known } => {
            let event = event(EventKind::LoginFailed).reason("wrong_credentials");
            let event = request::of_account(event, known, username);
            (LoginProblem::WrongCredentials, StatusCode::UNPROCESSABLE_ENTITY, None, Some(event))
        }
        LoginRefusal::Changed { known } => {
            let event = event(EventKind::LoginFailed).reason("account_changed").subject(known);
            (LoginProblem::WrongCredentials, StatusCode::UNPROCESSABLE_ENTITY, None, Some(event))
        }
        LoginRefusal::Throttled { limit, seconds, known } => {
            let seconds = u64::try_from(seconds).unwrap_or(1);
            let kind = if limit == Limit::AddressJustNow { EventKind::CredStuffing } else { EventKind::LoginThrottled };
            let problem = LoginProblem::TooManyAttempts { seconds };
            let reason = if limit == Limit::Account { "account_limit" } else { "address_limit" };
            let event = request::of_account(event(kind).reason(reason), known, username);
            (problem, StatusCode::TOO_MANY_REQUESTS, Some(seconds), Some(event))
        }
        LoginRefusal::Busy => (LoginProblem::Busy, StatusCode::SERVICE_UNAVAILABLE, Some(2), None),
        LoginRefusal::TooLong => return Err(Fault::page(Problem::MalformedRequest, "the password is too long")),
        LoginRefusal::Storage(error) => return Err(error.into()),
        LoginRefusal::Failed(why) => return Err(OAuthError::server_error(why).into()),
    };
    if let Some(event) = event {
        event.record_alone(&app.trail).await;
    }
    let mode = LoginMode::Anyone { username: username.chars().take(320).collect() };
    let mut response = show(app, info, browser, purpose, mode, Some(problem)).await?;
    *response.status_mut() = status;
    if let Some(seconds) = wait {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

async fn show(
    app: &App,
    info: RequestInfo,
    browser: &str,
    purpose: Purpose<'_>,
    mode: LoginMode,
    problem: Option<LoginProblem>,
) -> Result<HttpResponse, Fault> {
    let mut is_for_device = false;
    let (id, client, after, leads_to) = match purpose {
        Purpose::App(transaction) => {
            let client = render::client(&client_of(app, info, transaction).await?);
            (transaction.text().to_owned(), Some(client), Vec::new(), None)
        }
        Purpose::Own(after) => {
            let fields = after.as_ref().map(After::fields).unwrap_or_default();
            is_for_device = matches!(after, Some(After::Device { .. }));
            (String::new(), None, fields, after.and_then(|after| after.leads_to().map(str::to_owned)))
        }
    };
    let destination = if is_for_device {
        Some(Name::from("your device"))
    } else {
        leads_to.as_deref().and_then(flow::host_of).map(Name::from)
    };
    let page = LoginPage {
        layout: render::layout(app, None),
        csrf: csrf::token(browser, &flow::purpose("login", &id)),
        transaction: id,
        client,
        after,
        destination,
        mode,
        problem,
        personas: app.personas.iter().map(persona).collect(),
    };
    render::page(&page, StatusCode::OK, None)
}

fn persona(persona: &Persona) -> PersonaView {
    PersonaView {
        username: persona.username.clone(),
        name: persona.name.as_str().into(),
        about: persona.about.as_str().into(),
    }
}

fn append_cookie(response: &mut HttpResponse, cookie: &str) {
    if let Ok(value) = cookie.parse() {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
