//! The rows of what controls a mock, and what each is for.

use super::{clock, journal, profile, reset, rules, runs, snapshots};
use crate::mock::layer;
use crate::route::{ErrorFormat, Handler, Modes, Route, handlers};

/// For programs, with bodies as large as a list of rules gets.
const fn control(path: &'static str, handlers: &'static [Handler]) -> Route {
    Route::page(path, handlers).errors(ErrorFormat::Json).body_limit(layer::MAX_BODY).only_in(Modes::Mock)
}

pub static ROUTES: &[Route] = &[
    control("/mock/clock", handlers![get clock::get, put clock::put]),
    control("/mock/rules", handlers![get rules::get, put rules::put, post rules::post, delete rules::clear]),
    control("/mock/rules/{id}", handlers![delete rules::delete]),
    control("/mock/profile", handlers![get profile::get, put profile::put, delete profile::delete]),
    control("/mock/journal", handlers![get journal::get, delete journal::clear]),
    control("/mock/journal/{sequence}", handlers![get journal::one]),
    control("/mock/reset", handlers![post reset::post]),
    control("/mock/snapshots", handlers![get snapshots::get]),
    control("/mock/snapshots/{name}", handlers![put snapshots::put, delete snapshots::delete]),
    control("/mock/snapshots/{name}/restore", handlers![post snapshots::restore]),
    control("/mock/runs", handlers![get runs::get]),
    control("/mock/runs/{run}", handlers![delete runs::delete]),
];

/// What each path is for: `GET /mock` lists them, with the methods of their rows.
pub const ABOUT: &[(&str, &str)] = &[
    ("/mock/clock", "the time: frozen, set, advanced, resumed"),
    ("/mock/rules", "trouble on demand"),
    ("/mock/rules/{id}", "one rule"),
    ("/mock/profile", "trouble by name"),
    ("/mock/journal", "what was asked, and what came of it"),
    ("/mock/journal/{sequence}", "one request"),
    ("/mock/reset", "everything as at the start"),
    ("/mock/snapshots", "states that are kept"),
    ("/mock/snapshots/{name}", "keep this state, or forget it"),
    ("/mock/snapshots/{name}/restore", "bring a state back"),
    ("/mock/runs", "the worlds of parallel test runs"),
    ("/mock/runs/{run}", "end one"),
];
