//! Claims that `POST /mock/token` was given: userinfo and introspection tell them of the token, as a server would that issued
//! it with them.

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moka::sync::Cache;
use serde_json::{Map, Value};

use super::seen::Seen;
use crate::protocol::endpoints;

/// Tokens whose claims are remembered, at most; then those that were not used for the longest time are forgotten.
const MAX_TOKENS: u64 = 10_000;
/// What the answer says by itself, whatever the token was given.
const OF_THE_SERVER: &[&str] =
    &["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "nbf", "jti", "active", "token_type"];

/// By `jti`.
#[derive(Clone)]
pub struct OwnClaims {
    tokens: Cache<String, Map<String, Value>>,
}

impl Default for OwnClaims {
    fn default() -> Self {
        Self { tokens: Cache::new(MAX_TOKENS) }
    }
}

impl OwnClaims {
    /// Remembers what a token was given.
    pub fn keep(&self, claims: &Value, own: &Map<String, Value>) {
        let told = own.iter().filter(|(name, _)| !OF_THE_SERVER.contains(&name.as_str()));
        let told: Map<String, Value> = told.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(jti) = claims["jti"].as_str().filter(|_| !told.is_empty()) {
            self.tokens.insert(jti.to_owned(), told);
        }
    }

    /// Puts them into a good answer about their token.
    pub async fn tell(&self, seen: &Seen, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let token = match seen.path.as_str() {
            endpoints::INTROSPECT => seen.parameter("token").map(str::to_owned),
            endpoints::USERINFO => seen.header(AUTHORIZATION.as_str()).and_then(bearer),
            _ => None,
        };
        let own = token.as_deref().and_then(jti).and_then(|jti| self.tokens.get(&jti));
        let Some(own) = own.filter(|_| response.status().is_success()) else { return response };
        let (request, answer) = response.into_parts();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body).await.unwrap_or_default();
        let told = match serde_json::from_slice::<Map<String, Value>>(&body) {
            Ok(mut told) if told.get("active") != Some(&Value::Bool(false)) => {
                for (name, value) in own {
                    if value.is_null() {
                        told.remove(&name);
                    } else {
                        told.insert(name, value);
                    }
                }
                Value::Object(told).to_string().into()
            }
            _ => body,
        };
        ServiceResponse::new(request, head.set_body(told).map_body(|_, body| body.boxed()))
    }
}

fn bearer(header: &str) -> Option<String> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn jti(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Value>(&claims).ok()?["jti"].as_str().map(str::to_owned)
}
