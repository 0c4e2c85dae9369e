//! Answers to a proxy: pass with headers about the visitor, or refuse with the way to a login.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use secrecy::ExposeSecret;

use super::cookies::{GateCookies, encode, state_hash};
use super::credential::Visitor;
use super::original::Original;
use super::requirements::{Requirements, Stranger};
use crate::app::App;
use crate::domain::origin_of;
use crate::fault::Fault;
use crate::flow::{After, is_known_app};
use crate::protocol::OAuthError;
use crate::support::random_token;

/// What the app behind the proxy is told, each header always: an empty one takes the place of one that a stranger sent.
const HEADERS: [&str; 6] =
    ["x-auth-user", "x-auth-subject", "x-auth-client", "x-auth-scope", "x-auth-roles", "x-auth-method"];

/// Yes, with who it is.
pub fn pass(visitor: &Visitor) -> HttpResponse {
    let values = [
        visitor.username.as_deref().unwrap_or_default().to_owned(),
        visitor.subject.clone(),
        visitor.client_id.clone().unwrap_or_default(),
        visitor.scope.to_string(),
        visitor.role.map(|role| role.to_string()).unwrap_or_default(),
        visitor.method.as_str().to_owned(),
    ];
    let mut response = HttpResponse::NoContent();
    for (name, value) in HEADERS.iter().zip(values) {
        let value = HeaderValue::from_str(&visible(&value)).unwrap_or(HeaderValue::from_static(""));
        response.insert_header((HeaderName::from_static(name), value));
    }
    response.finish()
}

/// In visible ASCII: a name in another script is percent-encoded, as UTF-8.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            0x20..=0x7e => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// No, until somebody logs in. A browser that goes to a page of an app that we know is told where, or sent there.
pub fn to_login(
    app: &App,
    req: &actix_web::HttpRequest,
    original: &Original,
    wanted: &Requirements,
    error: OAuthError,
) -> Result<HttpResponse, Fault> {
    let address = original.address.as_deref().filter(|_| original.is_navigation(req.headers()));
    let Some((address, origin)) = address.and_then(|address| Some((address, origin_of(address)?))) else {
        return Err(error.into());
    };
    if !is_known_app(app, origin) {
        tracing::warn!(origin, "an app behind forward authentication is not in [gatekeeper] allowed_origins");
        return Err(error.into());
    }
    let cookies = GateCookies::at(origin);
    // One that is there is used again, so that two tabs do not stand in each other's way.
    let present = req.headers().get_all("cookie").map(HeaderValue::as_bytes);
    let present = app.cookies.read(present, cookies.state).filter(|value| super::cookies::decode(value).is_some());
    let (value, cookie) = match present {
        Some(value) => (value.to_owned(), None),
        None => {
            let value = random_token(&app.rng).expose_secret().to_owned();
            let cookie = cookies.set(cookies.state, &value);
            (value, Some(cookie))
        }
    };
    let after =
        After::Gate { return_to: address.to_owned(), state: encode(&state_hash(&value)), max_age: wanted.max_age };
    let login = app.url(&after.path());
    if wanted.stranger == Stranger::IsTold {
        let cookie = cookie.map(String::into_boxed_str);
        return Err(Fault::SignIn { error: Box::new(error), login: login.into(), cookie });
    }
    let mut response = HttpResponse::Found();
    response.insert_header((LOCATION, login));
    if let Some(cookie) = cookie {
        response.insert_header((SET_COOKIE, cookie));
    }
    Ok(response.finish())
}
