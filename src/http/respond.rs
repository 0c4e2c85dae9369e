use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{LOCATION, SET_COOKIE};
use actix_web::{HttpRequest, HttpResponse, Responder, web};
use askama::Template;

use crate::app::App;
use crate::flow::Answer;
use crate::pages::view::{ClientView, FormPostPage};
use crate::pages::{policy, render};
use crate::support::random_token;

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, req: &HttpRequest) -> HttpResponse {
        let (mut response, cookies) = match self {
            // RFC 9700 §4.12: 303, so that no browser posts a password on.
            Self::Redirect { location, cookies } => {
                (HttpResponse::SeeOther().insert_header((LOCATION, location)).finish(), cookies)
            }
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

fn form_post(req: &HttpRequest, client_name: &str, action: String, fields: Vec<(String, String)>) -> HttpResponse {
    use secrecy::ExposeSecret;
    let Some(app) = req.app_data::<web::Data<App>>() else { return HttpResponse::InternalServerError().finish() };
    let nonce = random_token(&app.rng).expose_secret().to_owned();
    let policy = policy::form_post(&action, &nonce);
    let page = FormPostPage {
        layout: render::layout(app, None),
        client: ClientView::new(client_name, None),
        action,
        fields,
        nonce,
    };
    match page.render() {
        Ok(body) => render::html(StatusCode::OK, body, Some(policy)),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}
