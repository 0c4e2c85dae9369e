//! `/playground`: the page that plays an app, in development mode.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use secrecy::ExposeSecret;

use super::view::PlaygroundPage;
use super::{policy, render};
use crate::app::App;
use crate::fault::{Fault, Problem};
use crate::protocol::endpoints;
use crate::request;

/// `GET /playground` and `GET /playground/callback`, in development mode alone.
pub async fn get(app: web::Data<App>, req: HttpRequest) -> Result<HttpResponse, Fault> {
    let Some(playground) = &app.playground else { return Err(Fault::Page(Problem::NotFound, None)) };
    let session = request::session(&req, &app).await?;
    let page = PlaygroundPage {
        layout: render::layout(&app, session.as_ref().map(|session| &session.user)),
        issuer: app.issuer().to_owned(),
        client_id: playground.client_id.clone(),
        scope: playground.scope.clone(),
        redirect_uri: app.url(endpoints::PLAYGROUND_CALLBACK),
        api_client_id: playground.api_client_id.clone(),
        api_client_secret: playground.api_client_secret.expose_secret().to_owned(),
        resource: playground.resource.clone(),
    };
    render::page(&page, StatusCode::OK, Some(policy::playground()))
}
