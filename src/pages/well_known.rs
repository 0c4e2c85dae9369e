//! Files that programs look for at fixed paths.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use actix_web::{HttpResponse, web};

use crate::app::App;
use crate::audit;
use crate::fault::{Fault, Problem};
use crate::protocol::endpoints;
use crate::support::Seconds;

const TEXT: &str = "text/plain; charset=utf-8";
const FOR_A_DAY: &str = "public, max-age=86400";
const DAY: Seconds = 86_400;
/// RFC 9116 §2.5.5 wants less than a year; the file is made at each request, so that it never is out of date.
const GOOD_FOR: Seconds = 180 * DAY;

/// `GET /.well-known/security.txt` (RFC 9116), if there is a contact.
pub async fn security_txt(app: web::Data<App>) -> Result<HttpResponse, Fault> {
    let server = &app.config.server;
    if server.security_contact.is_empty() {
        return Err(Fault::Page(Problem::NotFound, None));
    }
    let scheme = if server.security_contact.contains("://") { "" } else { "mailto:" };
    let expires = (app.now() + GOOD_FOR) / DAY * DAY;
    let mut text = format!("Contact: {scheme}{}\nExpires: {}\n", server.security_contact, audit::time(expires * 1000));
    if !server.security_policy_url.is_empty() {
        text.push_str(&format!("Policy: {}\n", server.security_policy_url));
    }
    text.push_str(&format!("Preferred-Languages: en\nCanonical: {}\n", app.url(endpoints::SECURITY_TXT)));
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, TEXT)).insert_header((CACHE_CONTROL, FOR_A_DAY)).body(text))
}

/// `GET /.well-known/change-password` (W3C "A Well-Known URL for Changing Passwords"), to where one's account is kept.
pub async fn change_password() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, endpoints::ACCOUNT)).finish()
}

/// `GET /robots.txt`: nothing here is for search engines.
pub async fn robots() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, TEXT))
        .insert_header((CACHE_CONTROL, FOR_A_DAY))
        .body("User-agent: *\nDisallow: /\n")
}
