//! What a client may ask for, wherever it asks: at the authorization endpoint and at the device authorization endpoint.

use crate::domain::{Client, GrantType, OFFLINE_ACCESS, Scopes};
use crate::protocol::{ErrorCode, OAuthError, Params};

/// More in one request are refused.
const MAX_RESOURCES: usize = 20;

/// RFC 7636 §4.2, for S256
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The APIs that a request is for (RFC 8707 §2): those that it names, or else all that its client may ask tokens for at
/// this moment. What is allowed is this list, as it is shown; an API that the client may use later is asked for again.
pub fn resources(client: &Client, params: &Params) -> Result<Vec<String>, OAuthError> {
    let mut named: Vec<String> = Vec::new();
    for (seen, resource) in params.all("resource").enumerate() {
        if seen >= MAX_RESOURCES || !client.audiences.iter().any(|audience| audience == resource) {
            let sentence = "resource names an API that this client may not use";
            return Err(OAuthError::new(ErrorCode::InvalidTarget, sentence));
        }
        if !named.iter().any(|known| known == resource) {
            named.push(resource.to_owned());
        }
    }
    Ok(if named.is_empty() { client.audiences.clone() } else { named })
}

/// What of the wanted scope the client may have (RFC 6749 §3.3). One that names none gets all but `offline_access`.
pub fn scope(client: &Client, params: &Params) -> Result<Scopes, OAuthError> {
    let invalid = |sentence: String| OAuthError::new(ErrorCode::InvalidScope, sentence);
    let scope = match params.get("scope") {
        Some(text) => Scopes::parse(text).map_err(|e| invalid(e.to_string()))?.intersection(&client.scope),
        None => client.scope.without(OFFLINE_ACCESS),
    };
    if scope.is_empty() {
        return Err(invalid("scope names nothing that this client may ask for".to_owned()));
    }
    let may_refresh = client.may_use(GrantType::RefreshToken);
    Ok(if may_refresh { scope } else { scope.without(OFFLINE_ACCESS) })
}
