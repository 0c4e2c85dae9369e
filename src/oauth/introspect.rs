//! Token introspection (RFC 7662): for whom a token is meant, and for whoever was given it.

use std::net::IpAddr;

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api_key::{self, Dead, LiveKey, Refused};
use crate::app::{App, RequestInfo};
use crate::bearer::{note_use, verified_id};
use crate::domain::{Client, GrantStage, GrantType, Party, ROLES, RefreshStage, UserStatus};
use crate::fault::Fault;
use crate::issuing::{REFRESH_PREFIX, client};
use crate::oauth::client_auth::{self, Freshness};
use crate::protocol::{Introspection, OAuthError};
use crate::request;
use crate::storage::access_tokens::{self, TokenState};
use crate::storage::{api_keys, clients, refresh_tokens, users};
use crate::support::{ApiKeyText, Handle};

const MAX_TOKEN: usize = 16 * 1024;

/// `POST /oauth2/introspect`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let params = request::body_only(&req, &body)?;
    if let Some(name) = params.first_repeated(&["token", "token_type_hint", "address", "client_id", "client_secret"]) {
        return Err(OAuthError::invalid_request(format!("{name} is given more than once")).into());
    }
    let mut caller = client_auth::authenticate(&app, info, req.headers(), &params, Freshness::Recent).await?;
    if caller.is_public() {
        // RFC 7662 §2.1: who cannot prove to be a resource server learns nothing.
        return Err(client_auth::refusal(req.headers(), "a public client asked for introspection").into());
    }
    let token = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    if token.len() > MAX_TOKEN {
        return Err(OAuthError::new(crate::protocol::ErrorCode::PayloadTooLarge, "token is too long").into());
    }
    let address = params.get("address").map(|text| {
        text.parse::<IpAddr>()
            .map(|ip| ip.to_canonical())
            .map_err(|_| OAuthError::invalid_request("address must be an IP address"))
    });
    let place = Place { info, address: address.transpose()? };
    // The hint is only a hint: what a token is, it says itself.
    let mut answer = look_up(&app, place, &caller, token).await;
    if let Err(Fault::ClientChanged) = answer {
        let changed = client::fresh(&app, &caller.client_id).await?;
        let disabled = || client_auth::refusal(req.headers(), "the client was disabled a moment ago");
        caller = changed.ok_or_else(disabled)?;
        answer = look_up(&app, place, &caller, token).await;
    }
    let answer = answer?;
    if !answer.active {
        app.limiter.introspection_miss(&caller.client_id).map_err(request::too_many)?;
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// Where the request came from, and where whoever presented the token is, if the API says so.
#[derive(Clone, Copy)]
struct Place {
    info: RequestInfo,
    address: Option<IpAddr>,
}

async fn look_up(app: &App, place: Place, caller: &Client, token: &str) -> Result<Introspection, Fault> {
    if token.starts_with(ApiKeyText::PREFIX) {
        return api_key(app, place, caller, token).await;
    }
    match token.strip_prefix(REFRESH_PREFIX) {
        Some(handle) => refresh_token(app, caller, handle).await,
        None => access_token(app, caller, token).await,
    }
}

async fn access_token(app: &App, caller: &Client, token: &str) -> Result<Introspection, Fault> {
    let jti = verified_id(app, token).await?;
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

/// Whether a token is the caller's business: it was issued to the caller, or is for an API that the caller is and for which
/// the token's client may still ask tokens. That the caller may ask tokens for that API itself makes it no judge of others'.
fn is_for(caller: &Client, state: &TokenState, issuer: &str) -> bool {
    let still_may = |audience: &String| audience == issuer || state.client_audiences.contains(audience);
    state.token.client_id == caller.client_id
        || state.token.audience.iter().any(|audience| caller.resources.contains(audience) && still_may(audience))
}

fn describe(app: &App, state: TokenState) -> Introspection {
    let token = state.token;
    let role = state.role.filter(|_| state.party == Party::First || token.scope.contains(ROLES));
    Introspection {
        active: true,
        scope: Some(token.scope.to_string()).filter(|scope| !scope.is_empty()),
        roles: role.map(|role| [role.as_str()]),
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

/// An API key is looked at like a token. Where it is bound to networks, an API has to say where its program is.
async fn api_key(app: &App, place: Place, caller: &Client, text: &str) -> Result<Introspection, Fault> {
    let text = ApiKeyText::parse(text).ok();
    let (id, key, now) = (caller.client_id.clone(), text.as_ref().map(ApiKeyText::id), app.now());
    let (version, state) = app
        .db
        .read("introspect.api_key", move |conn| {
            let version = clients::active_version(conn, &id)?;
            Ok((version, key.map(|key| api_keys::state(conn, key, now)).transpose()?.flatten()))
        })
        .await?;
    if version != Some(caller.version) {
        return Err(Fault::ClientChanged);
    }
    let Some(text) = text else { return Ok(Introspection::default()) };
    let owner = state.as_ref().map(|state| state.key.owner.clone());
    let judged = api_key::judge(&text, state, app.issuer(), app.now());
    // A stranger is told nothing, and uses nothing up.
    let judged = match judged {
        Ok(live) if !is_for_key(caller, &live) => return Ok(Introspection::default()),
        Ok(live) => api_key::admit(app, &live, place.address).map(|()| live),
        Err(why) => Err(Refused::Dead(why)),
    };
    match judged {
        Ok(live) => Ok(describe_key(app, live)),
        Err(Refused::TooOften(exceeded)) => Err(request::too_many(exceeded).into()),
        Err(Refused::Fault(fault)) => Err(fault),
        Err(Refused::Dead(why)) => {
            if why != Dead::WrongSecret {
                api_key::report(app, place.info, text.id(), owner, why).await;
            }
            Ok(Introspection::default())
        }
    }
}

/// Whether a key is the caller's business: it is its own, or is for an API that the caller is.
fn is_for_key(caller: &Client, live: &LiveKey) -> bool {
    live.client_id() == Some(&caller.client_id) || live.audience.iter().any(|api| caller.resources.contains(api))
}

fn describe_key(app: &App, live: LiveKey) -> Introspection {
    Introspection {
        active: true,
        scope: Some(live.scope.to_string()),
        client_id: live.client_id().map(str::to_owned),
        sub: Some(live.subject()),
        roles: live.person.as_ref().filter(|_| live.scope.contains(ROLES)).map(|(_, role)| [role.as_str()]),
        username: live.person.map(|(username, _)| username),
        token_type: Some("api_key"),
        exp: live.key.expires_at,
        iat: Some(live.key.created_at),
        aud: live.audience,
        iss: Some(app.issuer().to_owned()),
        jti: Some(live.key.id.to_string()),
        ..Introspection::default()
    }
}
