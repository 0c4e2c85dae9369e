//! New tokens for a used-up refresh token: the rotation of `/oauth2/token`, for first-party apps.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::problem::{Invalid, Problem};
use crate::api::tokens::{self, Delivery, TokenAnswer};
use crate::api::{browser, json};
use crate::app::{App, RequestInfo};
use crate::domain::{ApplicationType, Grant, GrantOrigin, Scopes};
use crate::fault::Fault;
use crate::identity::TokenCookies;
use crate::issuing::{self, Ctx};
use crate::protocol::{OAuthError, Params};
use crate::request;

/// Whose tokens are to be renewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    #[serde(deserialize_with = "json::text")]
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "my-app")]
    client_id: String,
    /// Of a native app, which must send it. A browser's is in its cookie.
    #[serde(default, deserialize_with = "json::optional_secret")]
    #[schema(value_type = Option<String>, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "lwrt_...")]
    refresh_token: Option<SecretString>,
}

/// Renew the tokens
///
/// A refresh token is for one use: the answer has its successor. For `refresh_retry_seconds` (30 by default) a used one gets
/// the live token of its family, as answers get lost and apps refresh in parallel; after that it counts as stolen, and the
/// whole family ends.
///
/// Tokens that came by cookie leave by cookie, and want the header `X-CSRF-Token`.
#[utoipa::path(
    post, path = "/api/v1/token/refresh", operation_id = "refresh", tag = "Login", security((), ("refresh_cookie" = [], "csrf" = [])),
    request_body = RefreshRequest,
    responses(
        (status = 200, description = "Renewed", body = TokenAnswer,
         headers(("Set-Cookie" = String, description = "For browsers: `__Host-latchway_access`, `__Host-latchway_refresh`, `__Host-latchway_csrf`"))),
        Invalid,
        (status = 401, description = "`invalid_client`: no active client of that name", body = Problem),
        (status = 403, description = "`forbidden`: a page of another origin, or no CSRF token", body = Problem),
    )
)]
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    browser::refuse_foreign(&app, &req, info).await?;
    let asked: RefreshRequest = json::read(&req, &body)?;
    let (presented, delivery) = presented(&app, &req, info, asked.refresh_token).await?;
    tokens::with_client(&app, &asked.client_id, async |client| {
        if delivery == Delivery::Body && client.application_type == ApplicationType::Web {
            return Err(in_the_cookie().into());
        }
        let (app, now, params) = (App::clone(&app), app.now(), Arc::new(Params::default()));
        let ctx = Ctx { app, info, client, params, now };
        let shared = presented.clone();
        let single_use = Some(presented.expose_secret());
        let draft = issuing::transact(&ctx, "refresh.first_party", single_use, move |ctx, tx| {
            issuing::refresh(ctx, tx, shared.expose_secret(), whole_scope)
        });
        tokens::answer(&ctx, &draft.await?, delivery, None)
    })
    .await
}

/// A family that began at the authorization endpoint goes on at the token endpoint.
fn whole_scope(grant: &Grant) -> Result<Scopes, Fault> {
    match grant.origin {
        GrantOrigin::FirstParty => Ok(grant.scope.clone()),
        GrantOrigin::Authorization | GrantOrigin::Device => {
            Err(OAuthError::invalid_grant("this refresh token is for the token endpoint, /oauth2/token").into())
        }
    }
}

fn in_the_cookie() -> OAuthError {
    OAuthError::invalid_request("the refresh token of a web app stays in its cookie; leave refresh_token out")
}

/// The one refresh token, by the way on which it came.
async fn presented(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    in_body: Option<SecretString>,
) -> Result<(SecretString, Delivery), Fault> {
    let cookie = request::cookie(req, app, TokenCookies::for_issuer(app.issuer()).refresh);
    match (in_body, cookie) {
        (Some(_), Some(_)) => {
            Err(OAuthError::invalid_request("a refresh token in the body and one in a cookie").into())
        }
        (Some(_), None) if browser::is_browser(req) => Err(in_the_cookie().into()),
        (Some(token), None) => Ok((token, Delivery::Body)),
        (None, Some(cookie)) => {
            browser::check_csrf(app, req, info, &cookie).await?;
            Ok((cookie.into(), Delivery::Cookies))
        }
        // A browser that has none has to log in, which its app learns by the code.
        (None, None) if browser::is_browser(req) => {
            Err(OAuthError::invalid_grant("there is no refresh token in a cookie").into())
        }
        (None, None) => Err(OAuthError::invalid_request("refresh_token is missing").into()),
    }
}
