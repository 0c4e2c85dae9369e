//! Tokens on their way to a first-party app: in the body for native ones, in cookies for browsers.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::SET_COOKIE;
use serde::Serialize;
use utoipa::ToSchema;

use super::browser;
use crate::app::App;
use crate::domain::Client;
use crate::fault::Fault;
use crate::identity::TokenCookies;
use crate::issuing::{self, Signed, client};
use crate::protocol::{ErrorCode, OAuthError};

/// Where tokens go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Body,
    /// Out of reach of scripts.
    Cookies,
}

/// What a login or a refresh answers with.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum TokenAnswer {
    Body(Tokens),
    Cookies(TokensInCookies),
}

/// For native apps: a token response (RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// A JWT (RFC 9068).
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token has left.
    #[schema(example = 900)]
    expires_in: i64,
    /// For one use, at `/api/v1/token/refresh`.
    #[schema(example = "lwrt_...")]
    refresh_token: String,
    /// What the access token allows.
    #[schema(example = "orders:read profile")]
    scope: String,
    /// After a login: what the app keeps for this person and sends with the next login, so that others' wrong passwords do
    /// not keep the person out. It is no credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    device_mark: Option<String>,
}

/// For browsers: the tokens are in cookies that no script can read.
#[derive(Serialize, ToSchema)]
pub struct TokensInCookies {
    /// Seconds that the access token has left.
    #[schema(example = 900)]
    expires_in: i64,
    /// What the access token allows.
    #[schema(example = "orders:read profile")]
    scope: String,
    /// To be sent as `X-CSRF-Token`; the cookie `__Host-latchway_csrf` has it too.
    csrf_token: String,
}

/// Does something with the client as it was a moment ago, and again with the client as it is if it was changed since.
pub async fn with_client<T>(
    app: &App,
    client_id: &str,
    work: impl AsyncFn(Arc<Client>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let client = match client::recent(app, client_id).await? {
        Some(client) if client.is_first_party() => client,
        // A refusal is never spoken from memory.
        _ => first_party(app, client_id).await?,
    };
    match work(client).await {
        Err(Fault::ClientChanged) => work(first_party(app, client_id).await?).await,
        done => done,
    }
}

async fn first_party(app: &App, client_id: &str) -> Result<Arc<Client>, Fault> {
    let client = client::fresh(app, client_id).await?;
    let client = client.ok_or_else(|| OAuthError::invalid_client("no active client at the first-party API"))?;
    if client.is_first_party() {
        Ok(client)
    } else {
        let error = "this client is not marked first-party; send people to the authorization endpoint";
        Err(OAuthError::new(ErrorCode::UnauthorizedClient, error).into())
    }
}

/// Signs what was decided, and answers with it. `device_mark` goes into the body where the tokens do.
pub fn answer(
    ctx: &issuing::Ctx,
    draft: &issuing::Draft,
    delivery: Delivery,
    device_mark: Option<String>,
) -> Result<HttpResponse, Fault> {
    let Signed { access_token, expires_in, scope, refresh_token } = issuing::sign(ctx, draft)?;
    let refresh_token =
        refresh_token.ok_or_else(|| OAuthError::server_error("a first-party family without a refresh token"))?;
    if delivery == Delivery::Body {
        let body = Tokens { access_token, token_type: "Bearer", expires_in, refresh_token, scope, device_mark };
        return Ok(HttpResponse::Ok().json(TokenAnswer::Body(body)));
    }
    let cookies = TokenCookies::for_issuer(ctx.app.issuer());
    let csrf_token = browser::csrf_token(&refresh_token);
    let values = [(cookies.access, &access_token), (cookies.refresh, &refresh_token), (cookies.csrf, &csrf_token)];
    let mut response = HttpResponse::Ok();
    for (name, value) in values {
        let cookie = cookies.set(name, value).ok_or_else(|| {
            OAuthError::new(ErrorCode::InvalidScope, "scope and resource name more than a cookie can carry")
        })?;
        response.append_header((SET_COOKIE, cookie));
    }
    Ok(response.json(TokenAnswer::Cookies(TokensInCookies { expires_in, scope, csrf_token })))
}
