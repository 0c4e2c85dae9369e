//! Scopes that mean something to the server itself.

/// The scope that makes a request one of OpenID Connect (OIDC Core §3.1.2.1).
pub const OPENID: &str = "openid";
/// The scope that asks for a refresh token which outlives the session (OIDC Core §11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// The scope that lets an app manage the API keys of whoever allowed it.
pub const API_KEYS: &str = "api_keys";

/// The scope by which a person lets an app know their role; the operator's own apps know it without.
pub const ROLES: &str = "roles";

/// What an API key never has: what is about a person, and what would let a key make keys.
pub const NOT_FOR_KEYS: &[&str] = &[OPENID, OFFLINE_ACCESS, "profile", "email", API_KEYS];
