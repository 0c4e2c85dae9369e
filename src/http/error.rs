//! The one place that turns errors into answers.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use askama::Template;
use serde_json::json;

use super::rate_limit_fields;
use super::request_log::Refused;
use crate::app::App;
use crate::fault::{Fault, Problem, TargetRefusal, WayBack, storage_code};
use crate::pages::render as page_render;
use crate::pages::view::Name;
use crate::protocol::{AuthChallenge, BearerReport, ErrorCode, OAuthError};
use crate::route::ErrorFormat;
use crate::support::text;

/// Where a proxy may send a browser that has to log in.
static LOGIN: HeaderName = HeaderName::from_static("x-auth-login");

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The body is made by the middleware, which knows the path and the request's id; see [`render`].
impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// An answer to a failure, in the format of its path, with what the log gets of it.
pub fn render(app: &App, format: ErrorFormat, fault: &Fault, request_id: &str) -> HttpResponse {
    let mut response = render_shown(app, format, &Shown::from(fault), request_id);
    if let Fault::SignIn { login, cookie, .. } = fault {
        let headers = response.headers_mut();
        if let Ok(value) = login.parse() {
            headers.insert(LOGIN.clone(), value);
        }
        if let Some(Ok(value)) = cookie.as_ref().map(|cookie| cookie.parse()) {
            headers.append(SET_COOKIE, value);
        }
    }
    response
}

/// An answer to what HTTP itself refuses, with that status, which a page shows as well.
pub fn render_status(app: &App, format: ErrorFormat, status: StatusCode, request_id: &str) -> HttpResponse {
    let shown = Shown { status: status.as_u16(), ..Shown::from(&from_status(status)) };
    let mut response = render_shown(app, format, &shown, request_id);
    *response.status_mut() = status;
    response
}

fn render_shown(app: &App, format: ErrorFormat, answer: &Shown, request_id: &str) -> HttpResponse {
    let mut response = match format {
        ErrorFormat::Json => json_body(&answer.error),
        ErrorFormat::Page => page_body(app, answer, request_id),
    };
    let refused = Refused { code: answer.error.code, reason: answer.error.detail.clone() };
    response.extensions_mut().insert(refused);
    let headers = response.headers_mut();
    if let Some(seconds) = answer.error.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if let (Some(seconds), Some(policy)) = (answer.error.retry_after, &answer.error.limit) {
        rate_limit_fields::exhausted(policy, seconds, headers);
    }
    if let Some(challenge) = answer.error.challenge.as_ref().filter(|_| format == ErrorFormat::Json)
        && let Ok(value) = www_authenticate(challenge, &answer.error).parse()
    {
        headers.insert(WWW_AUTHENTICATE, value);
    }
    response
}

/// What HTTP itself refuses: routes that are not there, bodies that are too large.
fn from_status(status: StatusCode) -> Fault {
    let problem = match status {
        StatusCode::NOT_FOUND => Problem::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Problem::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            Problem::TooLarge
        }
        StatusCode::REQUEST_TIMEOUT => Problem::Timeout,
        StatusCode::SERVICE_UNAVAILABLE => Problem::Unavailable { retry_after: 2 },
        status if status.is_client_error() => Problem::MalformedRequest,
        _ => Problem::Internal,
    };
    Fault::Page(problem, None)
}

/// A failure, ready to be answered as JSON or as a page.
struct Shown {
    /// Of the page; JSON has that of the error's code.
    status: u16,
    error: OAuthError,
    page: Problem,
    developer: bool,
    /// Where a person goes on from the page.
    back: Option<WayBack>,
    /// More for the developer: label and value.
    facts: Vec<(&'static str, String)>,
}

impl From<&Fault> for Shown {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::OAuth(error) => {
                let (status, page) = (error.code.status(), page_for(error));
                Self { status, page, error: error.clone(), developer: true, back: None, facts: Vec::new() }
            }
            Fault::Target(refusal) => {
                let mut page = Self::of_problem(&refusal.problem);
                page.error.description = refusal.sentence.into();
                page.error.detail = Some(log_line(refusal));
                Self { facts: facts_of(refusal), ..page }
            }
            Fault::Storage(error) => {
                let shown = match storage_code(error) {
                    ErrorCode::ServerError => OAuthError::server_error(error.to_string()),
                    _ => OAuthError::unavailable(error.to_string()),
                };
                Self::from(&Fault::OAuth(shown))
            }
            Fault::SignIn { error, .. } => Self::from(&Fault::OAuth(OAuthError::clone(error))),
            Fault::ClientChanged => {
                Self::from(&Fault::OAuth(OAuthError::unavailable("the client was changed twice in a row")))
            }
            Fault::Page(problem, detail) => {
                let mut page = Self::of_problem(problem);
                page.error.detail.clone_from(detail);
                if let Some(detail) = detail.clone().filter(|_| page.developer) {
                    page.error.description = detail.into();
                }
                page
            }
            Fault::WayBack { problem, detail, back } => {
                let page = Self::from(&Fault::Page(problem.clone(), detail.clone()));
                Self { back: Some(WayBack::clone(back)), ..page }
            }
        }
    }
}

impl Shown {
    fn of_problem(problem: &Problem) -> Self {
        Self {
            status: problem.status(),
            error: problem.oauth_equivalent(),
            page: problem.clone(),
            developer: problem.is_of_the_app(),
            back: None,
            facts: Vec::new(),
        }
    }
}

/// What was sent, as a page can show it: each invisible or unusual character by its number.
fn facts_of(refusal: &TargetRefusal) -> Vec<(&'static str, String)> {
    const MAX_SHOWN: usize = 600;
    let sent = [("Client id", &refusal.client_id), ("Redirect URI", &refusal.redirect_uri)];
    let sent = sent.into_iter().filter_map(|(label, value)| Some((label, text::escaped(value.as_deref()?, MAX_SHOWN))));
    sent.chain(refusal.hints.iter().cloned()).collect()
}

fn log_line(refusal: &TargetRefusal) -> String {
    let client = refusal.client_id.as_deref().map(|id| format!(", client_id={}", text::for_log(id, 128)));
    let uri = refusal.redirect_uri.as_deref().map(|uri| format!(", redirect_uri={}", text::uri_for_log(uri)));
    format!("{}{}{}", refusal.sentence, client.unwrap_or_default(), uri.unwrap_or_default())
}

/// The page for an error that was made for a client's developer.
fn page_for(error: &OAuthError) -> Problem {
    let retry_after = error.retry_after.unwrap_or(2);
    match error.code {
        ErrorCode::TemporarilyUnavailable => Problem::Unavailable { retry_after },
        ErrorCode::SlowDown => Problem::TooMany { retry_after },
        ErrorCode::ServerError => Problem::Internal,
        ErrorCode::PayloadTooLarge => Problem::TooLarge,
        ErrorCode::UnsupportedMediaType => Problem::UnsupportedMediaType,
        _ => Problem::MalformedRequest,
    }
}

fn json_body(error: &OAuthError) -> HttpResponse {
    let status = StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status)
        .json(json!({"error": error.code.as_str(), "error_description": error.wire_description()}))
}

fn page_body(app: &App, answer: &Shown, request_id: &str) -> HttpResponse {
    let layout = page_render::layout(app, None);
    let developer = answer.developer.then(|| (answer.error.code.as_str().to_owned(), answer.error.wire_description()));
    let mut page = answer.page.page(layout, request_id, developer);
    // The number that people read is the one that was sent, whichever problem has these words.
    page.status = answer.status;
    page.back = answer.back.as_ref().map(|back| (Name::from(back.name.as_str()), back.url.clone()));
    page.facts.clone_from(&answer.facts);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let html = page.render().unwrap_or_else(|_| "<!doctype html><title>Error</title><h1>Error</h1>".to_owned());
    page_render::html(status, html, None)
}

/// RFC 6750 §3, RFC 7617 §2
fn www_authenticate(challenge: &AuthChallenge, error: &OAuthError) -> String {
    let required = match challenge {
        AuthChallenge::Basic => return r#"Basic realm="latchway", charset="UTF-8""#.to_owned(),
        AuthChallenge::Bearer(BearerReport::NoToken) => return r#"Bearer realm="latchway""#.to_owned(),
        AuthChallenge::Bearer(BearerReport::Error) => String::new(),
        AuthChallenge::Bearer(BearerReport::Scope(scope)) => format!(r#", scope="{scope}""#),
        AuthChallenge::Bearer(BearerReport::MaxAge(seconds)) => format!(r#", max_age="{seconds}""#),
    };
    format!(
        r#"Bearer realm="latchway", error="{}", error_description="{}"{required}"#,
        error.code.as_str(),
        error.wire_description()
    )
}
