//! A route is one line of [`routes!`]: its row of the route table and the document are made from it.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use utoipa::OpenApi;

use super::{api_keys, forward_auth, login, logout, me, refresh, routes};
use crate::api::document::{OptionalBodies, SecuritySchemes};
use crate::route::{ErrorFormat, Needs, Priority, RateLimitGroup as Group, Route, handlers};

/// Rows of the route table below `/api/v1`, with what differs from [`Route::api`], and the OpenAPI document of their handlers.
macro_rules! routes {
    ($($path:literal $(.$set:ident($($value:expr)?))* => $($method:ident $module:ident :: $handler:ident),+;)+) => {
        pub static ROUTES: &[Route] = &[$(
            Route::api(concat!("/api/v1", $path), handlers![$($method $module::$handler),+])$(.$set($($value)?))*
        ),+];

        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "Latchway",
                description = include_str!("description.md"),
                license(name = "MIT OR Apache-2.0"),
            ),
            paths($($($module::$handler),+),+),
            tags(
                (name = "Login", description = "For the operator's own apps, which show their own login form"),
                (name = "API keys", description = "For programs that a person or a client trusts"),
                (name = "Forward authentication", description = "For proxies in front of other apps"),
                (name = "About", description = "This document"),
            ),
            modifiers(&SecuritySchemes, &OptionalBodies),
        )]
        pub struct Document;
    };
}

routes! {
    "/login" => post login::post;
    "/token/refresh".priority(Priority::Normal) => post refresh::post;
    "/logout".priority(Priority::High) => post logout::post;
    "/me".priority(Priority::High) => get me::get;
    "/api-keys" => get api_keys::list, post api_keys::create;
    "/api-keys/{id}" => delete api_keys::revoke;
    "/api-keys/{id}/rotate" => post api_keys::rotate;
    "/forward-auth".group(Group::ForwardAuth).priority(Priority::High).at_app_hosts() => get forward_auth::check;
    "/forward-auth/login".group(Group::ForwardAuth).errors(ErrorFormat::Page).redirects() => get forward_auth::login;
    "/openapi.json".priority(Priority::Exempt).needs(Needs::Nothing) => get routes::document;
}

/// This document
///
/// OpenAPI 3.1. A page that shows it is at `/api/docs`.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", operation_id = "document", tag = "About", security(()),
    responses((status = 200, description = "An OpenAPI document", content_type = "application/json"))
)]
pub async fn document() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, no-cache")).json(Document::openapi())
}
