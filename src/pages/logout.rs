//! `/logout`: asks, ends the session, and says so.

use actix_web::http::StatusCode;
use actix_web::{Either, HttpRequest, HttpResponse, web};

use super::view::{LoggedOutPage, LogoutPage};
use super::{forms, render};
use crate::app::App;
use crate::audit::{Event, EventKind};
use crate::fault::Fault;
use crate::flow::Answer;
use crate::identity::{self, csrf};
use crate::protocol::endpoints;
use crate::request;
use crate::storage::{Refusal, StorageError};

/// `GET /logout`, for a link or a typed address: nothing ends by being looked at.
pub async fn ask(app: web::Data<App>, req: HttpRequest) -> Result<Either<HttpResponse, Answer>, Fault> {
    let Some((current, cookie)) = forms::logged_in(&app, &req).await? else {
        return Ok(Either::Right(Answer::local(endpoints::LOGGED_OUT)));
    };
    let page = LogoutPage { layout: render::layout(&app, Some(&current.user)), csrf: csrf::token(&cookie, "account") };
    Ok(Either::Left(render::page(&page, StatusCode::OK, None)?))
}

/// `POST /logout`
pub async fn post(app: web::Data<App>, req: HttpRequest, body: web::Bytes) -> Result<Answer, Fault> {
    let info = request::info(&req)?;
    let form = request::page_form(&req, &body)?;
    let gone = Answer::local(endpoints::LOGGED_OUT);
    // A cross-site form comes without the cookie, by SameSite: taking the cookie away here would log out whoever was led
    // to send it.
    let Some((current, cookie)) = forms::logged_in(&app, &req).await? else { return Ok(gone) };
    forms::check(&app, &req, info, &form, &cookie, "account").await?;
    let (writer, now) = (app.clone(), app.now());
    app.db
        .write("logout", move |tx| -> Result<_, Refusal<StorageError>> {
            identity::end(tx, &current.session, now)?;
            let event = Event::success(EventKind::LoggedOut).subject(current.user.id).request(info.address, info.id);
            Ok(event.record(tx, &writer.clock)?)
        })
        .await?;
    Ok(gone.with_cookie(app.cookies.remove(app.cookies.session)))
}

/// `GET /logged-out`
pub async fn get(app: web::Data<App>) -> Result<HttpResponse, Fault> {
    render::page(&LoggedOutPage { layout: render::layout(&app, None) }, StatusCode::OK, None)
}
