//! What every form of ours goes through before anything of it is believed.

use actix_web::HttpRequest;

use crate::app::{App, RequestInfo};
use crate::audit::{Event, EventKind};
use crate::fault::{Fault, Problem, WayBack};
use crate::flow;
use crate::identity::{CurrentSession, csrf};
use crate::protocol::Params;
use crate::request;

/// Refuses a form that another site sent or made. `cookie` is what the form's token was made of.
pub async fn check(
    app: &App,
    req: &HttpRequest,
    info: RequestInfo,
    form: &Params,
    cookie: &str,
    purpose: &str,
) -> Result<(), Fault> {
    let ours = !request::is_cross_site(req, app)
        && !form.is_repeated("csrf")
        && csrf::is_valid(form.get("csrf"), cookie, purpose);
    if ours {
        return Ok(());
    }
    Event::failure(EventKind::CsrfRejected)
        .reason("not_our_form")
        .request(info.address, info.id)
        .detail(serde_json::json!({"form": purpose.split(' ').next()}))
        .record_alone(&app.trail)
        .await;
    let refusal = Fault::page(Problem::Forged, "the form's token or origin is not ours");
    Err(refusal.with_way_back(way_back(app, req, form).await))
}

/// The app of the login that a form belongs to, if this browser began it.
async fn way_back(app: &App, req: &HttpRequest, form: &Params) -> Option<WayBack> {
    let browser = request::cookie(req, app, app.cookies.browser);
    let transaction = flow::load(app, form.get("transaction")?, browser.as_deref()).await.ok()?;
    flow::way_back(app, &transaction).await
}

/// Who is logged in, with the cookie that says so; `None` sends to the login page.
pub async fn logged_in(app: &App, req: &HttpRequest) -> Result<Option<(CurrentSession, String)>, Fault> {
    let Some(cookie) = request::cookie(req, app, app.cookies.session) else { return Ok(None) };
    let session = request::session(req, app).await?;
    Ok(session.map(|session| (session, cookie)))
}

/// The browser's cookie, or the page that says that it is missing.
pub fn browser_cookie(app: &App, req: &HttpRequest) -> Result<String, Fault> {
    request::cookie(req, app, app.cookies.browser)
        .ok_or_else(|| Fault::page(Problem::CookiesMissing, "the browser's cookie is missing"))
}
