//! `GET /`: the start page.

use actix_web::http::StatusCode;
use actix_web::{Either, HttpRequest, HttpResponse, web};

use super::first_steps::FirstSteps;
use super::render;
use super::view::HomePage;
use crate::app::{App, Mode};
use crate::fault::Fault;
use crate::flow::Answer;
use crate::protocol::endpoints;
use crate::request;

/// `GET /`
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<Either<HttpResponse, Answer>, Fault> {
    if app.mode == Mode::Mock {
        // A developer who opens the issuer wants to know what the mock is.
        return Ok(Either::Right(Answer::local(endpoints::MOCK)));
    }
    let session = request::session(&req, &app).await?;
    let layout = render::layout(&app, session.as_ref().map(|session| &session.user));
    let first_steps = (app.mode == Mode::Dev).then(|| FirstSteps::of(&app));
    render::page(&HomePage { layout, first_steps }, StatusCode::OK, None).map(Either::Left)
}
