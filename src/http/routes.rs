//! The index of the whole server: where is X served?

use actix_web::web::{self, ServiceConfig, get, post, resource};

use super::health;
use crate::api;
use crate::api::v1::forward_auth;
use crate::app::{App, Mode};
use crate::defense::Urgency;
use crate::oauth::{authorize, device as oauth_device, introspect, jwks, metadata, revoke, token};
use crate::oidc::userinfo;
use crate::pages::{
    account, api_keys, assets_route, cancel, consent, device, example, home, login, logout, playground, setup,
    well_known,
};
use crate::protocol::endpoints;

/// Larger bodies are refused, in bytes.
pub const MAX_BODY: usize = 16 * 1024;

/// Every fixed path, as a metric may name it.
pub const PATHS: &[&str] = &[
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/.well-known/security.txt",
    "/.well-known/change-password",
    "/robots.txt",
    "/oauth2/authorize",
    "/oauth2/token",
    "/oauth2/device_authorization",
    "/oauth2/introspect",
    "/oauth2/revoke",
    "/oauth2/userinfo",
    "/",
    "/login",
    "/login/cancel",
    "/login/switch",
    "/consent",
    "/device",
    "/device/decision",
    "/setup",
    "/account",
    "/account/revoke",
    "/account/sessions/revoke",
    "/account/sessions/revoke-others",
    "/account/api-keys",
    "/account/api-keys/rotate",
    "/account/api-keys/revoke",
    "/api/v1/api-keys",
    "/api/v1/forward-auth",
    "/api/v1/forward-auth/login",
    endpoints::FORWARD_AUTH_CALLBACK,
    "/logout",
    "/logged-out",
    "/playground",
    "/playground/callback",
    "/api/v1/login",
    "/api/v1/token/refresh",
    "/api/v1/logout",
    "/api/v1/me",
    "/api/v1/openapi.json",
    "/api/docs",
    "/livez",
    "/readyz",
];

/// What must be known here before an answer of a path means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// What is the same at any time: documents, files, whether the process is alive.
    Nothing,
    /// The time, and keys to verify with.
    PublicKeys,
    /// The time, and keys to sign and to seal with.
    Everything,
}

/// What a path needs.
pub fn needs(path: &str) -> Needs {
    match path {
        "/livez" | "/readyz" | "/favicon.ico" | "/api/docs" | "/api/v1/openapi.json" => Needs::Nothing,
        path if path.starts_with("/.well-known/") || path.starts_with("/static/") => Needs::Nothing,
        "/oauth2/introspect" | "/oauth2/revoke" | "/oauth2/userinfo" => Needs::PublicKeys,
        _ => Needs::Everything,
    }
}

/// All routes. `HEAD` is answered wherever `GET` is, by the middleware.
pub fn configure(app: &App) -> impl Fn(&mut ServiceConfig) + use<> {
    let dev = app.mode == Mode::Dev;
    move |routes| {
        routes
            .app_data(web::PayloadConfig::new(MAX_BODY))
            // RFC 8414, OpenID Connect Discovery
            .service(resource("/.well-known/oauth-authorization-server").route(get().to(metadata::get)))
            .service(resource("/.well-known/openid-configuration").route(get().to(metadata::get)))
            .service(resource("/.well-known/jwks.json").route(get().to(jwks::get)))
            .service(resource("/.well-known/security.txt").route(get().to(well_known::security_txt)))
            .service(resource("/.well-known/change-password").route(get().to(well_known::change_password)))
            .service(resource("/robots.txt").route(get().to(well_known::robots)))
            // OAuth 2.0 and OpenID Connect
            .service(
                resource("/oauth2/authorize").route(get().to(authorize::handle)).route(post().to(authorize::handle)),
            )
            .service(resource("/oauth2/token").route(post().to(token::post)))
            .service(resource("/oauth2/device_authorization").route(post().to(oauth_device::post)))
            .service(resource("/oauth2/introspect").route(post().to(introspect::post)))
            .service(resource("/oauth2/revoke").route(post().to(revoke::post)))
            .service(resource("/oauth2/userinfo").route(get().to(userinfo::handle)).route(post().to(userinfo::handle)))
            // Pages
            .service(resource("/").route(get().to(home::get)))
            .service(resource("/login").route(get().to(login::get)).route(post().to(login::post)))
            .service(resource("/login/cancel").route(post().to(cancel::post)))
            .service(resource("/login/switch").route(post().to(login::switch)))
            .service(resource("/consent").route(get().to(consent::get)).route(post().to(consent::post)))
            .service(resource("/device").route(get().to(device::get)).route(post().to(device::post)))
            .service(resource("/device/decision").route(post().to(device::decide)))
            .service(resource("/setup").route(get().to(setup::get)).route(post().to(setup::post)))
            .service(resource("/account").route(get().to(account::get)))
            .service(resource("/account/revoke").route(post().to(account::revoke_app)))
            .service(resource("/account/sessions/revoke").route(post().to(account::revoke_session)))
            .service(resource("/account/sessions/revoke-others").route(post().to(account::revoke_other_sessions)))
            .service(resource("/account/api-keys").route(get().to(api_keys::get)).route(post().to(api_keys::create)))
            .service(resource("/account/api-keys/rotate").route(post().to(api_keys::rotate)))
            .service(resource("/account/api-keys/revoke").route(post().to(api_keys::revoke)))
            .service(resource("/logout").route(get().to(logout::ask)).route(post().to(logout::post)))
            .service(resource("/logged-out").route(get().to(logout::get)))
            .service(resource("/static/{name}").route(get().to(assets_route::get_static)))
            .service(resource("/favicon.ico").route(get().to(assets_route::favicon)))
            .service(resource("/client-logo/{client_id}").route(get().to(assets_route::client_logo)))
            // First-party apps, programs, proxies
            .configure(api::configure(api::VERSIONS))
            .service(resource("/api/docs").route(get().to(api::ui::index)))
            .service(resource("/api/docs/{name}").route(get().to(api::ui::file)))
            .service(resource(endpoints::FORWARD_AUTH_CALLBACK).route(get().to(forward_auth::callback)))
            // For whoever runs it
            .service(resource("/livez").route(get().to(health::livez)))
            .service(resource("/readyz").route(get().to(health::readyz)));
        if dev {
            routes
                .service(resource("/playground").route(get().to(playground::get)))
                .service(resource("/playground/callback").route(get().to(playground::get)))
                .service(resource("/examples/first-party/").route(get().to(example::index)))
                .service(resource("/examples/first-party/{name}").route(get().to(example::file)));
        }
    }
}

/// Whether the server has something at a path. For mock mode, where everything else is another's.
pub fn is_known(path: &str) -> bool {
    let folders = ["/static/", "/client-logo/", "/api/docs/", "/api/v1/api-keys/"];
    (path != "/" && PATHS.contains(&path))
        || path == "/favicon.ico"
        || folders.iter().any(|folder| path.starts_with(folder))
}

/// Whether a path answers at other hosts than ours, whose transport is not ours to decide.
pub fn answers_elsewhere(path: &str) -> bool {
    matches!(path, "/api/v1/forward-auth" | endpoints::FORWARD_AUTH_CALLBACK)
}

/// Who comes first when too much comes at once.
pub fn urgency(path: &str) -> Urgency {
    match path {
        "/oauth2/revoke" | "/oauth2/introspect" | "/oauth2/userinfo" | "/logout" => Urgency::First,
        "/api/v1/logout" | "/api/v1/me" | "/api/v1/forward-auth" => Urgency::First,
        "/oauth2/token" | "/api/v1/token/refresh" => Urgency::Second,
        "/livez" | "/readyz" => Urgency::Free,
        "/api/docs" | "/api/v1/openapi.json" => Urgency::Free,
        path if path.starts_with("/.well-known/") || path.starts_with("/static/") => Urgency::Free,
        path if path.starts_with("/api/docs/") => Urgency::Free,
        _ => Urgency::Last,
    }
}
