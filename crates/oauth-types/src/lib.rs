//! Wire types of the OAuth RFCs, which the server and `latchway-resource-server` share. No IO.

pub mod endpoints;
mod error;
mod numeric_date;
mod params;
mod rate_limit;
mod scope;
mod token;

pub use error::{AuthChallenge, BearerReport, ErrorCode, OAuthError};
pub use numeric_date::{NumericDate, optional_seconds};
pub use params::{MalformedForm, Params};
pub use rate_limit::{RateLimit, RateLimitPolicy};
pub use scope::{InvalidScope, ScopeText, Scopes};
pub use token::{Introspection, JwtClaims, TokenResponse, UserInfo};
