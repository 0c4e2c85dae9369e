//! The API for programs of the operator's own, versioned in the path. `docs/api.md` has the policy.

mod browser;
mod document;
mod json;
mod problem;
mod routes;
mod tokens;
pub mod ui;
pub mod v1;
mod version;

pub use routes::ROUTES;
pub use version::{DEPRECATION, Retirement, SUNSET, Version, configure};

/// Every version that is served. A new one is a folder and a line; an old one gets a [`Retirement`] long before it goes.
pub const VERSIONS: &[Version] = &[Version { name: "v1", routes: v1::ROUTES, retirement: None }];
