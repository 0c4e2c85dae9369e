//! The userinfo endpoint (OIDC Core §5.3).

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::bearer::{BearerToken, bearer};
use crate::domain::{OPENID, User};
use crate::fault::Fault;
use crate::protocol::{OAuthError, Params, UserInfo};
use crate::request;
use crate::storage::access_tokens::TokenState;
use crate::storage::users;

/// `GET` and `POST /oauth2/userinfo`
pub async fn handle(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    if request::query(&req)?.has("access_token") {
        // RFC 9700 §4.3.2: a token in a URL ends up in logs and histories.
        return Err(OAuthError::invalid_request("the access token must not be in the URL").into());
    }
    let form = if req.method() == Method::POST && !body.is_empty() {
        request::form(req.headers(), &body)?
    } else {
        Params::default()
    };
    let token = BearerToken::read(req.headers(), &form)?;
    let state = bearer(&app, &token).await?;
    if !state.token.audience.iter().any(|audience| audience == app.issuer()) {
        return Err(OAuthError::invalid_token("its audience is another API").into());
    }
    if !state.token.scope.contains(OPENID) {
        return Err(OAuthError::insufficient_scope(OPENID).into());
    }
    let user_id = state.user_id.ok_or_else(|| OAuthError::invalid_token("it stands for no person"))?;
    let user = app.db.read("userinfo.user", move |conn| users::find(conn, user_id)).await?;
    let user = user.ok_or_else(|| OAuthError::invalid_token("its person is gone"))?;
    Ok(HttpResponse::Ok().json(claims(&state, user)))
}

fn claims(state: &TokenState, user: User) -> UserInfo {
    let mut info = UserInfo { sub: user.id.to_string(), ..UserInfo::default() };
    if state.token.scope.contains("profile") {
        info.name = Some(user.display_name().to_owned());
        info.preferred_username = Some(user.username);
        info.updated_at = Some(user.updated_at);
    }
    if state.token.scope.contains("email")
        && let Some(email) = user.email
    {
        info.email = Some(email);
        info.email_verified = Some(user.email_verified_at.is_some());
    }
    info
}
