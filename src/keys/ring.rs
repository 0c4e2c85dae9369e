//! All keys at one moment, and their replacement as a whole.

use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::DecodingKey;
use serde_json::{Value, json};

use super::make::PrivateKey;
use super::{KeyError, Sealer};
use crate::domain::{Algorithm, words};
use crate::storage::keys::StoredKey;
use crate::support::{Clock, Seconds};

words! {
    /// Where a key is in its life.
    KeyStage {
        /// In the JWKS, so that everybody knows it before it signs.
        Prepublished = "prepublished",
        Active = "active",
        /// Signs nothing any more; what it signed is still verified.
        Retired = "retired",
        /// Verifies nothing any more.
        Removed = "removed",
    }
}

/// A key. Its public part is in clear, so that what it signed is verified even where its private part cannot be opened.
pub struct Key {
    pub kid: String,
    pub algorithm: Algorithm,
    pub created_at: Seconds,
    pub activates_at: Seconds,
    pub retired_at: Option<Seconds>,
    pub removed_at: Option<Seconds>,
    pub jwk: Value,
    /// `None`: sealed with an encryption key that this node does not have.
    pub(super) private: Option<PrivateKey>,
    pub(super) verifying: DecodingKey,
}

impl Key {
    pub(super) fn open(stored: &StoredKey, sealer: &Sealer) -> Result<Self, KeyError> {
        let invalid = |why: &str| KeyError::Invalid(stored.kid.clone(), why.to_owned());
        let algorithm: Algorithm = stored.algorithm.parse().map_err(|why: String| invalid(&why))?;
        let private = match sealer.open(&stored.kid, &stored.sealed_private_key) {
            Some(pkcs8) => {
                let read = PrivateKey::read(algorithm, &pkcs8);
                Some(read.ok_or_else(|| invalid("its private part cannot be read"))?)
            }
            None => None,
        };
        let jwk: Value = serde_json::from_str(&stored.public_jwk).map_err(|e| invalid(&e.to_string()))?;
        let parsed = serde_json::from_value(jwk.clone()).map_err(|e| invalid(&e.to_string()))?;
        let verifying = DecodingKey::from_jwk(&parsed).map_err(|e| invalid(&e.to_string()))?;
        Ok(Self {
            kid: stored.kid.clone(),
            algorithm,
            created_at: stored.created_at,
            activates_at: stored.activates_at,
            retired_at: stored.retired_at,
            removed_at: stored.removed_at,
            jwk,
            private,
            verifying,
        })
    }

    /// A JWS signature (RFC 7518 §3) over `message`.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.private.as_ref().ok_or_else(|| KeyError::Unseal(self.kid.clone()))?.sign(message)
    }

    pub fn stage(&self, now: Seconds) -> KeyStage {
        if self.removed_at.is_some_and(|at| at <= now) {
            KeyStage::Removed
        } else if self.retired_at.is_some_and(|at| at <= now) {
            KeyStage::Retired
        } else if self.activates_at > now {
            KeyStage::Prepublished
        } else {
            KeyStage::Active
        }
    }
}

/// So many keys that were rotated out are remembered.
const MAX_FORMER: usize = 32;

/// All keys at one moment.
pub struct Snapshot {
    /// Oldest first.
    keys: Vec<Key>,
    /// Keys that were rotated out and whose tokens have all expired. Those that leaked are not among them.
    former: Vec<Key>,
    /// The JWKS as it goes over the wire.
    pub jwks: String,
    /// What it was made of, to tell whether it is still current.
    fingerprint: String,
}

impl Snapshot {
    fn new(stored: &[StoredKey], sealer: &Sealer, now: Seconds) -> Result<Self, KeyError> {
        let mut keys = Vec::with_capacity(stored.len());
        let mut former = Vec::new();
        for stored in stored {
            if stored.removed_at.is_none_or(|at| at > now) {
                keys.push(Key::open(stored, sealer)?);
            } else if stored.removed_at > stored.retired_at {
                // One that cannot be opened any more is of no use, and nothing depends on it.
                former.extend(Key::open(stored, sealer));
            }
        }
        former.drain(..former.len().saturating_sub(MAX_FORMER));
        let jwks = json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()}).to_string();
        Ok(Self { keys, former, jwks, fingerprint: fingerprint(stored, now) })
    }

    /// The key that signs with an algorithm now: of the active ones the newest.
    pub fn signing(&self, algorithm: Algorithm, now: Seconds) -> Result<&Key, KeyError> {
        self.keys
            .iter()
            .rev()
            .find(|key| key.algorithm == algorithm && key.stage(now) == KeyStage::Active)
            .ok_or(KeyError::Missing(algorithm.as_str()))
    }

    /// A key that may verify; the algorithm is the key's own, whatever a header says.
    pub fn verifying(&self, kid: &str, now: Seconds) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid && key.stage(now) != KeyStage::Removed)
    }

    /// A key that may verify what tells of the past and is no credential: also one that was rotated out long ago.
    pub(super) fn verifying_past(&self, kid: &str, now: Seconds) -> Option<&Key> {
        self.verifying(kid, now).or_else(|| self.former.iter().find(|key| key.kid == kid))
    }

    /// The algorithms with which something can be signed now.
    pub fn algorithms(&self, now: Seconds) -> Vec<Algorithm> {
        Algorithm::ALL.iter().copied().filter(|&algorithm| self.signing(algorithm, now).is_ok()).collect()
    }

    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The first key that signs or will sign, and that cannot be opened.
    pub fn unopened(&self, now: Seconds) -> Option<&Key> {
        let signs = |key: &&Key| matches!(key.stage(now), KeyStage::Active | KeyStage::Prepublished);
        self.keys.iter().filter(signs).find(|key| key.private.is_none())
    }

    /// The first key whose private part cannot be opened, of whatever stage.
    pub fn sealed_otherwise(&self) -> Option<&Key> {
        self.keys.iter().find(|key| key.private.is_none())
    }
}

/// Everything of the stored keys that a snapshot depends on.
fn fingerprint(stored: &[StoredKey], now: Seconds) -> String {
    stored
        .iter()
        .map(|key| {
            let removed = key.removed_at.is_some_and(|at| at <= now);
            format!("{} {} {:?} {:?} {removed};", key.kid, key.activates_at, key.retired_at, key.removed_at)
        })
        .collect()
}

/// The keys in use, replaced as a whole when they change.
#[derive(Clone)]
pub struct KeyRing {
    current: Arc<RwLock<Arc<Snapshot>>>,
    sealer: Arc<Sealer>,
    clock: Clock,
}

impl KeyRing {
    pub fn new(stored: &[StoredKey], sealer: Arc<Sealer>, clock: Clock) -> Result<Self, KeyError> {
        let snapshot = Snapshot::new(stored, &sealer, clock.now())?;
        // A node that starts can open all keys. One that serves may meet a key later that it cannot open.
        if let Some(key) = snapshot.sealed_otherwise() {
            return Err(KeyError::Unseal(key.kid.clone()));
        }
        Ok(Self { current: Arc::new(RwLock::new(Arc::new(snapshot))), sealer, clock })
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes up what is stored now; `true` if that is something else than before.
    pub fn reload(&self, stored: &[StoredKey]) -> Result<bool, KeyError> {
        let now = self.clock.now();
        if self.snapshot().fingerprint == fingerprint(stored, now) {
            return Ok(false);
        }
        let snapshot = Arc::new(Snapshot::new(stored, &self.sealer, now)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(true)
    }

    pub fn sealer(&self) -> &Arc<Sealer> {
        &self.sealer
    }
}
