//! Version 1. A route is one line of [`routes!`]: the router, the list and the document are made from it.

pub mod api_keys;
mod document;
pub mod forward_auth;
mod login;
mod logout;
mod me;
mod refresh;

use actix_web::web::{self, ServiceConfig, resource};
use utoipa::OpenApi;

use super::document::{OptionalBodies, SecuritySchemes};
use super::json;

macro_rules! routes {
    ($($path:literal => $($method:ident $module:ident :: $handler:ident),+;)+) => {
        /// Every route, below `/api/v1`.
        pub fn configure(routes: &mut ServiceConfig) {
            $(routes.service(
                resource($path)
                    .app_data(web::PayloadConfig::new(json::MAX_BODY))
                    $(.route(web::$method().to($module::$handler)))+
            );)+
        }

        /// Method and path of every route.
        pub const ROUTES: &[(&str, &str)] = &[$($((stringify!($method), concat!("/api/v1", $path))),+),+];

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
    "/token/refresh" => post refresh::post;
    "/logout" => post logout::post;
    "/me" => get me::get;
    "/api-keys" => get api_keys::list, post api_keys::create;
    "/api-keys/{id}" => delete api_keys::revoke;
    "/api-keys/{id}/rotate" => post api_keys::rotate;
    "/forward-auth" => get forward_auth::check;
    "/forward-auth/login" => get forward_auth::login;
    "/openapi.json" => get document::get;
}
