//! The authorization endpoint (RFC 6749 §3.1, OIDC Core §3.1.2): an ordered list of small named checks, then what is
//! still wanted of the person, then the answer.

mod checks;
mod difference;
mod endpoint;
mod hint;
mod target;

pub use endpoint::handle;

/// Every parameter that means something here or would mean something elsewhere; each may be given once (RFC 6749 §3.1).
/// Unknown ones are ignored.
const KNOWN: &[&str] = &[
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "acr_values",
    "ui_locales",
    "claims_locales",
    "display",
    "claims",
    "request",
    "request_uri",
    "registration",
    "authorization_details",
    "dpop_jkt",
];
