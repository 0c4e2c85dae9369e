//! `/device`: a person allows a device without a browser something, or does not (RFC 8628 §3.3).
//!
//! A code that was typed, or came with a link, is put into a form; sending that form is what makes us look for it. The
//! address that this leads to carries the code sealed for this browser: no other site can have codes tried in a person's
//! name, and no history or log keeps a code. The form of the decision carries a proof that the device was shown; without it
//! a decision is one more code that was typed, and counts as such.

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, SET_COOKIE};
use actix_web::{Either, HttpRequest, HttpResponse, web};

use super::access::Words;
use super::device_view::{AskedFrom, DeviceConfirmPage, DeviceDonePage, DeviceEntryPage, EntryProblem};
use super::view::Name;
use super::{forms, render};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::domain::{Client, DeviceCode, GrantType, UserCode};
use crate::fault::{Fault, Problem};
use crate::flow::{self, After, Answer, CodeEntry, DeviceDecision, DeviceEntry, OneForm};
use crate::identity::{CurrentSession, csrf};
use crate::issuing;
use crate::request;
use crate::support::network;

type Response = Either<HttpResponse, Answer>;

/// More than anybody types; what is longer is not shown again.
const MAX_TYPED: usize = 40;
const ENTRY: &str = "device";

fn decision_on(code: &UserCode) -> String {
    flow::purpose("device-decision", code.letters())
}

/// The way to the page that shows what a code is for, for this browser alone.
fn way_to(app: &App, code: &UserCode, browser: &str) -> Result<After, Fault> {
    let entry = CodeEntry::seal(app, code, browser);
    let entry = entry.ok_or_else(|| Fault::page(Problem::Internal, "a user code could not be sealed"))?;
    Ok(After::Device { entry })
}

/// `GET /device`, empty or from a link with the code in it (RFC 8628 §3.3.1)
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<Response, Fault> {
    let info = request::info(&req)?;
    let query = request::page_query(&req)?;
    let present = request::cookie(&req, &app, app.cookies.browser);
    if let (Some(browser), Some(After::Device { entry })) = (&present, After::read_device(&query))
        && let Some(entry) = CodeEntry::open(&app, &entry, browser)
    {
        return look(&app, &req, info, browser, entry.code).await;
    }
    let typed = query.get("user_code").unwrap_or_default();
    let typed = UserCode::parse(typed).map(|code| code.shown()).unwrap_or_default();
    let (browser, is_fresh) = flow::browser_cookie(&app, present.as_deref());
    let mut response = entry(&app, &browser, typed, None)?;
    if is_fresh {
        set_browser_cookie(&app, &mut response, &browser);
    }
    Ok(Either::Left(response))
}

fn set_browser_cookie(app: &App, response: &mut HttpResponse, browser: &str) {
    if let Ok(cookie) = app.cookies.set(app.cookies.browser, browser).parse() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// `POST /device`: a code was typed.
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let info = request::info(&req)?;
    let form = request::page_form(&req, &body)?;
    let browser = forms::browser_cookie(&app, &req)?;
    forms::check(&app, &req, info, &form, &browser, &flow::purpose(ENTRY, "")).await?;
    let typed = form.get("user_code").filter(|_| !form.is_repeated("user_code")).unwrap_or_default();
    match UserCode::parse(typed) {
        Some(code) => Ok(Either::Right(Answer::local(way_to(&app, &code, &browser)?.path()))),
        // No code looks like this, so that nothing was guessed and nothing is counted.
        None => {
            let typed = typed.chars().take(MAX_TYPED).collect();
            Ok(Either::Left(entry(&app, &browser, typed, Some(EntryProblem::NoCode))?))
        }
    }
}

/// What a code is for, shown to a person who is logged in; to log in comes first, so that whoever guesses has a name.
async fn look(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    browser: &str,
    code: UserCode,
) -> Result<Response, Fault> {
    let Some((session, cookie)) = forms::logged_in(app, req).await? else {
        return Ok(Either::Right(Answer::local(way_to(app, &code, browser)?.login())));
    };
    enter(app, info, (&session, &cookie), browser, code).await
}

/// Counts a code and looks for its request: the page that asks for the decision, or the entry again.
async fn enter(
    app: &App,
    info: RequestInfo,
    (session, cookie): (&CurrentSession, &str),
    browser: &str,
    code: UserCode,
) -> Result<Response, Fault> {
    let problem = match flow::enter_user_code(app, info, session, &code).await? {
        DeviceEntry::Found(device) => {
            let page = confirmation(app, info, (session, cookie), browser, &code, &device).await?;
            return Ok(Either::Left(page));
        }
        DeviceEntry::Wrong => EntryProblem::Wrong,
        DeviceEntry::TooMany { seconds } => EntryProblem::TooMany { seconds },
    };
    Ok(Either::Left(entry(app, browser, code.shown(), Some(problem))?))
}

fn entry(app: &App, browser: &str, typed: String, problem: Option<EntryProblem>) -> Result<HttpResponse, Fault> {
    let page = DeviceEntryPage {
        layout: render::layout(app, None),
        csrf: csrf::token(browser, &flow::purpose(ENTRY, "")),
        typed,
        problem,
    };
    let status = match problem {
        None => StatusCode::OK,
        Some(EntryProblem::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let mut response = render::page(&page, status, None)?;
    if let Some(EntryProblem::TooMany { seconds }) = problem {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    Ok(response)
}

async fn confirmation(
    app: &App,
    info: RequestInfo,
    (session, cookie): (&CurrentSession, &str),
    browser: &str,
    code: &UserCode,
    device: &DeviceCode,
) -> Result<HttpResponse, Fault> {
    let client = client_of(app, device).await?;
    let (resources, user_id, client_id) = (device.resources.clone(), session.user.id, client.client_id.clone());
    let words =
        app.db.read("device.words", move |conn| Words::of_request(conn, &resources, user_id, &client_id)).await?;
    let asked = device.address.parse().ok();
    let page = DeviceConfirmPage {
        layout: render::layout(app, None),
        csrf: csrf::token(cookie, &decision_on(code)),
        switch_csrf: csrf::token(browser, &flow::purpose("login", "")),
        after: way_to(app, code, browser)?.fields(),
        shown: flow::proof_of_showing(app, session, device.id, code),
        user_code: code.shown(),
        client: render::client(&client),
        user: Name::from(session.user.display_name()),
        scopes: words.scopes(&device.scope, Some(&session.user)),
        resources: words.apis(&device.resources),
        asked_seconds_ago: u64::try_from(app.now() - device.created_at).unwrap_or(0),
        asked_from: if asked.is_some_and(|asked| network(asked) == network(info.address)) {
            AskedFrom::Here(device.address.clone())
        } else {
            AskedFrom::Elsewhere(device.address.clone())
        },
        policy_uri: client.policy_uri.clone(),
        terms_uri: client.tos_uri.clone(),
    };
    render::page(&page, StatusCode::OK, None)
}

/// The client of a request, as long as it is one that may ask like this for as much.
async fn client_of(app: &App, device: &DeviceCode) -> Result<Client, Fault> {
    let found = issuing::client::fresh(app, &device.client_id).await?;
    found
        .filter(|client| client.may_use(GrantType::DeviceCode) && device.scope.is_subset(&client.scope))
        .map(|client| Client::clone(&client))
        .ok_or_else(|| Fault::page(Problem::UnknownClient, "the client was disabled or may ask for less since"))
}

/// `POST /device/decision`
pub async fn decide(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Response, Fault> {
    let info = request::info(&req)?;
    let outcome = answer(&app, &req, info, &body).await;
    match outcome {
        Err(Fault::ClientChanged) => Err(Fault::Page(Problem::Unavailable { retry_after: 2 }, None)),
        Err(fault @ Fault::Page(Problem::Answered, _)) => {
            // A form that comes once more, later or with another decision, is as suspicious as one that is not ours.
            Event::failure(EventKind::CsrfRejected)
                .reason("replayed")
                .request(info.address, info.id)
                .detail(serde_json::json!({"form": "device-decision"}))
                .record_alone(&app.trail)
                .await;
            Err(fault)
        }
        outcome => outcome,
    }
}

async fn answer(app: &App, req: &HttpRequest, info: RequestInfo, body: &[u8]) -> Result<Response, Fault> {
    let form = request::page_form(req, body)?;
    let code = form.get("user_code").filter(|_| !form.is_repeated("user_code")).and_then(UserCode::parse);
    let cookie = request::cookie(req, app, app.cookies.session).unwrap_or_default();
    // Without a code no form is ours.
    let purpose = code.as_ref().map_or_else(|| flow::purpose("device-decision", ""), decision_on);
    forms::check(app, req, info, &form, &cookie, &purpose).await?;
    let code = code.ok_or_else(|| Fault::page(Problem::Forged, "a decision without a code"))?;
    let Some(session) = request::session(req, app).await? else {
        let browser = forms::browser_cookie(app, req)?;
        return Ok(Either::Right(Answer::local(way_to(app, &code, &browser)?.login())));
    };
    let shown = form.get("shown").filter(|_| !form.is_repeated("shown")).unwrap_or_default();
    let Some(device) = flow::find_shown(app, &session, &code, shown).await? else {
        let present = request::cookie(req, app, app.cookies.browser);
        let (browser, is_fresh) = flow::browser_cookie(app, present.as_deref());
        let mut response = enter(app, info, (&session, &cookie), &browser, code).await?;
        if is_fresh && let Either::Left(page) = &mut response {
            set_browser_cookie(app, page, &browser);
        }
        return Ok(response);
    };
    let decision = form.get("decision").filter(|_| !form.is_repeated("decision")).unwrap_or_default();
    let (id, until) = (device.id, device.expires_at);
    let one = OneForm { id, name: decision, cookie: &cookie, subject: session.user.id, until };
    let decided = match decision {
        "approve" => {
            let client = client_of(app, &device).await?;
            flow::allow_device(app, info, &client, &device, &session, one).await?
        }
        "deny" => flow::refuse_device(app, info, &device, &session, one).await?,
        _ => return Err(Fault::page(Problem::MalformedRequest, "decision must be approve or deny")),
    };
    let allowed = match decided {
        DeviceDecision::Allowed => Some(render::client(&client_of(app, &device).await?)),
        DeviceDecision::Refused => None,
    };
    let page = DeviceDonePage { layout: render::layout(app, None), allowed };
    Ok(Either::Left(render::page(&page, StatusCode::OK, None)?))
}
