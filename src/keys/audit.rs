//! The audit trail's key: made once, kept sealed as the signing keys are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KeyError, Sealer};
use crate::domain::chain::{ChainKey, Checkpoint};
use crate::storage::{Conn, Db, Refusal, StorageError, Tx, audit_checkpoints, settings};
use crate::support::{Clock, Rng};

/// The setting that has it, and the context under which it is sealed.
pub const AUDIT_KEY: &str = "audit_key";

/// What to do about a trail whose key somebody removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfGone {
    Refuse,
    /// Go on with another key: a server serves. What was before cannot be verified any more, and that shows.
    BeginAnew,
}

/// Opens the key for this process, so that it can record; makes it where there was none yet.
pub async fn unlock_audit(db: &Db, sealer: &Sealer, clock: &Clock, rng: &Rng, if_gone: IfGone) -> Result<(), KeyError> {
    let found = db.read("audit.key", |conn| settings::get(conn, AUDIT_KEY)).await?;
    let key = match found {
        Some(stored) => open_audit_key(sealer, &stored)?,
        None => {
            let read = |conn: &mut Conn| Ok((audit_checkpoints::last(conn)?, audit_checkpoints::newest_event(conn)?));
            let (last, newest) = db.read("audit.key", read).await?;
            if last.is_some() {
                if if_gone == IfGone::Refuse {
                    return Err(KeyError::AuditKeyGone);
                }
                tracing::error!("the key of the audit trail is gone: somebody removed it; going on with another");
            }
            let (fresh, now) = (Fresh::make(sealer, rng)?, clock.now_millis());
            let (key, stored) = (ChainKey::new(&fresh.key), fresh.sealed.clone());
            let checkpoint = Checkpoint { unchained_until: newest, ..Checkpoint::after(last.as_ref(), now) };
            let sealed = key.seal(&checkpoint);
            let is_mine = db
                .write("audit.key", move |tx| -> Result<_, Refusal<StorageError>> {
                    if !settings::set_once(tx, AUDIT_KEY, &stored)? {
                        return Ok(false);
                    }
                    if !audit_checkpoints::append(tx, &sealed)? {
                        return Err(StorageError::Conflict("there is a checkpoint without a key".to_owned()).into());
                    }
                    Ok(true)
                })
                .await?;
            if is_mine {
                key
            } else {
                let stored = db.read("audit.key", |conn| settings::get(conn, AUDIT_KEY)).await?;
                open_audit_key(sealer, &stored.ok_or(KeyError::Make)?)?
            }
        }
    };
    db.chain().unlock(key);
    Ok(())
}

/// The key of a trail, for whoever verifies it: as it stands in the settings or in an export.
pub fn open_audit_key(sealer: &Sealer, stored: &str) -> Result<ChainKey, KeyError> {
    let sealed = STANDARD.decode(stored).map_err(|_| KeyError::UnsealAudit)?;
    let key = sealer.open(AUDIT_KEY, &sealed).ok_or(KeyError::UnsealAudit)?;
    <&[u8; 32]>::try_from(key.as_slice()).map(ChainKey::new).map_err(|_| KeyError::UnsealAudit)
}

/// The key of a database that nobody else uses, made in the transaction of its user if there is none.
pub fn audit_key_in(tx: &mut Tx<'_>, sealer: &Sealer, clock: &Clock, rng: &Rng) -> Result<ChainKey, KeyError> {
    if let Some(stored) = settings::get(tx.reader(), AUDIT_KEY)? {
        return open_audit_key(sealer, &stored);
    }
    let fresh = Fresh::make(sealer, rng)?;
    let key = ChainKey::new(&fresh.key);
    let last = audit_checkpoints::last(tx.reader())?;
    let newest = audit_checkpoints::newest_event(tx.reader())?;
    let checkpoint = Checkpoint { unchained_until: newest, ..Checkpoint::after(last.as_ref(), clock.now_millis()) };
    settings::set(tx, AUDIT_KEY, &fresh.sealed)?;
    audit_checkpoints::append(tx, &key.seal(&checkpoint))?;
    Ok(key)
}

/// Seals the stored key anew if it was sealed with the encryption key before today's.
pub(super) async fn reseal_audit_key(db: &Db, sealer: &Sealer, rng: &Rng) -> Result<bool, KeyError> {
    let Some(before) = db.read("audit.key", |conn| settings::get(conn, AUDIT_KEY)).await? else { return Ok(false) };
    let sealed = STANDARD.decode(&before).unwrap_or_default();
    if sealer.is_current(AUDIT_KEY, &sealed) {
        return Ok(false);
    }
    let plain = sealer.open(AUDIT_KEY, &sealed).ok_or(KeyError::UnsealAudit)?;
    let after = STANDARD.encode(sealer.seal(rng, AUDIT_KEY, &plain).ok_or(KeyError::Make)?);
    let replaced = db.write("audit.reseal", move |tx| -> Result<_, Refusal<StorageError>> {
        Ok(settings::replace(tx, AUDIT_KEY, &before, &after)?)
    });
    Ok(replaced.await?)
}

pub(super) struct Fresh {
    pub key: zeroize::Zeroizing<[u8; 32]>,
    pub sealed: String,
}

impl Fresh {
    pub fn make(sealer: &Sealer, rng: &Rng) -> Result<Self, KeyError> {
        let key = zeroize::Zeroizing::new(rng.bytes::<32>());
        let sealed = sealer.seal(rng, AUDIT_KEY, key.as_slice()).ok_or(KeyError::Make)?;
        Ok(Self { key, sealed: STANDARD.encode(sealed) })
    }
}
