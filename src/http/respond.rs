//! How answers to browsers become HTTP: a redirect where the browser comes from elsewhere, a page after a form.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use askama::Template;

use crate::app::App;
use crate::flow::Answer;
use crate::pages::view::{ClientView, FormPostPage, Name, OnwardPage};
use crate::pages::{policy, render};
use crate::request;
use crate::route::Onward;
use crate::support::random_token;

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, req: &HttpRequest) -> HttpResponse {
        let (mut response, cookies) = match self {
            Self::Local { path, cookies } => (see_other(&path), cookies),
            Self::Onward { location, cookies, .. } if redirects(req) => (see_other(&location), cookies),
            Self::Onward { location, name, cookies } => (onward(req, location, name.as_deref()), cookies),
            Self::FormPost { client_name, action, fields, cookies } => {
                (form_post(req, &client_name, action, fields), cookies)
            }
        };
        for cookie in cookies {
            if let Ok(value) = cookie.parse() {
                response.headers_mut().append(SET_COOKIE, value);
            }
        }
        response
    }
}

/// Whether a browser may be sent from here to another site by a redirect.
fn redirects(req: &HttpRequest) -> bool {
    request::info(req).is_ok_and(|info| info.route.onward == Onward::Redirect)
}

/// RFC 9700 §4.12: 303, so that no browser posts a password on.
fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}

/// A page of ours that goes on by itself: what follows a form ends here, and what begins here is no form's redirect.
fn onward(req: &HttpRequest, location: String, name: Option<&str>) -> HttpResponse {
    let Some(app) = req.app_data::<web::Data<App>>() else { return HttpResponse::InternalServerError().finish() };
    let page = OnwardPage { layout: render::layout(app, None), name: name.map(Name::from), location };
    rendered(&page, policy::page())
}

fn form_post(req: &HttpRequest, client_name: &str, action: String, fields: Vec<(String, String)>) -> HttpResponse {
    use secrecy::ExposeSecret;
    let Some(app) = req.app_data::<web::Data<App>>() else { return HttpResponse::InternalServerError().finish() };
    let nonce = random_token(&app.rng).expose_secret().to_owned();
    let policy = policy::form_post(&nonce);
    let page = FormPostPage {
        layout: render::layout(app, None),
        client: ClientView::new(client_name, None),
        action,
        fields,
        nonce,
    };
    rendered(&page, policy)
}

fn rendered(page: &impl Template, policy: String) -> HttpResponse {
    match page.render() {
        Ok(body) => render::html(StatusCode::OK, body, Some(policy)),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
