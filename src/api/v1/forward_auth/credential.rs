//! The credential of a visitor: bearer token, API key, session or cookie of the app's host, and whether it counts here.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};

use super::cookies::GateCookies;
use super::original::Original;
use crate::api_key::{self, Dead, LiveKey, Refused};
use crate::app::App;
use crate::bearer::{BearerToken, bearer};
use crate::domain::{GateStage, Party, Role, Scopes, Session, User};
use crate::fault::Fault;
use crate::flow::is_known_app;
use crate::identity::{TokenCookies, stands};
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::request;
use crate::storage::access_tokens::TokenState;
use crate::storage::gates;
use crate::support::{ApiKeyText, Handle, Seconds};

/// Who makes a request, and by what right.
#[derive(Debug)]
pub struct Visitor {
    pub method: Method,
    pub username: Option<String>,
    pub subject: String,
    pub client_id: Option<String>,
    pub scope: Scopes,
    /// Of a person's own login and of the operator's own apps: nobody allowed other apps to know it.
    pub role: Option<Role>,
    pub reach: Reach,
    pub auth_time: Option<Seconds>,
    pub carried: Carried,
}

/// Where a credential counts.
#[derive(Debug)]
pub enum Reach {
    /// A person's own login, at every app that the operator named.
    Everywhere,
    /// The token of one of the operator's own apps. It counts at every app where it is for this server alone; one that is
    /// for an API as well was shown to that API, which must not get in with it.
    FirstParty { audience: Vec<String>, is_shared: bool },
    /// Any other token, or an API key, with those of its audiences that its owner may still use: there and nowhere else, so
    /// that no app and no API that was shown one can use it here (RFC 9700 §2.3, §4.9).
    Audience(Vec<String>),
}

/// What kind of credential it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Bearer,
    ApiKey,
    Session,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "bearer",
            Self::ApiKey => "api_key",
            Self::Session => "session",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Bearer, Self::ApiKey, Self::Session].into_iter().find(|method| method.as_str() == word)
    }
}

/// Whether a browser adds the credential by itself, whoever made it send the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    InHeader,
    InCookie,
}

/// A credential that a program put into a header.
enum Explicit {
    Token(BearerToken),
    ApiKey(String),
}

impl Explicit {
    /// One at most. One that is there and is none of ours is refused, never passed over.
    fn read(headers: &HeaderMap) -> Result<Option<Self>, OAuthError> {
        let mut keys = headers.get_all("x-api-key");
        match (keys.next(), keys.next(), headers.contains_key(AUTHORIZATION)) {
            (None, _, false) => Ok(None),
            (Some(key), None, false) => {
                let text = key.to_str().map_err(|_| OAuthError::invalid_token("an API key that is no text"))?;
                Ok(Some(Self::ApiKey(text.trim().to_owned())))
            }
            (None, _, true) => {
                // More than one is as good as none: nobody knows which the app would look at.
                let token = BearerToken::read(headers, &Params::default())
                    .map_err(|_| OAuthError::invalid_token("an Authorization header that is no one Bearer token"))?;
                let is_key = token.text().starts_with(ApiKeyText::PREFIX);
                Ok(Some(if is_key { Self::ApiKey(token.text().to_owned()) } else { Self::Token(token) }))
            }
            _ => Err(OAuthError::invalid_token("more than one credential")),
        }
    }
}

/// Whoever makes this request; `None` if it shows nothing that counts. A credential in a header is the one that is meant:
/// then cookies, which browsers add by themselves, are not looked at.
///
/// `counts` says which of the cookies may be meant.
pub async fn visitor(
    app: &App,
    req: &HttpRequest,
    original: &Original,
    counts: impl Fn(&Visitor) -> bool,
) -> Result<Option<Visitor>, Fault> {
    match Explicit::read(req.headers())? {
        Some(Explicit::Token(token)) => {
            let state = bearer(app, &token).await?;
            Ok(Some(by_token(app, state, Carried::InHeader)))
        }
        Some(Explicit::ApiKey(text)) => match api_key::verify(app, request::info(req)?, &text).await {
            Ok(live) => Ok(Some(by_key(live))),
            Err(Refused::Dead(why)) => Err(dead(why).into()),
            Err(Refused::TooOften(exceeded)) => Err(request::too_many(exceeded).into()),
            Err(Refused::Fault(fault)) => Err(fault),
        },
        None => by_cookie(app, req, original, counts).await,
    }
}

fn dead(why: Dead) -> OAuthError {
    OAuthError::invalid_token(why.as_str())
}

fn by_token(app: &App, state: TokenState, carried: Carried) -> Visitor {
    let mut audience = state.token.audience;
    audience.retain(|api| !app.is_own_audience(api));
    let is_shared = !audience.is_empty();
    audience.retain(|api| state.client_audiences.contains(api));
    let (role, reach) = match state.party {
        Party::First => (state.role, Reach::FirstParty { audience, is_shared }),
        Party::Third => (None, Reach::Audience(audience)),
    };
    Visitor {
        method: Method::Bearer,
        username: state.username,
        subject: state.token.subject,
        client_id: Some(state.token.client_id),
        scope: state.token.scope,
        role,
        reach,
        auth_time: state.auth_time,
        carried,
    }
}

fn by_key(live: LiveKey) -> Visitor {
    let subject = live.subject();
    let client_id = live.client_id().map(str::to_owned);
    Visitor {
        method: Method::ApiKey,
        username: live.person.map(|(username, _)| username),
        subject,
        client_id,
        scope: live.scope,
        role: None,
        reach: Reach::Audience(live.audience),
        auth_time: None,
        carried: Carried::InHeader,
    }
}

fn by_session(app: &App, session: &Session, user: User) -> Visitor {
    Visitor {
        method: Method::Session,
        username: Some(user.username),
        subject: user.id.to_string(),
        client_id: None,
        scope: app.config.gatekeeper.session_scope.split(' ').filter(|scope| !scope.is_empty()).collect(),
        role: Some(user.role),
        reach: Reach::Everywhere,
        auth_time: Some(session.auth_time),
        carried: Carried::InCookie,
    }
}

/// The first that counts of the access token of a first-party app, the gate's cookie and the login session's. Browsers keep
/// cookies that have ended, so that one that does not count says nothing about the next.
async fn by_cookie(
    app: &App,
    req: &HttpRequest,
    original: &Original,
    counts: impl Fn(&Visitor) -> bool,
) -> Result<Option<Visitor>, Fault> {
    let cookie = |name: &str| {
        let headers = req.headers().get_all(COOKIE).map(HeaderValue::as_bytes);
        app.cookies.read(headers, name).map(str::to_owned)
    };
    if let Some(token) = cookie(TokenCookies::for_issuer(app.issuer()).access) {
        match bearer(app, &BearerToken::from_cookie(token)).await {
            Ok(state) => {
                let visitor = by_token(app, state, Carried::InCookie);
                if counts(&visitor) {
                    return Ok(Some(visitor));
                }
            }
            Err(Fault::OAuth(error)) if error.code == ErrorCode::InvalidToken => {}
            Err(other) => return Err(other),
        }
    }
    // A gate counts at one origin: where that is not known, none counts.
    if let Some(origin) = &original.origin
        && let Some(value) = cookie(GateCookies::at(origin).gate)
        && let Some(visitor) = by_gate(app, origin, &value).await?
    {
        return Ok(Some(visitor));
    }
    let Some(current) = request::session(req, app).await? else { return Ok(None) };
    request::touch(app, &current).await?;
    Ok(Some(by_session(app, &current.session, current.user)))
}

async fn by_gate(app: &App, origin: &str, value: &str) -> Result<Option<Visitor>, Fault> {
    // The operator may have taken the app from [gatekeeper] allowed_origins since.
    let Some(handle) = Handle::parse(value).ok().filter(|_| is_known_app(app, origin)) else { return Ok(None) };
    let (id, now) = (handle.id(), app.now());
    let found = app.db.read("forward_auth.gate", move |conn| gates::find(conn, id)).await?;
    let found = found.filter(|(gate, session, user)| {
        handle.matches(&gate.secret_hash)
            && matches!(gate.stage, GateStage::Open { .. })
            && gate.origin == origin
            && gate.expires_at > now
            && stands(session, user, now)
    });
    let Some((_, session, user)) = found else { return Ok(None) };
    let current = crate::identity::CurrentSession { session, user };
    request::touch(app, &current).await?;
    Ok(Some(by_session(app, &current.session, current.user)))
}
