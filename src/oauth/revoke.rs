//! Token revocation (RFC 7009).

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api_key::{self, Actor};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::bearer::verified_id;
use crate::domain::{Client, Grant, KeyOwner};
use crate::fault::Fault;
use crate::issuing::{self, REFRESH_PREFIX};
use crate::oauth::client_auth::{self, Freshness};
use crate::protocol::{ErrorCode, OAuthError};
use crate::request;
use crate::storage::{Refusal, Tx, access_tokens, api_keys};
use crate::support::{ApiKeyText, Id, Seconds};

/// `POST /oauth2/revoke`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let params = request::body_only(&req, &body)?;
    if let Some(name) = params.first_repeated(&["token", "token_type_hint", "client_id", "client_secret"]) {
        return Err(OAuthError::invalid_request(format!("{name} is given more than once")).into());
    }
    let client = client_auth::authenticate(&app, info, req.headers(), &params, Freshness::Now).await?;
    let token = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing"))?;
    let target = match token.strip_prefix(REFRESH_PREFIX) {
        Some(_) => Some(Target::Refresh(token.to_owned())),
        None if token.starts_with(ApiKeyText::PREFIX) => ApiKeyText::parse(token).ok().map(Target::ApiKey),
        None => verified_id(&app, token).await?.map(Target::Access),
    };
    // RFC 7009 §2.2: a token that is none is as good as revoked.
    if let Some(target) = target {
        let revoked = revoke(&app, info, &client, target).await;
        if let Err(Fault::OAuth(error)) = &revoked
            && error.code == ErrorCode::UnauthorizedClient
        {
            let event = Event::failure(EventKind::TokenRevoked).reason("another_clients_token");
            let event = event.client(&client.client_id).request(info.address, info.id);
            let event = if client.is_public() { event } else { event.authenticated() };
            event.record_alone(&app.trail).await;
        }
        revoked?;
    }
    Ok(HttpResponse::Ok().finish())
}

enum Target {
    /// Its family goes with it, and with the family all access tokens (RFC 7009 §2.1).
    Refresh(String),
    /// That token alone; the family can go on. It is how a client gives back a token that it needs no longer.
    Access(Id),
    /// For good, with the secret before the last rotation.
    ApiKey(ApiKeyText),
}

async fn revoke(app: &App, info: RequestInfo, client: &Client, target: Target) -> Result<(), Fault> {
    let (writer, client_id, now) = (app.clone(), client.client_id.clone(), app.now());
    app.db
        .write("token.revoke", move |tx| -> Result<_, Refusal<Fault>> {
            let revoked = match &target {
                Target::Refresh(token) => revoke_family(tx, token, &client_id, now)?,
                Target::Access(jti) => revoke_access(tx, *jti, &client_id, now)?,
                Target::ApiKey(text) => {
                    let actor = Actor { clock: writer.clock.clone(), rng: writer.rng.clone(), request: Some(info) };
                    return Ok(revoke_api_key(tx, &actor, text, &client_id)?);
                }
            };
            if revoked {
                Event::success(EventKind::TokenRevoked)
                    .client(&client_id)
                    .request(info.address, info.id)
                    .record(tx, &writer.clock)
                    .map_err(Fault::from)?;
            }
            Ok(())
        })
        .await
}

fn revoke_family(tx: &mut Tx<'_>, token: &str, client_id: &str, now: Seconds) -> Result<bool, Fault> {
    let own = |grant: &Grant| if grant.client_id == client_id { Ok(()) } else { Err(issuing::foreign_token()) };
    Ok(issuing::revoke_family_of(tx, token, now, own)?.is_some())
}

fn revoke_access(tx: &mut Tx<'_>, jti: Id, client_id: &str, now: Seconds) -> Result<bool, Fault> {
    match access_tokens::state(tx.reader(), jti, now)? {
        Some(state) if state.token.client_id != client_id => Err(issuing::foreign_token()),
        Some(_) => Ok(access_tokens::revoke(tx, jti, now)?),
        None => Ok(false),
    }
}

/// Its own event tells of it.
fn revoke_api_key(tx: &mut Tx<'_>, actor: &Actor, text: &ApiKeyText, client_id: &str) -> Result<(), Fault> {
    let Some(key) = api_keys::find(tx.reader(), text.id())? else { return Ok(()) };
    let previous = key.previous.as_ref().filter(|(_, until)| *until > actor.clock.now());
    if !text.matches(&key.secret_hash) && !previous.is_some_and(|(hash, _)| text.matches(hash)) {
        return Ok(());
    }
    if key.owner != KeyOwner::Client(client_id.to_owned()) {
        return Err(issuing::foreign_token());
    }
    api_key::revoke(tx, actor, &key)?;
    Ok(())
}
