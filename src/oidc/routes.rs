//! What this module serves.

use super::userinfo;
use crate::protocol::endpoints;
use crate::route::{Cors, Needs, Priority, RateLimitGroup, Route, handlers};

pub static ROUTES: &[Route] = &[
    // OpenID Connect Core 1.0 §5.3
    Route::oauth(endpoints::USERINFO, RateLimitGroup::Userinfo, handlers![get userinfo::handle, post userinfo::handle])
        .priority(Priority::High)
        .cors(Cors::RegisteredOrigins)
        .needs(Needs::PublicKeys),
];
