//! An API key: whose it is, what it may do, and what is valid.

use super::{NOT_FOR_KEYS, Scopes, validate_resource};
use crate::support::text::is_one_line;
use crate::support::{Id, Network, Seconds};

/// Whose program it is that a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOwner {
    /// By its client id.
    Client(String),
    /// By their id.
    Person(Id),
}

/// Whether a key was taken back. That it has expired is a matter of the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyStage {
    Live,
    Revoked { at: Seconds },
}

/// When a key was last presented and, where that is known, from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    pub at: Seconds,
    pub address: Option<String>,
}

/// A credential of a program, without its secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: Id,
    pub secret_hash: Vec<u8>,
    /// The secret before the last rotation, and until when it is still taken.
    pub previous: Option<(Vec<u8>, Seconds)>,
    /// What its owner calls it.
    pub name: String,
    pub owner: KeyOwner,
    /// The family of tokens by which an app made it for a person; it ends with that.
    pub grant_id: Option<Id>,
    pub scope: Scopes,
    /// The APIs it is for; without any only the client that owns it can look it up.
    pub audience: Vec<String>,
    /// Where it may be used from; anywhere if there are none.
    pub networks: Vec<Network>,
    /// Uses a minute.
    pub rate_limit: Option<u32>,
    pub created_at: Seconds,
    pub rotated_at: Option<Seconds>,
    pub expires_at: Option<Seconds>,
    pub stage: ApiKeyStage,
    pub last_use: Option<LastUse>,
}

/// A key that must not be stored: which parameter is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter} {why}")]
pub struct InvalidApiKey {
    pub parameter: &'static str,
    pub why: String,
}

const MAX_NAME: usize = 100;
const MAX_AUDIENCES: usize = 20;
const MAX_NETWORKS: usize = 50;
/// The highest rate limit that can be set, in uses a minute.
pub const MAX_RATE: u32 = 1_000_000;

impl ApiKey {
    /// The rules that hold whoever owns it.
    pub fn validate(&self) -> Result<(), InvalidApiKey> {
        let fail = |parameter, why: String| Err(InvalidApiKey { parameter, why });
        if self.name.trim().is_empty() || self.name.chars().count() > MAX_NAME || !is_one_line(&self.name) {
            return fail("name", format!("must have 1 to {MAX_NAME} characters, and no control characters"));
        }
        if self.scope.is_empty() {
            return fail("scope", "must name at least one scope".to_owned());
        }
        if let Some(scope) = self.scope.iter().find(|scope| NOT_FOR_KEYS.contains(scope)) {
            return fail("scope", format!("must not have {scope}: a key stands for a program, never for a person"));
        }
        if self.audience.len() > MAX_AUDIENCES {
            return fail("audience", format!("must name {MAX_AUDIENCES} APIs at most"));
        }
        for audience in &self.audience {
            validate_resource(audience).map_err(|e| InvalidApiKey { parameter: "audience", why: e.to_string() })?;
        }
        if self.networks.len() > MAX_NETWORKS {
            return fail("networks", format!("must name {MAX_NETWORKS} networks at most"));
        }
        if self.rate_limit.is_some_and(|rate| rate == 0 || rate > MAX_RATE) {
            return fail("rate_limit", format!("must be 1 to {MAX_RATE} uses a minute"));
        }
        if self.expires_at.is_some_and(|at| at <= self.created_at) {
            return fail("expires_in", "must be at least 1 second".to_owned());
        }
        Ok(())
    }

    /// Whether a use from there is one that the owner foresaw.
    pub fn is_allowed_from(&self, address: std::net::IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address))
    }

    pub fn is_expired(&self, now: Seconds) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(networks: &[&str]) -> ApiKey {
        ApiKey {
            id: Id::from_bytes([0; 16]),
            secret_hash: vec![0; 32],
            previous: None,
            name: "Backup".to_owned(),
            owner: KeyOwner::Client("c".to_owned()),
            grant_id: None,
            scope: ["orders:read"].into_iter().collect(),
            audience: Vec::new(),
            networks: networks.iter().map(|network| network.parse().expect("a network")).collect(),
            rate_limit: None,
            created_at: 1_000,
            rotated_at: None,
            expires_at: None,
            stage: ApiKeyStage::Live,
            last_use: None,
        }
    }

    #[test]
    fn networks_are_compared_in_one_spelling() {
        let key = key(&["10.0.0.0/8", "2001:db8::/32"]);
        let from = |address: &str| key.is_allowed_from(address.parse().expect("an address"));
        assert!(from("10.1.2.3") && from("::ffff:10.1.2.3") && from("2001:db8:1::1"));
        assert!(!from("11.0.0.1") && !from("2001:db9::1") && !from("::1"));
        assert!(super::tests::key(&[]).is_allowed_from([203, 0, 113, 9].into()));
    }

    #[test]
    fn a_wrong_one_names_its_parameter() {
        let refused = |change: fn(&mut ApiKey)| {
            let mut key = key(&[]);
            change(&mut key);
            key.validate().expect_err("refused").parameter
        };
        assert_eq!(key(&[]).validate(), Ok(()));
        assert_eq!(refused(|key| key.name = " ".to_owned()), "name");
        assert_eq!(refused(|key| key.name = "a\nb".to_owned()), "name");
        assert_eq!(refused(|key| key.scope = Scopes::default()), "scope");
        for scope in NOT_FOR_KEYS {
            let mut key = key(&[]);
            key.scope = ["orders:read", scope].into_iter().collect();
            assert_eq!(key.validate().expect_err("refused").parameter, "scope");
        }
        assert_eq!(refused(|key| key.audience = vec!["api".to_owned()]), "audience");
        assert_eq!(refused(|key| key.rate_limit = Some(0)), "rate_limit");
        assert_eq!(refused(|key| key.expires_at = Some(1_000)), "expires_in");
    }
}
