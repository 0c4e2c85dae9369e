//! The endpoints of OAuth 2.0.

pub mod authorize;
mod client_auth;
#[cfg(feature = "fuzzing")]
pub use client_auth::fuzzing as client_auth_fuzzing;
pub mod device;
pub mod introspect;
pub mod jwks;
pub mod metadata;
mod oxide;
pub mod revoke;
mod routes;
pub mod token;
mod wanted;

pub use routes::{AUTHORIZE, ROUTES};
