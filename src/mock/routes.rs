//! What a mock serves beside the server itself; `control/routes.rs` has the rest.

use super::{about, layer, persona, token};
use crate::protocol::endpoints;
use crate::route::{ErrorFormat, Modes, Route, handlers};

pub static ROUTES: &[Route] = &[
    Route::page(endpoints::MOCK, handlers![get about::about]).only_in(Modes::Mock),
    Route::page(endpoints::MOCK_LOGIN, handlers![post persona::login]).only_in(Modes::Mock),
    Route::page("/mock/token", handlers![post token::post])
        .errors(ErrorFormat::Json)
        .body_limit(layer::MAX_BODY)
        .only_in(Modes::Mock),
];
