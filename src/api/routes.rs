//! What this module serves beside the versions of the API: their documentation, and what is no operation of the API.

use super::ui;
use super::v1::forward_auth;
use crate::protocol::endpoints;
use crate::route::{Needs, Priority, Route, handlers};

pub static ROUTES: &[Route] = &[
    // Below /api errors are JSON, those of a page's files included.
    Route::api(endpoints::API_DOCS, handlers![get ui::index]).priority(Priority::Exempt).needs(Needs::Nothing),
    Route::api("/api/docs/{name}", handlers![get ui::file]).priority(Priority::Exempt).needs(Needs::Nothing),
    // At the host of the protected app, where its proxy leads a browser after the login. It has the group of pages because
    // browsers ask for it, and proxies for the rest of forward authentication.
    Route::page(endpoints::FORWARD_AUTH_CALLBACK, handlers![get forward_auth::callback]).at_app_hosts().redirects(),
];
