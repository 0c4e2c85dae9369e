//! Version 1.

pub mod api_keys;
pub mod forward_auth;
mod login;
mod logout;
mod me;
mod refresh;
mod routes;

pub use routes::ROUTES;
