//! What drives a mock: a file a noun below `/mock`. `http/mock.rs` has the routes.

pub mod clock;
mod duration;
pub mod journal;
pub mod profile;
mod reading;
pub mod reset;
pub mod rules;
pub mod runs;
pub mod snapshots;
