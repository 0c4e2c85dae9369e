//! `POST /login/cancel`: a person who does not want to log in goes back to the app, which learns that (RFC 6749 §4.1.2.1).

use actix_web::{HttpRequest, web};

use super::forms;
use super::login::client_of;
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::fault::Fault;
use crate::flow::{self, Answer};
use crate::protocol::{ErrorCode, OAuthError};
use crate::request;

/// The login stays as it is: nothing was decided by anyone who is known, and whoever steps back may log in after all.
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let form = request::page_form(&req, &body)?;
    let browser = forms::browser_cookie(&app, &req)?;
    let id = form.get("transaction").unwrap_or_default();
    forms::check(&app, &req, info, &form, &browser, &flow::purpose("login", id)).await?;
    let transaction = flow::load_waiting(&app, id, Some(&browser)).await?;
    let client = client_of(&app, info, &transaction).await?;
    let error = OAuthError::new(ErrorCode::AccessDenied, "the login was cancelled");
    request::note_refusal(&client.client_id, &error);
    Event::failure(EventKind::AuthzRefused)
        .reason("login_cancelled")
        .client(&client.client_id)
        .request(info.address, info.id)
        .record_alone(&app.trail)
        .await;
    Ok(flow::refuse(&transaction.request().target, &error, app.issuer()))
}
