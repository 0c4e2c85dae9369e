//! The way out when the encryption key is lost: what it sealed can be read by nobody any more.

use super::audit::{AUDIT_KEY, Fresh, open_audit_key};
use super::rotate::fresh;
use super::{KeyError, Sealer};
use crate::audit::{Event, EventKind};
use crate::domain::Algorithm;
use crate::domain::chain::{ChainKey, Checkpoint};
use crate::storage::audit_checkpoints::EPOCH;
use crate::storage::nodes::ENCRYPTION_KEY_PIN;
use crate::storage::restore_point::{self, Ended};
use crate::storage::{Db, Refusal, StorageError, audit_checkpoints, audit_events, keys, settings};
use crate::support::{Clock, Rng};

/// What is sealed with a key that this configuration does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    pub signing_keys: usize,
    pub audit_key: bool,
}

/// What of the stored keys cannot be opened.
pub async fn lost(db: &Db, sealer: &Sealer) -> Result<Lost, KeyError> {
    let read = |conn: &mut crate::storage::Conn| Ok((keys::list(conn)?, settings::get(conn, AUDIT_KEY)?));
    let (stored, audit_key) = db.read("keys.lost", read).await?;
    let unopened = stored.iter().filter(|key| sealer.open(&key.kid, &key.sealed_private_key).is_none());
    Ok(Lost {
        signing_keys: unopened.count(),
        audit_key: audit_key.is_some_and(|stored| open_audit_key(sealer, &stored).is_err()),
    })
}

/// Makes all keys anew, ends what was issued, and begins an epoch of the audit trail: its first checkpoint states how far
/// every chain goes, so that what is there now cannot be changed later, although nobody can verify any more who signed for
/// it before. No server may run meanwhile.
pub async fn begin_anew(db: &Db, sealer: &Sealer, clock: &Clock, rng: &Rng) -> Result<Ended, KeyError> {
    let now = clock.now();
    let signing: Vec<_> =
        Algorithm::ALL.iter().map(|&alg| fresh(alg, sealer, rng, now, now)).collect::<Result<_, _>>()?;
    let made = Fresh::make(sealer, rng)?;
    let read = |conn: &mut crate::storage::Conn| {
        Ok((audit_checkpoints::last(conn)?, audit_events::heads(conn)?, audit_events::first_events(conn)?))
    };
    let (last, heads, first_events) = db.read("audit.heads", read).await?;
    let checkpoint = Checkpoint {
        heads,
        first_events,
        lost_key_until: Some(last.as_ref().map_or(0, |last| last.number)),
        swept_millis: Some(clock.now_millis()),
        ..Checkpoint::after(last.as_ref(), clock.now_millis())
    };
    let sealed = ChainKey::new(&made.key).seal(&checkpoint);
    db.chain().unlock(ChainKey::new(&made.key));
    let fingerprint = sealer.fingerprints().swap_remove(0);
    let clock = clock.clone();
    db.write("keys.anew", move |tx| -> Result<_, Refusal<StorageError>> {
        let ended = restore_point::set(tx, now)?;
        keys::remove_all(tx)?;
        for key in &signing {
            keys::insert(tx, key)?;
        }
        settings::set(tx, AUDIT_KEY, &made.sealed)?;
        settings::set(tx, EPOCH, &sealed.number.to_string())?;
        settings::set(tx, ENCRYPTION_KEY_PIN, &fingerprint)?;
        if !audit_checkpoints::append(tx, &sealed)? {
            return Err(
                StorageError::Conflict("another process writes to the audit trail; stop it first".to_owned()).into()
            );
        }
        Event::success(EventKind::KeysBegunAnew).record(tx, &clock)?;
        Ok(ended)
    })
    .await
    .map_err(KeyError::from)
}
