use super::audit::reseal_audit_key;
use super::make::make;
use super::{KeyError, KeyRing, Sealer, public_part};
use crate::audit::{Event, EventKind};
use crate::domain::Algorithm;
use crate::storage::keys::{self, StoredKey};
use crate::storage::{Db, Refusal, StorageError, Tx};
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
    let missing: Vec<Algorithm> = wanted.iter().copied().filter(|&algorithm| !signs(&stored, algorithm, now)).collect();
    if missing.is_empty() {
        return Ok(stored);
    }
    let fresh = missing.iter().map(|&alg| fresh(alg, sealer, rng, now, now)).collect::<Result<Vec<_>, _>>()?;
    db.write("keys.ensure", move |tx| -> Result<_, Refusal<KeyError>> {
        keys::lock(tx).map_err(KeyError::from)?;
        let stored = keys::list(tx.reader()).map_err(KeyError::from)?;
        for key in &fresh {
            let there = key.algorithm.parse().is_ok_and(|algorithm| signs(&stored, algorithm, now));
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

fn signs(stored: &[StoredKey], algorithm: Algorithm, now: Seconds) -> bool {
    stored.iter().any(|key| {
        key.algorithm == algorithm.as_str() && key.activates_at <= now && key.retired_at.is_none_or(|at| at > now)
    })
}

fn fresh(
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

/// Takes a key out of service at once. With a grace of 0 what it signed is refused from now on.
pub async fn retire(db: &Db, kid: &str, grace: Seconds, now: Seconds) -> Result<(), KeyError> {
    let kid = kid.to_owned();
    db.write("keys.retire", move |tx| -> Result<_, Refusal<KeyError>> {
        if keys::retire(tx, &kid, now, now + grace).map_err(KeyError::from)? {
            Ok(record(tx, EventKind::KeyRetired, &kid, now).map_err(KeyError::from)?)
        } else {
            Err(KeyError::Unknown(kid.clone()).into())
        }
    })
    .await
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
    let write = db.write("keys.reseal", move |tx| -> Result<_, Refusal<KeyError>> {
        let mut resealed = 0;
        for (kid, before, sealed) in &changes {
            if keys::reseal(tx, kid, before, sealed).map_err(KeyError::from)? {
                record(tx, EventKind::KeyResealed, kid, now).map_err(KeyError::from)?;
                resealed += 1;
            }
        }
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
