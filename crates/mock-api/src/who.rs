//! Who asks, as far as answers may depend on it.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::settings::{BasicSettings, KeySettings};
use crate::snapshot::RequestSnapshot;
use latchway_resource_server::{Claims, Presented};

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct Who {
    /// `None` for strangers.
    pub claims: Option<Arc<Claims>>,
    /// All that their token says, and `persona`; what `claims` is in templates.
    pub json: Value,
}

impl Who {
    pub fn stranger() -> Self {
        Self { claims: None, json: json!({}) }
    }

    /// Whom a verified token or key of the issuer speaks of.
    pub fn of_token(claims: Arc<Claims>, seen: &RequestSnapshot, name_of: &dyn Fn(&str) -> Option<String>) -> Self {
        // It was verified a moment ago; what the library does not read is read here.
        let token = seen.header("authorization").and_then(|value| value.split_once(' ')).map(|(_, token)| token.trim());
        let payload = token.filter(|_| claims.presented == Presented::Bearer).and_then(payload).unwrap_or_default();
        let mut json = described(&claims);
        json.extend(payload);
        if let Some(name) = name_of(&claims.sub) {
            json.insert("persona".to_owned(), name.into());
        }
        Self { claims: Some(claims), json: Value::Object(json) }
    }

    /// Whom a configured key stands for.
    pub fn of_key(key: &KeySettings) -> Self {
        let client = key.client.clone().unwrap_or_else(|| "api-key".to_owned());
        let sub = key.persona.clone().unwrap_or_else(|| client.clone());
        Self::made(sub, client, &key.scopes, &key.roles, key.persona.as_deref())
    }

    /// Whoever has a key where none are configured.
    pub fn of_any_key() -> Self {
        Self::made("api-key".to_owned(), "api-key".to_owned(), &[], &[], None)
    }

    pub fn of_basic(known: &BasicSettings) -> Self {
        Self::made(known.username.clone(), "basic".to_owned(), &known.scopes, &known.roles, Some(&known.username))
    }

    fn made(sub: String, client_id: String, scopes: &[String], roles: &[String], persona: Option<&str>) -> Self {
        let mut claims = Claims::new(sub, client_id, Presented::ApiKey);
        claims.scope = scopes.to_vec();
        claims.roles = roles.to_vec();
        let mut json = described(&claims);
        json.extend(persona.map(|name| ("persona".to_owned(), name.into())));
        Self { claims: Some(Arc::new(claims)), json: Value::Object(json) }
    }

    pub fn is_person(&self) -> bool {
        self.claims.as_ref().is_some_and(|claims| claims.person().is_some())
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.claims.as_ref().is_some_and(|claims| claims.has_role(role))
    }

    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.as_ref().is_some_and(|claims| claims.has_scope(scope))
    }

    pub fn sub(&self) -> Option<&str> {
        self.claims.as_ref().map(|claims| claims.sub.as_str())
    }

    pub fn client(&self) -> Option<&str> {
        self.claims.as_ref().map(|claims| claims.client_id.as_str())
    }

    /// Their user name.
    pub fn persona(&self) -> Option<&str> {
        self.json.get("persona").and_then(Value::as_str)
    }
}

fn described(claims: &Claims) -> Map<String, Value> {
    let json = json!({
        "sub": claims.sub, "client_id": claims.client_id, "scope": claims.scope.join(" "), "roles": claims.roles, "aud": claims.aud,
    });
    match json {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn payload(token: &str) -> Option<Map<String, Value>> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
}
