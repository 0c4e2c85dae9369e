//! Who is logged in.

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::browser;
use crate::api::problem::Problem;
use crate::app::App;
use crate::bearer::{BearerToken, bearer};
use crate::domain::{Party, User};
use crate::fault::Fault;
use crate::identity::TokenCookies;
use crate::protocol::{ErrorCode, OAuthError, Params};
use crate::request;
use crate::storage::users;

/// A person, as the operator's own apps may know them.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The same for ever, and nobody else's.
    #[schema(example = "019320a4-7a3c-7b1e-9d52-0c8f4f1f7d10")]
    sub: String,
    #[schema(example = "alice")]
    username: String,
    /// What to greet them with.
    #[schema(example = "Alice Example")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Alice")]
    given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Example")]
    family_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "alice@example.com")]
    email: Option<String>,
    /// Whether the address was shown to be theirs.
    email_verified: bool,
    #[schema(example = json!(["user"]))]
    roles: Vec<&'static str>,
    /// When they last proved who they are, in seconds since 1970.
    #[schema(example = 1_795_000_000)]
    auth_time: i64,
}

/// Who is logged in
///
/// By the access token, in its cookie or in `Authorization`, of a first-party client; never by an API key, which stands for
/// a program.
#[utoipa::path(
    get, path = "/api/v1/me", operation_id = "me", tag = "Login", security(("access_cookie" = []), ("bearer" = [])),
    responses(
        (status = 200, description = "The person", body = Me),
        (status = 400, description = "`invalid_request`: two access tokens, or one in the URL", body = Problem),
        (status = 401, description = "`invalid_token`: missing, expired or revoked; refresh, or log in", body = Problem),
        (status = 403, description = "`forbidden`: the token of a client that is not first-party", body = Problem),
    )
)]
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    if !req.query_string().is_empty() {
        return Err(
            OAuthError::invalid_request("this takes nothing in the URL, where logs and histories keep it").into()
        );
    }
    let cookie = request::cookie(&req, &app, TokenCookies::for_issuer(app.issuer()).access);
    let token = match cookie {
        Some(_) if req.headers().contains_key(AUTHORIZATION) => {
            return Err(OAuthError::invalid_request("an access token in the header and one in a cookie").into());
        }
        Some(cookie) => {
            browser::refuse_foreign(&app, &req, request::info(&req)?).await?;
            BearerToken::from_cookie(cookie)
        }
        None => BearerToken::read(req.headers(), &Params::default())?,
    };
    let state = bearer(&app, &token).await?;
    if !state.token.audience.iter().any(|audience| audience == app.issuer()) {
        return Err(OAuthError::invalid_token("its audience is another API").into());
    }
    let (Some(user_id), Some(auth_time)) = (state.user_id, state.auth_time) else {
        return Err(OAuthError::invalid_token("it stands for no person").into());
    };
    if state.party != Party::First {
        let error = "only first-party clients may ask this; others have /oauth2/userinfo";
        return Err(OAuthError::new(ErrorCode::Forbidden, error).into());
    }
    let user = app.db.read("me.user", move |conn| users::find(conn, user_id)).await?;
    let user = user.ok_or_else(|| OAuthError::invalid_token("its person is gone"))?;
    Ok(HttpResponse::Ok().json(Me::new(user, auth_time)))
}

impl Me {
    fn new(user: User, auth_time: i64) -> Self {
        Self {
            sub: user.id.to_string(),
            name: user.display_name(),
            given_name: user.given_name,
            family_name: user.family_name,
            email_verified: user.email.is_some() && user.email_verified_at.is_some(),
            roles: vec![user.role.as_str()],
            username: user.username,
            email: user.email,
            auth_time,
        }
    }
}
