//! The token endpoint (RFC 6749 §3.2): reads the form, dispatches to the grant, and answers.

use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, HttpResponse, web};

use super::GRANTS;
use super::grant::{Grant, Redeem};
use crate::app::{App, RequestInfo};
use crate::audit::EventKind;
use crate::domain::{Client, GrantType, OPENID};
use crate::fault::Fault;
use crate::issuing::{self, Ctx, Draft};
use crate::oauth::client_auth::{self, Freshness};
use crate::oidc;
use crate::protocol::{ErrorCode, OAuthError, Params, TokenResponse};
use crate::request;
use crate::storage::{Issue, Issued};

/// `POST /oauth2/token`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    let params = Arc::new(prologue(&req, &body)?);
    let answer = serve(&app, info, req.headers(), &params, Freshness::Recent).await;
    let answer = match answer {
        Err(Fault::ClientChanged) => serve(&app, info, req.headers(), &params, Freshness::Now).await,
        answer => answer,
    };
    let outcome = match &answer {
        Ok(_) => "success",
        Err(Fault::OAuth(error)) if error.code.is_waiting() => "pending",
        Err(_) => "failure",
    };
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
    let ctx = Ctx { app: app.clone(), info, client, params: params.clone(), now: app.now() };
    let draft = match (check_permission(&ctx.client, grant, headers), &grant.redeem) {
        (Err(fault), _) => Err(issuing::record_failure(&ctx, fault).await),
        (Ok(()), Redeem::Plain(redeem)) => match redeem(&ctx) {
            Ok(draft) => issue(&ctx, draft).await,
            Err(fault) => Err(issuing::record_failure(&ctx, fault).await),
        },
        (Ok(()), Redeem::InTransaction(redeem)) => {
            let single_use = grant.single_use.and_then(|name| ctx.params.get(name));
            issuing::transact(&ctx, "token.redeem", single_use, *redeem).await
        }
    };
    epilogue(&ctx, &draft?)
}

fn check_permission(client: &Client, grant: &Grant, headers: &HeaderMap) -> Result<(), Fault> {
    if client.may_use(grant.grant_type) {
        return Ok(());
    }
    if client.is_public() && grant.grant_type == GrantType::ClientCredentials {
        return Err(client_auth::refusal(headers, "a public client asked for client_credentials").into());
    }
    Err(OAuthError::new(ErrorCode::UnauthorizedClient, "this client is not registered for this grant_type").into())
}

async fn issue(ctx: &Ctx, draft: Draft) -> Result<Draft, Fault> {
    let issue = Issue {
        token: draft.token.clone(),
        audit: draft.audit(ctx).stamp(&ctx.app.clock),
        client_version: ctx.client.version,
    };
    match ctx.app.db.issue(issue).await? {
        Issued::Yes => Ok(draft),
        Issued::ClientChanged => Err(Fault::ClientChanged),
    }
}

/// After the commit: sign and answer.
fn epilogue(ctx: &Ctx, draft: &Draft) -> Result<HttpResponse, Fault> {
    let signed = issuing::sign(ctx, draft)?;
    let id_token = match &draft.person {
        Some((user, grant)) if draft.token.scope.contains(OPENID) => {
            let nonce = (draft.event == EventKind::TokenIssued).then_some(grant.nonce.as_deref()).flatten();
            let ring = ctx.app.keys.snapshot();
            let about = oidc::id_token::About {
                client: &ctx.client,
                user,
                grant,
                scope: &draft.token.scope,
                nonce,
                access_token: &signed.access_token,
            };
            Some(oidc::id_token::issue(&ctx.app, &ring, &about)?)
        }
        _ => None,
    };
    let answer = TokenResponse {
        access_token: &signed.access_token,
        token_type: "Bearer",
        expires_in: signed.expires_in,
        scope: &signed.scope,
        refresh_token: signed.refresh_token.as_deref(),
        id_token: id_token.as_deref(),
    };
    Ok(HttpResponse::Ok().json(answer))
}
