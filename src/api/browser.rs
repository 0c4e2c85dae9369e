//! What makes a browser's request trustworthy: it comes from a page of this origin, and whoever made it could read the
//! family's CSRF token.

use actix_web::HttpRequest;

use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::fault::Fault;
use crate::identity::csrf;
use crate::protocol::{ErrorCode, OAuthError};
use crate::request;

/// The header in which scripts repeat what they read from the CSRF cookie.
const CSRF_HEADER: &str = "x-csrf-token";
/// What the token is made for, besides the refresh token.
const PURPOSE: &str = "first-party api";

/// Whether a browser made this request, by the headers that browsers set and no script can leave out.
pub fn is_browser(req: &HttpRequest) -> bool {
    req.headers().contains_key("sec-fetch-site") || req.headers().contains_key("origin")
}

/// The CSRF token that belongs to a refresh token: it tells nothing of it, and is another one after each use.
pub fn csrf_token(refresh_token: &str) -> String {
    csrf::token(refresh_token, PURPOSE)
}

/// Refuses what a page of another origin made a browser send, before anything of it is looked at. The origin of a
/// sandboxed or local page is `null` and counts as another, unless the browser says that it is ours.
pub async fn refuse_foreign(app: &App, req: &HttpRequest, info: RequestInfo) -> Result<(), Fault> {
    let opaque = req.headers().get("origin").is_some_and(|origin| origin == "null");
    let vouched = req.headers().contains_key("sec-fetch-site");
    if request::is_cross_site(req, app) || opaque && !vouched {
        let error = "this takes requests of a browser from pages of the issuer's own origin alone";
        return Err(forged(app, info, error).await);
    }
    Ok(())
}

/// Refuses a request by cookie without the proof that a script of ours made it.
pub async fn check_csrf(app: &App, req: &HttpRequest, info: RequestInfo, refresh_token: &str) -> Result<(), Fault> {
    let mut values = req.headers().get_all(CSRF_HEADER).map(|value| value.to_str().unwrap_or_default());
    let (sent, more) = (values.next(), values.next());
    if more.is_none() && csrf::is_valid(sent, refresh_token, PURPOSE) {
        return Ok(());
    }
    Err(forged(app, info, "the header X-CSRF-Token must repeat the value of the CSRF cookie").await)
}

async fn forged(app: &App, info: RequestInfo, error: &'static str) -> Fault {
    Event::failure(EventKind::CsrfRejected)
        .reason("not_our_page")
        .request(info.address, info.id)
        .detail(serde_json::json!({"form": "api"}))
        .record_alone(&app.trail)
        .await;
    OAuthError::new(ErrorCode::Forbidden, error).into()
}
