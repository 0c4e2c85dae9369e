//! Wire types of the RFCs. No IO.

mod error;
mod params;
mod token;

pub use error::{ErrorCode, OAuthError};
pub use params::{MalformedForm, Params};
pub use token::{IdTokenExtra, Introspection, JwtClaims, TokenResponse, UserInfo};
