use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};

use super::steps::{Ctx, Draft};
use super::{GRANTS, Grant, Redeem};
use crate::app::{App, RequestInfo};
use crate::audit::EventKind;
use crate::domain::{AccessToken, Client, GrantType, OPENID};
use crate::fault::Fault;
use crate::keys::{self, Jwt};
use crate::oauth::client_auth::{self, Freshness};
use crate::oidc;
use crate::protocol::{ErrorCode, JwtClaims, OAuthError, Params, TokenResponse};
use crate::request;
use crate::storage::{Issue, Issued, Refusal, Tx};

/// `POST /oauth2/token`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let params = Arc::new(prologue(&req, &body)?);
    let answer = serve(&app, info, req.headers(), &params, Freshness::Recent).await;
    let answer = match answer {
        Err(Fault::ClientChanged) => serve(&app, info, req.headers(), &params, Freshness::Now).await,
        answer => answer,
    };
    let outcome = if answer.is_ok() { "success" } else { "failure" };
    metrics::counter!("latchway_token_requests_total", "grant" => grant_label(&params), "outcome" => outcome)
        .increment(1);
    answer
}

/// A label from a fixed set, whatever was sent.
fn grant_label(params: &Params) -> &'static str {
    params.get("grant_type").and_then(|name| name.parse::<GrantType>().ok()).map_or("other", GrantType::as_str)
}

/// What holds for every grant before anybody is authenticated.
fn prologue(req: &HttpRequest, body: &[u8]) -> Result<Params, Fault> {
    let params = request::body_only(req, body)?;
    if req.headers().contains_key("dpop") {
        return Err(OAuthError::new(ErrorCode::InvalidDpopProof, "DPoP is not supported by this server").into());
    }
    let common = ["grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type"];
    let own = GRANTS.iter().flat_map(|grant| grant.parameters);
    let known: Vec<&str> = common.iter().chain(own).copied().collect();
    match params.first_repeated(&known) {
        Some(name) => Err(OAuthError::invalid_request(format!("{name} is given more than once")).into()),
        None => Ok(params),
    }
}

async fn serve(
    app: &App,
    info: RequestInfo,
    headers: &HeaderMap,
    params: &Arc<Params>,
    freshness: Freshness,
) -> Result<HttpResponse, Fault> {
    // An assertion is used up by the first look at it, so that look must be at the client as it is.
    let freshness = if params.has("client_assertion") { Freshness::Now } else { freshness };
    let grant_type = params.get("grant_type").ok_or_else(|| OAuthError::invalid_request("grant_type is missing"))?;
    let grant = GRANTS.iter().find(|grant| grant.grant_type.as_str() == grant_type).ok_or_else(|| {
        OAuthError::new(ErrorCode::UnsupportedGrantType, "grant_type is none that this server supports")
    })?;
    let client = client_auth::authenticate(app, info, headers, params, freshness).await?;
    check_permission(&client, grant)?;
    let ctx = Ctx { app: app.clone(), info, client, params: params.clone(), now: app.now() };
    let draft = match grant.redeem {
        Redeem::Plain(redeem) => issue(&ctx, redeem(&ctx)?).await?,
        Redeem::InTransaction(redeem) => transact(&ctx, redeem).await?,
    };
    epilogue(&ctx, &draft)
}

fn check_permission(client: &Client, grant: &Grant) -> Result<(), Fault> {
    if client.may_use(grant.grant_type) {
        return Ok(());
    }
    if client.is_public() && grant.grant_type == GrantType::ClientCredentials {
        return Err(OAuthError::invalid_client("a public client asked for client_credentials").into());
    }
    Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client is not registered for this grant_type").into())
}

async fn issue(ctx: &Ctx, draft: Draft) -> Result<Draft, Fault> {
    let issue = Issue {
        token: draft.token.clone(),
        audit: issued_event(ctx, &draft).stamp(&ctx.app.clock, &ctx.app.rng),
        client_version: ctx.client.version,
    };
    match ctx.app.db.issue(issue).await? {
        Issued::Yes => Ok(draft),
        Issued::ClientChanged => Err(Fault::ClientChanged),
    }
}

async fn transact(ctx: &Ctx, redeem: fn(&Ctx, &mut Tx<'_>) -> Result<Draft, Refusal<Fault>>) -> Result<Draft, Fault> {
    let shared = ctx.clone();
    ctx.app
        .db
        .write("token.redeem", move |tx| -> Result<_, Refusal<Fault>> {
            let ctx = &shared;
            if tx.client_version(&ctx.client.client_id).map_err(Fault::from)? != Some(ctx.client.version) {
                return Err(Fault::ClientChanged.into());
            }
            let draft = redeem(ctx, tx)?;
            ctx.record(tx, issued_event(ctx, &draft))?;
            Ok(draft)
        })
        .await
}

fn issued_event(ctx: &Ctx, draft: &Draft) -> crate::audit::Event {
    let event = ctx.event(draft.event, true);
    match &draft.person {
        Some((user, grant)) => event.subject(user.id).detail(serde_json::json!({"family": grant.id})),
        None => event,
    }
}

/// After the commit: sign and answer.
fn epilogue(ctx: &Ctx, draft: &Draft) -> Result<HttpResponse, Fault> {
    let failed = |e: keys::KeyError| Fault::from(OAuthError::server_error(e.to_string()));
    let ring = ctx.app.keys.snapshot();
    let scope = draft.token.scope.to_string();
    let claims = access_claims(ctx, draft, &scope);
    let key = ring.signing(ctx.app.access_token_alg, ctx.now).map_err(failed)?;
    let access_token = keys::sign(key, Jwt::AccessToken, &claims).map_err(failed)?;
    let id_token = match &draft.person {
        Some((user, grant)) if draft.token.scope.contains(OPENID) => {
            let nonce = (draft.event == EventKind::TokenIssued).then_some(grant.nonce.as_deref()).flatten();
            Some(oidc::id_token::issue(&ctx.app, &ring, &ctx.client, user, grant, nonce, &access_token)?)
        }
        _ => None,
    };
    let answer = TokenResponse {
        access_token: &access_token,
        token_type: "Bearer",
        expires_in: draft.token.expires_at - ctx.now,
        scope: &scope,
        refresh_token: draft.refresh_token.as_deref(),
        id_token: id_token.as_deref(),
    };
    Ok(HttpResponse::Ok().json(answer))
}

fn access_claims<'a>(ctx: &'a Ctx, draft: &'a Draft, scope: &'a str) -> JwtClaims<'a> {
    let AccessToken { subject, audience, client_id, jti, issued_at, expires_at, .. } = &draft.token;
    let person = draft.person.as_ref();
    JwtClaims {
        iss: ctx.app.issuer(),
        sub: subject,
        aud: audience,
        client_id,
        scope,
        jti: jti.to_string(),
        iat: *issued_at,
        exp: *expires_at,
        auth_time: person.map(|(_, grant)| grant.auth_time),
        acr: person.map(|_| oidc::ACR_PASSWORD),
        amr: person.map(|_| oidc::AMR_PASSWORD),
    }
}
