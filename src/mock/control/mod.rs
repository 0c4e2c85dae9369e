//! What drives a mock: a file a noun below `/mock`. `routes.rs` has their rows.

pub mod clock;
pub mod journal;
pub mod profile;
mod reading;
pub mod reset;
mod routes;
pub mod rules;
pub mod runs;
pub mod snapshots;

pub use routes::{ABOUT, ROUTES};
