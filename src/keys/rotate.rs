//! Makes missing keys, and rotates and retires keys.

use super::audit::reseal_audit_key;
use super::make::make;
use super::{KeyError, KeyRing, Sealer, public_part};
use crate::audit::{Event, EventKind};
use crate::domain::Algorithm;
use crate::storage::keys::{self, StoredKey};
use crate::storage::nodes::ENCRYPTION_KEY_PIN;
use crate::storage::{Db, Refusal, StorageError, Tx, settings};
use crate::support::{Rng, Seconds};

/// Makes the keys that are wanted and missing, and returns all that are stored then. Two nodes that start at once on an
/// empty database make one set.
pub async fn ensure(
    db: &Db,
    sealer: &Sealer,
    rng: &Rng,
    wanted: &[Algorithm],
    now: Seconds,
) -> Result<Vec<StoredKey>, KeyError> {
    let stored = db.read("keys.list", keys::list).await?;
    let missing: Vec<Algorithm> =
        wanted.iter().copied().filter(|&algorithm| !will_sign(&stored, algorithm, now)).collect();
    if missing.is_empty() {
        return Ok(stored);
    }
    let fresh = missing.iter().map(|&alg| fresh(alg, sealer, rng, now, now)).collect::<Result<Vec<_>, _>>()?;
    db.write("keys.ensure", move |tx| -> Result<_, Refusal<KeyError>> {
        keys::lock(tx).map_err(KeyError::from)?;
        let stored = keys::list(tx.reader()).map_err(KeyError::from)?;
        for key in &fresh {
            let there = key.algorithm.parse().is_ok_and(|algorithm| will_sign(&stored, algorithm, now));
            if !there {
                tracing::info!(kid = key.kid, algorithm = key.algorithm, "made a signing key");
                keys::insert(tx, key).map_err(KeyError::from)?;
                record(tx, EventKind::KeyCreated, &key.kid, now).map_err(KeyError::from)?;
            }
        }
        Ok(keys::list(tx.reader()).map_err(KeyError::from)?)
    })
    .await
}

/// Whether there is a key that signs or is going to. One that is published for later is enough: a clock that is behind
/// sees every key so, and would make others that nobody knows yet. Who takes the last active key away activates the next
/// ([`retire`]).
fn will_sign(stored: &[StoredKey], algorithm: Algorithm, now: Seconds) -> bool {
    let is_of = |key: &&StoredKey| key.algorithm == algorithm.as_str();
    stored.iter().filter(is_of).any(|key| key.retired_at.is_none_or(|at| at > now))
}

pub(super) fn fresh(
    algorithm: Algorithm,
    sealer: &Sealer,
    rng: &Rng,
    now: Seconds,
    activates_at: Seconds,
) -> Result<StoredKey, KeyError> {
    let pkcs8 = make(algorithm)?;
    let (kid, jwk) = public_part(algorithm, &pkcs8).ok_or(KeyError::Make)?;
    Ok(StoredKey {
        sealed_private_key: sealer.seal(rng, &kid, &pkcs8).ok_or(KeyError::Make)?,
        kid,
        algorithm: algorithm.as_str().to_owned(),
        public_jwk: jwk.to_string(),
        created_at: now,
        activates_at,
        retired_at: None,
        removed_at: None,
    })
}

/// How a rotation goes in time, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// From publication to the first signature; 0 in an emergency.
    pub prepublish: Seconds,
    /// How long the longest token lives that the old key signed.
    pub grace: Seconds,
}

/// Publishes a new key for an algorithm. It takes over when everybody can know it; the old one then retires, and goes
/// when the last token that it signed has expired.
pub async fn rotate(
    db: &Db,
    ring: &KeyRing,
    rng: &Rng,
    algorithm: Algorithm,
    timing: Timing,
    now: Seconds,
) -> Result<String, KeyError> {
    let activates_at = now + timing.prepublish;
    let key = fresh(algorithm, ring.sealer(), rng, now, activates_at)?;
    let kid = key.kid.clone();
    db.write("keys.rotate", move |tx| -> Result<_, Refusal<KeyError>> {
        keys::lock(tx).map_err(KeyError::from)?;
        for old in keys::list(tx.reader()).map_err(KeyError::from)? {
            if old.algorithm == key.algorithm && old.retired_at.is_none_or(|at| at > activates_at) {
                keys::retire(tx, &old.kid, activates_at, activates_at + timing.grace).map_err(KeyError::from)?;
            }
        }
        keys::insert(tx, &key).map_err(KeyError::from)?;
        Ok(record(tx, EventKind::KeyRotated, &key.kid, now).map_err(KeyError::from)?)
    })
    .await?;
    Ok(kid)
}

/// Takes a key out of service at once. With a grace of 0 what it signed is refused from now on. If no other key of its
/// algorithm is active, the one that was published to follow it signs at once.
pub async fn retire(db: &Db, kid: &str, grace: Seconds, now: Seconds) -> Result<(), KeyError> {
    let kid = kid.to_owned();
    db.write("keys.retire", move |tx| -> Result<_, Refusal<KeyError>> {
        keys::lock(tx).map_err(KeyError::from)?;
        if keys::retire(tx, &kid, now, now + grace).map_err(KeyError::from)? {
            activate_successor(tx, &kid, now).map_err(KeyError::from)?;
            Ok(record(tx, EventKind::KeyRetired, &kid, now).map_err(KeyError::from)?)
        } else {
            Err(KeyError::Unknown(kid.clone()).into())
        }
    })
    .await
}

/// Lets what is published to follow sign now, where nothing else can: after a clock was set back on purpose the keys that
/// were made by the one before are all of later.
pub async fn activate_pending(db: &Db, now: Seconds) -> Result<(), KeyError> {
    db.write("keys.activate", move |tx| -> Result<_, Refusal<KeyError>> {
        keys::lock(tx).map_err(KeyError::from)?;
        let stored = keys::list(tx.reader()).map_err(KeyError::from)?;
        for &algorithm in Algorithm::ALL {
            let serves =
                |key: &&StoredKey| key.algorithm == algorithm.as_str() && key.retired_at.is_none_or(|at| at > now);
            // The oldest first.
            if let Some(first) = stored.iter().find(serves).filter(|key| key.activates_at > now) {
                keys::activate(tx, &first.kid, now).map_err(KeyError::from)?;
            }
        }
        Ok(())
    })
    .await
}

fn activate_successor(tx: &mut Tx<'_>, kid: &str, now: Seconds) -> Result<(), StorageError> {
    let stored = keys::list(tx.reader())?;
    let Some(retired) = stored.iter().find(|key| key.kid == kid) else { return Ok(()) };
    let serves = |key: &&StoredKey| {
        key.kid != kid && key.algorithm == retired.algorithm && key.retired_at.is_none_or(|at| at > now)
    };
    // The oldest first.
    match stored.iter().find(serves) {
        Some(next) if next.activates_at > now => keys::activate(tx, &next.kid, now),
        _ => Ok(()),
    }
}

/// Seals all stored keys anew that were sealed with the encryption key before today's, and tells how many those were.
pub async fn reseal(db: &Db, sealer: &Sealer, rng: &Rng, now: Seconds) -> Result<Resealed, KeyError> {
    let mut changes = Vec::new();
    for key in db.read("keys.list", keys::list).await? {
        if sealer.is_current(&key.kid, &key.sealed_private_key) {
            continue;
        }
        let plain = sealer.open(&key.kid, &key.sealed_private_key).ok_or_else(|| KeyError::Unseal(key.kid.clone()))?;
        let sealed = sealer.seal(rng, &key.kid, &plain).ok_or(KeyError::Make)?;
        changes.push((key.kid, key.sealed_private_key, sealed));
    }
    let audit_key = reseal_audit_key(db, sealer, rng).await?;
    let fingerprint = sealer.fingerprints().swap_remove(0);
    let write = db.write("keys.reseal", move |tx| -> Result<_, Refusal<KeyError>> {
        let mut resealed = 0;
        for (kid, before, sealed) in &changes {
            if keys::reseal(tx, kid, before, sealed).map_err(KeyError::from)? {
                record(tx, EventKind::KeyResealed, kid, now).map_err(KeyError::from)?;
                resealed += 1;
            }
        }
        // From here on a node that knows the key before alone can open nothing.
        settings::set(tx, ENCRYPTION_KEY_PIN, &fingerprint).map_err(KeyError::from)?;
        Ok(resealed)
    });
    Ok(Resealed { signing_keys: write.await?, audit_key })
}

/// What was sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    pub signing_keys: usize,
    pub audit_key: bool,
}

fn record(tx: &mut Tx<'_>, kind: EventKind, kid: &str, now: Seconds) -> Result<(), StorageError> {
    Event::success(kind).detail(serde_json::json!({"kid": kid})).record_at(tx, now * 1000)
}
