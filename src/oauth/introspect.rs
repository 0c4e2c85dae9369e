//! Token introspection (RFC 7662): for whom a token is meant, and for whoever was given it.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::bearer::{note_use, verified_id};
use crate::domain::{Client, GrantStage, GrantType, RefreshStage, UserStatus};
use crate::fault::Fault;
use crate::oauth::client_auth::{self, Freshness};
use crate::oauth::token::REFRESH_PREFIX;
use crate::protocol::{Introspection, OAuthError};
use crate::request;
use crate::storage::access_tokens::{self, TokenState};
use crate::storage::{clients, refresh_tokens, users};
use crate::support::Handle;

const MAX_TOKEN: usize = 16 * 1024;

/// `POST /oauth2/introspect`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let params = request::body_only(&req, &body)?;
    if let Some(name) = params.first_repeated(&["token", "token_type_hint", "client_id", "client_secret"]) {
        return Err(OAuthError::invalid_request(format!("{name} is given more than once")).into());
    }
    let mut caller = client_auth::authenticate(&app, info, req.headers(), &params, Freshness::Recent).await?;
    if caller.is_public() {
        // RFC 7662 §2.1: who cannot prove to be a resource server learns nothing.
        return Err(OAuthError::invalid_client("a public client asked for introspection").into());
    }
    let token = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    if token.len() > MAX_TOKEN {
        return Err(OAuthError::new(crate::protocol::ErrorCode::PayloadTooLarge, "token is too long").into());
    }
    // The hint is only a hint: what a token is, it says itself.
    let mut answer = look_up(&app, &caller, token).await;
    if let Err(Fault::ClientChanged) = answer {
        let changed = client_auth::fresh(&app, &caller.client_id).await?;
        caller = changed.ok_or_else(|| OAuthError::invalid_client("the client was disabled a moment ago"))?;
        answer = look_up(&app, &caller, token).await;
    }
    let answer = answer?;
    if !answer.active {
        app.limiter.introspection_miss(&caller.client_id).map_err(request::too_many)?;
    }
    Ok(HttpResponse::Ok().json(answer))
}

async fn look_up(app: &App, caller: &Client, token: &str) -> Result<Introspection, Fault> {
    match token.strip_prefix(REFRESH_PREFIX) {
        Some(handle) => refresh_token(app, caller, handle).await,
        None => access_token(app, caller, token).await,
    }
}

async fn access_token(app: &App, caller: &Client, token: &str) -> Result<Introspection, Fault> {
    let jti = verified_id(app, token);
    let (now, id) = (app.now(), caller.client_id.clone());
    let (version, state) = app
        .db
        .read("introspect.access", move |conn| {
            let version = clients::active_version(conn, &id)?;
            Ok((version, jti.map(|jti| access_tokens::state(conn, jti, now)).transpose()?.flatten()))
        })
        .await?;
    if version != Some(caller.version) {
        return Err(Fault::ClientChanged);
    }
    match state.filter(|state| state.dead.is_none() && is_for(caller, state, app.issuer())) {
        Some(state) => {
            note_use(app, &state).await?;
            Ok(describe(app, state))
        }
        None => Ok(Introspection::default()),
    }
}

/// Whether a token is the caller's business: it was issued to them or is meant for an API of theirs, for which its
/// client may still ask tokens.
fn is_for(caller: &Client, state: &TokenState, issuer: &str) -> bool {
    let still_may = |audience: &String| audience == issuer || state.client_audiences.contains(audience);
    state.token.client_id == caller.client_id
        || state.token.audience.iter().any(|audience| caller.audiences.contains(audience) && still_may(audience))
}

fn describe(app: &App, state: TokenState) -> Introspection {
    let token = state.token;
    Introspection {
        active: true,
        scope: Some(token.scope.to_string()).filter(|scope| !scope.is_empty()),
        client_id: Some(token.client_id),
        username: state.username,
        token_type: Some("Bearer"),
        exp: Some(token.expires_at),
        iat: Some(token.issued_at),
        sub: Some(token.subject),
        aud: token.audience,
        iss: Some(app.issuer().to_owned()),
        jti: Some(token.jti.to_string()),
        auth_time: state.auth_time,
    }
}

/// A refresh token is between its client and us alone.
async fn refresh_token(app: &App, caller: &Client, handle: &str) -> Result<Introspection, Fault> {
    let handle = Handle::parse(handle).ok();
    let (now, id, key) = (app.now(), caller.client_id.clone(), handle.as_ref().map(Handle::id));
    let (version, found) = app
        .db
        .read("introspect.refresh", move |conn| {
            let version = clients::active_version(conn, &id)?;
            let Some(key) = key else { return Ok((version, None)) };
            let Some((token, grant)) = refresh_tokens::find(conn, key)? else { return Ok((version, None)) };
            let user = users::find(conn, grant.user_id)?;
            Ok((version, user.map(|user| (token, grant, user))))
        })
        .await?;
    if version != Some(caller.version) {
        return Err(Fault::ClientChanged);
    }
    let live = found.filter(|(token, grant, user)| {
        handle.as_ref().is_some_and(|handle| handle.matches(&token.secret_hash))
            && token.stage == RefreshStage::Live
            && token.expires_at > now
            && grant.stage == GrantStage::Live
            && grant.expires_at > now
            && grant.client_id == caller.client_id
            && grant.scope.is_subset(&caller.scope)
            && caller.may_use(GrantType::RefreshToken)
            && user.status == UserStatus::Active
            && grant.auth_time >= user.password_changed_at
    });
    Ok(live.map_or_else(Introspection::default, |(token, grant, user)| Introspection {
        active: true,
        scope: Some(grant.scope.to_string()),
        client_id: Some(grant.client_id),
        username: Some(user.username),
        exp: Some(token.expires_at),
        sub: Some(user.id.to_string()),
        iss: Some(app.issuer().to_owned()),
        auth_time: Some(grant.auth_time),
        ..Introspection::default()
    }))
}
