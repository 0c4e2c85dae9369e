//! OpenID Connect on top of OAuth.

mod claims;
pub mod id_token;
mod routes;
pub mod userinfo;

pub use claims::{SCOPE_CLAIMS, of_person};
pub use routes::ROUTES;

/// The authentication context of a login by password (OIDC Core §2, `acr`).
pub const ACR_PASSWORD: &str = "urn:latchway:acr:password";
/// RFC 8176 §2
pub const AMR_PASSWORD: &[&str] = &["pwd"];
