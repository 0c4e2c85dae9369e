//! An API key as its owner and the operator see it, without its secret.

use serde::Serialize;

use crate::domain::{ApiKey, ApiKeyStage, KeyOwner};
use crate::support::Seconds;

/// An API key as its owner and the operator see it, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ApiKeyView {
    /// Where it is managed, and the `jti` at introspection.
    pub id: String,
    pub name: String,
    /// The client that owns it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The person who owns it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// The APIs it is for; none in particular means this server and what it guards.
    pub audience: Vec<String>,
    /// Where it may be used from; anywhere if there are none.
    pub networks: Vec<String>,
    /// Uses a minute.
    pub rate_limit: Option<u32>,
    /// `active`, `expired` or `revoked`.
    pub status: &'static str,
    /// Times are in seconds since 1970.
    pub created_at: Seconds,
    pub rotated_at: Option<Seconds>,
    /// Until when the secret before the last rotation is taken.
    pub previous_until: Option<Seconds>,
    pub expires_at: Option<Seconds>,
    pub revoked_at: Option<Seconds>,
    /// To within a minute.
    pub last_used_at: Option<Seconds>,
    pub last_used_address: Option<String>,
}

impl ApiKeyView {
    pub fn of(key: &ApiKey, now: Seconds) -> Self {
        let (client_id, user_id) = match &key.owner {
            KeyOwner::Client(client_id) => (Some(client_id.clone()), None),
            KeyOwner::Person(user_id) => (None, Some(user_id.to_string())),
        };
        let (status, revoked_at) = match key.stage {
            ApiKeyStage::Revoked { at } => ("revoked", Some(at)),
            ApiKeyStage::Live if key.is_expired(now) => ("expired", None),
            ApiKeyStage::Live => ("active", None),
        };
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            client_id,
            user_id,
            scope: key.scope.to_string(),
            audience: key.audience.clone(),
            networks: key.networks.iter().map(ToString::to_string).collect(),
            rate_limit: key.rate_limit,
            status,
            created_at: key.created_at,
            rotated_at: key.rotated_at,
            previous_until: key.previous.as_ref().map(|(_, until)| *until).filter(|until| *until > now),
            expires_at: key.expires_at,
            revoked_at,
            last_used_at: key.last_use.as_ref().map(|last| last.at),
            last_used_address: key.last_use.as_ref().and_then(|last| last.address.clone()),
        }
    }
}
