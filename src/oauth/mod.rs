//! The endpoints of OAuth 2.0.

pub mod authorize;
mod client_auth;
pub mod introspect;
pub mod jwks;
pub mod metadata;
mod oxide;
pub mod revoke;
pub mod token;
