//! What drives a mock: a file a noun below `/mock`. `http/mock.rs` has the routes.

/// Every path here, with its methods and what it is for: `GET /mock` lists them.
pub const PATHS: &[(&str, &str, &str)] = &[
    ("GET, PUT", "/mock/clock", "the time: frozen, set, advanced, resumed"),
    ("GET, PUT, POST, DELETE", "/mock/rules", "trouble on demand"),
    ("DELETE", "/mock/rules/{id}", "one rule"),
    ("GET, PUT, DELETE", "/mock/profile", "trouble by name"),
    ("GET, DELETE", "/mock/journal", "what was asked, and what came of it"),
    ("GET", "/mock/journal/{sequence}", "one request"),
    ("POST", "/mock/reset", "everything as at the start"),
    ("GET", "/mock/snapshots", "states that are kept"),
    ("PUT, DELETE", "/mock/snapshots/{name}", "keep this state, or forget it"),
    ("POST", "/mock/snapshots/{name}/restore", "bring a state back"),
    ("GET", "/mock/runs", "the worlds of parallel test runs"),
    ("DELETE", "/mock/runs/{run}", "end one"),
];

pub mod clock;
pub mod journal;
pub mod profile;
mod reading;
pub mod reset;
pub mod rules;
pub mod runs;
pub mod snapshots;
