//! OpenID Connect on top of OAuth.

pub mod id_token;
pub mod userinfo;

/// The authentication context of a login by password (OIDC Core §2, `acr`).
pub const ACR_PASSWORD: &str = "urn:latchway:acr:password";
/// RFC 8176 §2
pub const AMR_PASSWORD: &[&str] = &["pwd"];

/// The claims that a scope opens (OIDC Core §5.4). Metadata and userinfo read the same list.
pub const SCOPE_CLAIMS: &[(&str, &[&str])] = &[
    ("openid", &["sub"]),
    ("profile", &["name", "preferred_username", "updated_at"]),
    ("email", &["email", "email_verified"]),
];
