use serde::Deserialize;

use crate::app::App;
use crate::keys::Jwt;
use crate::support::{Id, Seconds};

#[derive(Deserialize)]
struct Claims {
    sub: Id,
    iss: String,
    exp: Seconds,
}

/// The person of whom an `id_token_hint` speaks (OIDC Core §3.1.2.1): an ID token of ours, not expired.
pub fn hinted_user(app: &App, token: &str) -> Option<Id> {
    let now = app.now();
    let claims = app.keys.snapshot().verify(token, Jwt::IdToken, now)?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    (claims.iss == app.issuer() && claims.exp > now).then_some(claims.sub)
}
