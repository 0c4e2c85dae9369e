//! Rendering of pages with their layout, status and Content Security Policy.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use askama::Template;

use super::policy;
use super::view::{ClientView, Layout};
use crate::app::{App, Mode};
use crate::domain::{Client, User};
use crate::fault::{Fault, Problem};

/// What stands around every page.
pub fn layout(app: &App, user: Option<&User>) -> Layout {
    Layout {
        service_name: app.config.server.name.clone(),
        dev: app.mode == Mode::Dev,
        mock: app.mode == Mode::Mock,
        signed_in_as: user.map(User::display_name),
        issuer_host: host_of(app.issuer()),
        help_url: app.config.server.help_url.clone(),
        support_url: app.config.server.support_url.clone(),
        support_email: app.config.server.support_email.clone(),
    }
}

/// The host of the issuer, with its port unless that is the usual one.
fn host_of(issuer: &str) -> String {
    let origin = crate::domain::origin_of(issuer).unwrap_or_default();
    origin.split_once("://").map_or(String::new(), |(_, host)| host.to_owned())
}

/// A page as it is sent. Without a policy of its own it gets the strictest.
pub fn html(status: StatusCode, body: String, policy: Option<String>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, policy.unwrap_or_else(policy::page)))
        .body(body)
}

/// Renders a template; that it fails is our mistake.
pub fn page(template: &impl Template, status: StatusCode, policy: Option<String>) -> Result<HttpResponse, Fault> {
    let body = template.render().map_err(|e| Fault::page(Problem::Internal, e.to_string()))?;
    Ok(html(status, body, policy))
}

/// A client as people see it.
pub fn client(client: &Client) -> ClientView {
    let logo = client.logo_type.as_ref().map(|_| format!("/client-logo/{}?v={}", client.client_id, client.version));
    ClientView::new(&client.name, logo)
}
