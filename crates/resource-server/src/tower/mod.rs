//! A layer for tower, which axum and tonic are made of, and extractors for axum.

mod extract;
mod layer;
mod response;
mod server;

pub use layer::GuardService;
pub use server::{ServerLayer, ServerService};
