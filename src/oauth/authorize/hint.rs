//! `id_token_hint` (OIDC Core §3.1.2.1): which person an ID token of this server speaks of.

use serde::Deserialize;

use crate::app::App;
use crate::domain::Client;
use crate::keys::Jwt;
use crate::support::Id;

#[derive(Deserialize)]
struct Claims {
    sub: Id,
    iss: String,
    aud: Audience,
}

/// RFC 7519 §4.1.3
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, client_id: &str) -> bool {
        match self {
            Self::One(one) => one == client_id,
            Self::Many(many) => many.iter().any(|one| one == client_id),
        }
    }
}

/// The person of whom an `id_token_hint` speaks (OIDC Core §3.1.2.1): an ID token that this server issued to this client.
/// It tells of a current or a past session, so neither its expiry nor that of its key matters: a client shows its last one
/// when that is at its end.
pub fn hinted_user(app: &App, client: &Client, token: &str) -> Option<Id> {
    let claims = app.keys.snapshot().verify_past(token, Jwt::IdToken, app.now())?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    (claims.iss == app.issuer() && claims.aud.contains(&client.client_id)).then_some(claims.sub)
}
