//! What this module serves: pages, their files, and documents at fixed paths.

use super::{
    account, api_keys, assets_route, cancel, consent, device, example, home, login, logout, playground, setup,
    well_known,
};
use crate::protocol::endpoints;
use crate::route::{Modes, Needs, Priority, Route, handlers};

pub static ROUTES: &[Route] = &[
    Route::document(endpoints::SECURITY_TXT, handlers![get well_known::security_txt]),
    Route::document("/.well-known/change-password", handlers![get well_known::change_password]),
    Route::page("/robots.txt", handlers![get well_known::robots]).needs(Needs::Nothing),
    Route::page(endpoints::HOME, handlers![get home::get]),
    Route::page(endpoints::LOGIN, handlers![get login::get, post login::post]),
    Route::page("/login/cancel", handlers![post cancel::post]),
    Route::page("/login/switch", handlers![post login::switch]),
    Route::page(endpoints::CONSENT, handlers![get consent::get, post consent::post]),
    Route::page(endpoints::DEVICE, handlers![get device::get, post device::post]),
    Route::page("/device/decision", handlers![post device::decide]),
    Route::page("/setup", handlers![get setup::get, post setup::post]),
    Route::page(endpoints::ACCOUNT, handlers![get account::get]),
    Route::page(endpoints::ACCOUNT_REVOKE, handlers![post account::revoke_app]),
    Route::page("/account/sessions/revoke", handlers![post account::revoke_session]),
    Route::page(endpoints::ACCOUNT_REVOKE_OTHER_SESSIONS, handlers![post account::revoke_other_sessions]),
    Route::page(endpoints::ACCOUNT_API_KEYS, handlers![get api_keys::get, post api_keys::create]),
    Route::page("/account/api-keys/rotate", handlers![post api_keys::rotate]),
    Route::page(endpoints::ACCOUNT_REVOKE_API_KEY, handlers![post api_keys::revoke]),
    // It ends access.
    Route::page("/logout", handlers![get logout::ask, post logout::post]).priority(Priority::High),
    Route::page(endpoints::LOGGED_OUT, handlers![get logout::get]),
    Route::file("/static/{name}", handlers![get assets_route::get_static]),
    Route::file(endpoints::FAVICON, handlers![get assets_route::favicon]),
    // Read from the database, so it has the limits of a page.
    Route::page("/client-logo/{client_id}", handlers![get assets_route::client_logo]),
    Route::page(endpoints::PLAYGROUND, handlers![get playground::get]).only_in(Modes::Dev),
    Route::page(endpoints::PLAYGROUND_CALLBACK, handlers![get playground::get]).only_in(Modes::Dev),
    Route::page("/examples/first-party/", handlers![get example::index]).only_in(Modes::Dev),
    Route::page("/examples/first-party/{name}", handlers![get example::file]).only_in(Modes::Dev),
];
