//! Signing keys: kept sealed, prepublished, active, retired; rotated while serving.

mod anew;
mod audit;
mod make;
mod ring;
mod rotate;
mod seal;
#[cfg(feature = "mock")]
mod seeded;
mod sign;

pub use anew::{Lost, begin_anew, lost};
pub use audit::{AUDIT_KEY, IfGone, audit_key_in, open_audit_key, unlock_audit};
pub use make::public_part;
pub use ring::{Key, KeyRing, KeyStage, Snapshot};
pub use rotate::{Resealed, Timing, activate_pending, ensure, reseal, retire, rotate};
pub use seal::{Sealer, Unsealed};
#[cfg(feature = "mock")]
pub use seeded::seeded;
pub use sign::{Jwt, sign};

/// What can go wrong with keys. For the log and the operator's terminal.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("a signing key could not be made")]
    Make,
    #[error("signing key {0} cannot be opened: [keys] encryption_key is another one than it was sealed with")]
    Unseal(String),
    #[error("the audit trail's key cannot be opened: [keys] encryption_key is another one than it was sealed with")]
    UnsealAudit,
    #[error("the audit trail has no key, although it had one: somebody removed it")]
    AuditKeyGone,
    #[error("signing key {0} makes no sense: {1}")]
    Invalid(String, String),
    #[error("there is no {0} key that can sign now")]
    Missing(&'static str),
    #[error("there is no signing key {0}")]
    Unknown(String),
    #[error("a token could not be signed: {0}")]
    Sign(String),
    #[error(transparent)]
    Storage(#[from] crate::storage::StorageError),
}

impl crate::storage::WriteError for KeyError {
    fn storage(&self) -> Option<&crate::storage::StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            _ => None,
        }
    }
}
