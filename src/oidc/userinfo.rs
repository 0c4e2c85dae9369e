//! The userinfo endpoint (OIDC Core §5.3).

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

use super::of_person;
use crate::app::App;
use crate::bearer::{BearerToken, bearer};
use crate::domain::OPENID;
use crate::fault::Fault;
use crate::protocol::{OAuthError, Params};
use crate::request;
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
    Ok(HttpResponse::Ok().json(of_person(&user, &state.token.scope)))
}
