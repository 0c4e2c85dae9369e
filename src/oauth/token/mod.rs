//! The token endpoint (RFC 6749 §3.2): prologue, the registry of grants, epilogue. A grant is one file.

mod authorization_code;
mod client_credentials;
mod device_code;
mod endpoint;
mod grant;
mod refresh_token;

pub use device_code::PREFIX as DEVICE_CODE_PREFIX;
pub use endpoint::post;
pub use grant::Grant;

/// What this endpoint can do. Metadata and client registration read the same list.
pub const GRANTS: &[&Grant] =
    &[&authorization_code::GRANT, &refresh_token::GRANT, &client_credentials::GRANT, &device_code::GRANT];
