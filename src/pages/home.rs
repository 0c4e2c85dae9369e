use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::render;
use super::view::HomePage;
use crate::app::App;
use crate::fault::Fault;
use crate::request;

/// `GET /`
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let session = request::session(&req, &app).await?;
    let layout = render::layout(&app, session.as_ref().map(|session| &session.user));
    render::page(&HomePage { layout }, StatusCode::OK, None)
}
