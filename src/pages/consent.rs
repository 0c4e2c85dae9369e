//! `/consent`: a person allows an app something, or does not.

use actix_web::http::StatusCode;
use actix_web::{Either, HttpRequest, HttpResponse, web};
use url::{Host, Url};

use super::access::Words;
use super::login::{GOING_ON, client_of, proceed, repeated};
use super::view::{ConsentMemory, ConsentPage, Name, ReturnTo, When};
use super::{forms, render};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, ConsentPolicy, OFFLINE_ACCESS, leads_to_a_device};
use crate::fault::{Fault, Problem};
use crate::flow::{self, Answer, Approval, Ending, Prompt, Step, Transaction};
use crate::identity::{CurrentSession, csrf};
use crate::protocol::endpoints;
use crate::request;

/// `GET /consent`
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<Either<HttpResponse, Answer>, Fault> {
    let info = request::info(&req)?;
    let query = request::page_query(&req)?;
    let browser = request::cookie(&req, &app, app.cookies.browser);
    let text = query.get("transaction").unwrap_or_default();
    let transaction = flow::load(&app, text, browser.as_deref()).await?;
    let Some((session, cookie)) = forms::logged_in(&app, &req).await? else {
        return Ok(Either::Right(Answer::local(transaction.at(endpoints::LOGIN))));
    };
    let browser = browser.unwrap_or_default();
    let client = client_of(&app, info, &transaction).await?;
    let ending = Ending { transaction: &transaction, browser: &browser, form: GOING_ON, cookies: Vec::new() };
    if let Some(repeated) = repeated(&app, &ending, session.user.id).await? {
        return Ok(Either::Right(repeated));
    }
    let step = flow::decide(&app, &client, transaction.request(), Some(&session), transaction.session_id()).await?;
    match step {
        Step::Consent => Ok(Either::Left(show(&app, &client, &transaction, &session, &cookie).await?)),
        _ => proceed(&app, info, &session, ending).await.map(Either::Right),
    }
}

/// `POST /consent`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let outcome = answer(&app, &req, info, &body).await;
    if outcome.as_ref().err().and_then(Fault::problem) == Some(&Problem::Finished) {
        // A form that comes once more, later or with another decision, is as suspicious as one that is not ours.
        Event::failure(EventKind::CsrfRejected)
            .reason("replayed")
            .request(info.address, info.id)
            .detail(serde_json::json!({"form": "consent"}))
            .record_alone(&app.trail)
            .await;
    }
    outcome
}

async fn answer(app: &App, req: &HttpRequest, info: RequestInfo, body: &[u8]) -> Result<Answer, Fault> {
    let form = request::page_form(req, body)?;
    let browser = forms::browser_cookie(app, req)?;
    let id = form.get("transaction").unwrap_or_default();
    let cookie = request::cookie(req, app, app.cookies.session).unwrap_or_default();
    forms::check(app, req, info, &form, &cookie, &flow::purpose("consent", id)).await?;
    let transaction = flow::load(app, id, Some(&browser)).await?;
    let client = client_of(app, info, &transaction).await?;
    let to_login = || Answer::local(transaction.at(endpoints::LOGIN));
    let Some(session) = request::session(req, app).await? else { return Ok(to_login()) };
    let decision = match form.get("decision").filter(|_| !form.is_repeated("decision")) {
        Some("approve") => "consent approve",
        Some("deny") => "consent deny",
        _ => return Err(Fault::page(Problem::MalformedRequest, "decision must be approve or deny")),
    };
    let ending = Ending { transaction: &transaction, browser: &browser, form: decision, cookies: Vec::new() };
    if let Some(repeated) = repeated(app, &ending, session.user.id).await? {
        return Ok(repeated);
    }
    if flow::login_needed(transaction.request(), &session, transaction.session_id(), app.now()) {
        return Ok(to_login());
    }
    if decision == "consent deny" {
        return flow::deny(app, info, &client, &session, ending).await;
    }
    // What was asked for is what was sealed, whatever else the form says.
    let approval = Approval::given(transaction.request().scopes(), ending);
    flow::approve(app, info, &client, transaction.request(), &session, approval).await
}

async fn show(
    app: &App,
    client: &Client,
    transaction: &Transaction,
    session: &CurrentSession,
    cookie: &str,
) -> Result<HttpResponse, Fault> {
    let request = transaction.request();
    let (resources, user_id, client_id) = (request.resources.clone(), session.user.id, client.client_id.clone());
    let words =
        app.db.read("consent.words", move |conn| Words::of_request(conn, &resources, user_id, &client_id)).await?;
    let id = transaction.text().to_owned();
    let wanted = request.scopes();
    let redirect_uri = request.target.redirect_uri.as_str();
    let memory = if leads_to_a_device(redirect_uri) {
        ConsentMemory::AskedEachTime
    } else if client.consent_at(redirect_uri) == ConsentPolicy::Always {
        ConsentMemory::AskedByOperator
    } else if wanted.contains(OFFLINE_ACCESS) {
        ConsentMemory::AskedToStay
    } else if request.has_prompt(Prompt::Consent) {
        ConsentMemory::AskedByApp
    } else {
        ConsentMemory::Remembered
    };
    let page = ConsentPage {
        layout: render::layout(app, None),
        csrf: csrf::token(cookie, &flow::purpose("consent", &id)),
        transaction: id,
        client: render::client(client),
        return_to: return_to(&request.target.redirect_uri),
        user: Name::from(session.user.display_name()),
        website: client.client_uri.clone(),
        registered: When::from_unix(client.created_at),
        scopes: words.scopes(&wanted, Some(&session.user)),
        resources: words.apis(&request.resources),
        memory,
        policy_uri: client.policy_uri.clone(),
        terms_uri: client.tos_uri.clone(),
    };
    render::page(&page, StatusCode::OK, None)
}

fn return_to(redirect_uri: &str) -> ReturnTo {
    let Ok(url) = Url::parse(redirect_uri) else { return ReturnTo::App(redirect_uri.to_owned()) };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    match url.host() {
        Some(host) if url.scheme() == "https" => ReturnTo::Host(format!("{host}{port}")),
        Some(host @ (Host::Ipv4(_) | Host::Ipv6(_))) if url.scheme() == "http" => {
            ReturnTo::ThisDevice(format!("{host}{port}"))
        }
        Some(Host::Domain(name)) if url.scheme() == "http" => ReturnTo::ThisDevice(format!("{name}{port}")),
        _ => ReturnTo::App(url.scheme().to_owned()),
    }
}
