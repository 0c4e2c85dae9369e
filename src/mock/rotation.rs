//! New keys now, whatever anybody has cached.

use std::sync::atomic::{AtomicU32, Ordering};

use super::issuer::{Issuer, MakeError};
use crate::domain::Algorithm;
use crate::keys::seeded;
use crate::storage::{Refusal, StorageError, keys};
use crate::support::Seconds;

/// How often keys were rotated, over all issuers: none has the same twice.
static ROTATIONS: AtomicU32 = AtomicU32::new(0);
/// Retired keys verify for so long.
const GRACE: Seconds = 86_400;

/// Retires the keys of an issuer, so that they still verify and sign nothing new, and makes others.
///
/// # Errors
/// If the database or the cryptographic library fails.
pub async fn rotate(issuer: &Issuer, seed: u64) -> Result<(), MakeError> {
    let app = &issuer.app;
    let (now, rotation) = (app.now(), ROTATIONS.fetch_add(1, Ordering::Relaxed) + 1);
    let (seed, sealer) = (seed.to_string(), app.keys.sealer());
    let fresh = Algorithm::ALL.iter().map(|&algorithm| seeded(algorithm, (&seed, rotation), sealer, &app.rng, now));
    let fresh = fresh.collect::<Result<Vec<_>, _>>()?;
    let stored = app
        .db
        .write("mock.rotate", move |tx| -> Result<_, Refusal<StorageError>> {
            for key in keys::list(tx.reader())?.iter().filter(|key| key.retired_at.is_none()) {
                keys::retire(tx, &key.kid, now, now + GRACE)?;
            }
            for key in &fresh {
                keys::insert(tx, key)?;
            }
            Ok(keys::list(tx.reader())?)
        })
        .await?;
    for app in issuer.apps() {
        app.keys.reload(&stored)?;
    }
    Ok(())
}
