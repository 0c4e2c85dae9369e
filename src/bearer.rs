//! An access token of ours, presented to us (RFC 6750 §2).

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;

use crate::app::App;
use crate::fault::Fault;
use crate::keys::Jwt;
use crate::protocol::{OAuthError, Params};
use crate::storage::access_tokens::{self, TokenState};
use crate::storage::{Refusal, keys, refresh_tokens};
use crate::support::{Id, Seconds, sha256};

/// Where a request carries its token: in the header or in the form, never in both and never in the query.
pub struct BearerToken(String);

impl BearerToken {
    /// The token of a first-party app in the browser, as its cookie brings it.
    pub fn from_cookie(value: String) -> Self {
        Self(value)
    }

    /// The id of the token, if its signature is ours and it has not expired. Whether it was revoked is not looked at.
    pub async fn verified_id(&self, app: &App) -> Result<Id, Fault> {
        let id = verified_id(app, &self.0).await?;
        id.ok_or_else(|| OAuthError::invalid_token("not a live access token of ours").into())
    }

    /// As it was presented. Never for a log.
    pub fn text(&self) -> &str {
        &self.0
    }

    pub fn read(headers: &HeaderMap, form: &Params) -> Result<Self, OAuthError> {
        let mut headers = headers.get_all(AUTHORIZATION);
        let header = headers.next();
        if headers.next().is_some() || form.is_repeated("access_token") {
            return Err(OAuthError::invalid_request("more than one access token"));
        }
        match (header, form.get("access_token")) {
            (Some(_), Some(_)) => {
                Err(OAuthError::invalid_request("the access token came in the header and in the body"))
            }
            (None, Some(token)) => Ok(Self(token.to_owned())),
            (Some(header), None) => header
                .to_str()
                .ok()
                .and_then(|text| text.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
                .map(|(_, token)| Self(token.trim().to_owned()))
                .ok_or_else(|| OAuthError::invalid_token("an Authorization header that is no Bearer token")),
            (None, None) => Err(OAuthError::missing_token()),
        }
    }
}

/// Of our own claims (RFC 9068 §2.2) those that decide anything, in their exact types: one that is there and malformed
/// is not absent, and serde takes none twice.
#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    aud: Vec<String>,
    #[serde(default, rename = "scope")]
    _scope: String,
    #[serde(default, rename = "roles")]
    _roles: Vec<String>,
    jti: Id,
    exp: Seconds,
    #[serde(default)]
    nbf: Seconds,
}

impl Claims<'_> {
    /// Reads the claims of a token of this issuer that is not for later.
    fn read(json: &[u8], issuer: &str, now: Seconds) -> Option<(Id, Seconds)> {
        let claims: Claims<'_> = serde_json::from_slice(json).ok()?;
        let ours = claims.iss == issuer && !claims.aud.is_empty() && claims.nbf <= now;
        ours.then_some((claims.jti, claims.exp))
    }
}

/// The id of an access token whose signature is ours. A key that this node does not know yet is looked for before a token
/// counts as none: another node may have made it a moment ago.
///
/// # Errors
/// If it is there and cannot be taken up, or if that cannot be found out: then this node knows nothing about the token.
pub async fn verified_id(app: &App, token: &str) -> Result<Option<Id>, Fault> {
    if let Some(id) = remembered_id(app, token) {
        return Ok(Some(id));
    }
    if take_up_key_of(app, token).await? { Ok(remembered_id(app, token)) } else { Ok(None) }
}

/// Takes up the signing key that a token names, if this node does not know it yet. `false`: nothing has changed.
///
/// # Errors
/// If there is such a key, or that is not known, and it cannot be taken up.
pub async fn take_up_key_of(app: &App, token: &str) -> Result<bool, Fault> {
    let Some(kid) = app.keys.snapshot().unknown_kid(token) else { return Ok(false) };
    let sought = kid.clone();
    let found = app.db.read("keys.find", move |conn| keys::find(conn, &sought)).await?;
    if found.is_none_or(|key| key.removed_at.is_some_and(|at| at <= app.now())) {
        return Ok(false);
    }
    let stored = app.db.read("keys.list", keys::list).await?;
    let unusable =
        |why: &dyn std::fmt::Display| Fault::from(OAuthError::unavailable(format!("signing key {kid}: {why}")));
    app.take_up_keys(&stored).map_err(|e| unusable(&e))?;
    match app.keys.snapshot().unknown_kid(token) {
        None => Ok(true),
        Some(_) => Err(unusable(&"it is stored, and was not taken up")),
    }
}

/// The same by the keys that are known here. A signature once verified is not verified again while it is
/// remembered; what it stands for is looked up every time.
fn remembered_id(app: &App, token: &str) -> Option<Id> {
    let hash = sha256(token.as_bytes());
    let now = app.now();
    let (jti, exp) = match app.verified.get(&hash) {
        Some(known) => known,
        None => {
            let ring = app.keys.snapshot();
            let claims = ring.verify(token, Jwt::AccessToken, now)?;
            let (jti, exp) = Claims::read(&claims, app.issuer(), now)?;
            app.verified.insert(hash, (jti, exp));
            if !Arc::ptr_eq(&ring, &app.keys.snapshot()) {
                // The keys changed meanwhile: what this one verified must not outlive it in memory.
                app.verified.invalidate(&hash);
            }
            (jti, exp)
        }
    };
    (exp > now).then_some(jti)
}

/// What a presented token stands for, if it counts.
pub async fn bearer(app: &App, token: &BearerToken) -> Result<TokenState, Fault> {
    let invalid = |why: &str| Fault::from(OAuthError::invalid_token(why));
    let jti = token.verified_id(app).await?;
    let now = app.now();
    let state = app.db.read("token.state", move |conn| access_tokens::state(conn, jti, now)).await?;
    let state = state.ok_or_else(|| invalid("there is no row of it"))?;
    match state.dead {
        Some(why) => Err(invalid(why)),
        None => {
            note_use(app, &state).await?;
            Ok(state)
        }
    }
}

/// Under the strict policy: the client has this token, so the answer that brought it was not lost, and the refresh token
/// before it cannot be retried any more.
pub async fn note_use(app: &App, state: &TokenState) -> Result<(), Fault> {
    let Some(parent) = state.retry_open else { return Ok(()) };
    app.db
        .write("refresh.close_retry", move |tx| -> Result<_, Refusal<Fault>> {
            Ok(refresh_tokens::close_retry(tx, parent).map_err(Fault::from)?)
        })
        .await
}
