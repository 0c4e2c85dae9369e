//! The end of a family of tokens.

use actix_web::http::header::{AUTHORIZATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::api::problem::{Invalid, Problem};
use crate::api::{browser, json};
use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::bearer::BearerToken;
use crate::domain::{Grant, GrantOrigin};
use crate::fault::Fault;
use crate::identity::TokenCookies;
use crate::issuing;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::request;
use crate::storage::{Refusal, Tx};
use crate::support::Id;

/// Which family is to end, where neither a cookie nor `Authorization` tells.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogoutRequest {
    #[serde(default, deserialize_with = "json::optional_text")]
    #[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "my-app")]
    client_id: Option<String>,
    /// Of a native app. A browser's is in its cookie.
    #[serde(default, deserialize_with = "json::optional_secret")]
    #[schema(value_type = Option<String>, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$", example = "lwrt_...")]
    refresh_token: Option<SecretString>,
}

/// Log out
///
/// Ends the whole family at once and everywhere: its refresh token and every access token that came of it. In a browser
/// the cookies go too. Doing it twice is as good as once.
#[utoipa::path(
    post, path = "/api/v1/logout", operation_id = "logout", tag = "Login",
    security((), ("refresh_cookie" = [], "csrf" = []), ("bearer" = [])),
    request_body(content = Option<LogoutRequest>),
    responses(
        (status = 204, description = "Nothing of it works any more",
         headers(("Set-Cookie" = String, description = "For browsers: removes the three cookies"))),
        Invalid,
        (status = 401, description = "`invalid_token`: the access token in `Authorization` is none, or has expired", body = Problem),
        (status = 403, description = "`forbidden`: a page of another origin, or no CSRF token", body = Problem),
    )
)]
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let info = request::info(&req)?;
    browser::refuse_foreign(&app, &req, info).await?;
    let asked: LogoutRequest = if body.is_empty() { LogoutRequest::default() } else { json::read(&req, &body)? };
    let cookies = TokenCookies::for_issuer(app.issuer());
    let cookie = request::cookie(&req, &app, cookies.refresh);
    if let Some(cookie) = &cookie {
        browser::check_csrf(&app, &req, info, cookie).await?;
    }
    let access = match req.headers().contains_key(AUTHORIZATION) {
        true => Some(BearerToken::read(req.headers(), &Params::default())?.verified_id(&app).await?),
        false => None,
    };
    let for_browser = cookie.is_some() || browser::is_browser(&req);
    if cookie.is_none() && asked.refresh_token.is_none() && access.is_none() && !for_browser {
        return Err(OAuthError::invalid_request("refresh_token is missing").into());
    }
    let refresh = [cookie.map(SecretString::from), asked.refresh_token].into_iter().flatten().collect();
    end(&app, info, Ending { client_id: asked.client_id, refresh, access }).await?;
    let mut response = HttpResponse::NoContent();
    if for_browser {
        for removal in cookies.remove() {
            response.append_header((SET_COOKIE, removal));
        }
    }
    Ok(response.finish())
}

/// All that a request showed of what is to end.
struct Ending {
    client_id: Option<String>,
    refresh: Vec<SecretString>,
    access: Option<Id>,
}

async fn end(app: &App, info: RequestInfo, ending: Ending) -> Result<(), Fault> {
    let (writer, now) = (app.clone(), app.now());
    app.db
        .write("logout.first_party", move |tx| -> Result<_, Refusal<Fault>> {
            let own = |grant: &Grant| is_own(grant, ending.client_id.as_deref());
            let mut ended = Vec::new();
            for token in &ending.refresh {
                ended.extend(issuing::revoke_family_of(tx, token.expose_secret(), now, own)?);
            }
            if let Some(jti) = ending.access {
                ended.extend(issuing::revoke_family_with(tx, jti, now, own)?);
            }
            ended.iter().try_for_each(|grant| record(&writer, info, tx, grant))?;
            Ok(())
        })
        .await
}

/// Whether this is the endpoint for it: what a person allowed to somebody else's app is revoked elsewhere.
fn is_own(grant: &Grant, client_id: Option<&str>) -> Result<(), Fault> {
    if client_id.is_some_and(|client_id| client_id != grant.client_id) {
        return Err(issuing::foreign_token());
    }
    match grant.origin {
        GrantOrigin::FirstParty => Ok(()),
        GrantOrigin::Authorization | GrantOrigin::Device => {
            let error = "the token came from the token endpoint; revoke it at /oauth2/revoke";
            Err(OAuthError::new(ErrorCode::UnauthorizedClient, error).into())
        }
    }
}

fn record(app: &App, info: RequestInfo, tx: &mut Tx<'_>, grant: &Grant) -> Result<(), Fault> {
    Ok(Event::success(EventKind::LoggedOut)
        .client(&grant.client_id)
        .subject(grant.user_id)
        .request(info.address, info.id)
        .record(tx, &app.clock)?)
}
