//! What this module serves: metadata and the endpoints of OAuth 2.0.

use super::{authorize, device, introspect, jwks, metadata, revoke, token};
use crate::protocol::endpoints;
use crate::route::{Cors, Needs, Priority, RateLimitGroup as Group, Route, handlers};

/// RFC 6749 §3.1: a browser comes from the client's site, sees pages of errors, and is redirected back.
pub const AUTHORIZE: Route =
    Route::page(endpoints::AUTHORIZE, handlers![get authorize::handle, post authorize::handle])
        .group(Group::Authorize)
        .redirects();

pub static ROUTES: &[Route] = &[
    // RFC 8414, OpenID Connect Discovery 1.0
    Route::document(endpoints::OAUTH_METADATA, handlers![get metadata::get]).cors(Cors::Public),
    Route::document(endpoints::OPENID_CONFIGURATION, handlers![get metadata::get]).cors(Cors::Public),
    Route::document(endpoints::JWKS, handlers![get jwks::get]).cors(Cors::Public),
    AUTHORIZE,
    Route::oauth(endpoints::TOKEN, Group::Token, handlers![post token::post])
        .priority(Priority::Normal)
        .cors(Cors::RegisteredOrigins),
    // RFC 8628 §3.1. It begins something new, as a login does, and is shed first like one: a device tries again, and the
    // polls of those whose users are logging in arrive at the token endpoint. No page of another origin calls it: an app
    // that runs in a browser has a browser to redirect.
    Route::oauth(endpoints::DEVICE_AUTHORIZATION, Group::Device, handlers![post device::post]),
    // Only APIs introspect, from their own servers.
    Route::oauth(endpoints::INTROSPECT, Group::Introspect, handlers![post introspect::post])
        .priority(Priority::High)
        .needs(Needs::PublicKeys),
    Route::oauth(endpoints::REVOKE, Group::Revoke, handlers![post revoke::post])
        .priority(Priority::High)
        .cors(Cors::RegisteredOrigins)
        .needs(Needs::PublicKeys),
];
