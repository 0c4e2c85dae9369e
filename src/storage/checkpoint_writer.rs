//! How a process states its chains while it serves.

use super::audit_checkpoints::{ATTEMPTS, append, last};
use super::{Db, Refusal, StorageError};
use crate::domain::chain::Checkpoint;

impl Db {
    /// Appends a checkpoint that says what `fill` puts into it, and tells its number. It is signed before the transaction
    /// in which it is written.
    pub async fn append_checkpoint(&self, at_millis: i64, fill: impl Fn(&mut Checkpoint)) -> Result<i64, StorageError> {
        for _ in 0..ATTEMPTS {
            let last = self.read("audit.checkpoint", last).await?;
            let mut checkpoint = Checkpoint::after(last.as_ref(), at_millis);
            fill(&mut checkpoint);
            let sealed = self.chain().key()?.seal(&checkpoint);
            let appended = self
                .write("audit.checkpoint", move |tx| -> Result<_, Refusal<StorageError>> { Ok(append(tx, &sealed)?) })
                .await?;
            if appended {
                self.chain().stated(checkpoint.number, &checkpoint.heads);
                return Ok(checkpoint.number);
            }
        }
        Err(StorageError::Busy)
    }

    /// States how far the writers of this process have come. `None`: there is nothing new.
    ///
    /// # Errors
    /// [`StorageError::Conflict`] if checkpoints are gone that this process has seen.
    pub async fn checkpoint(&self, at_millis: i64) -> Result<Option<i64>, StorageError> {
        let heads = self.chain().unstated();
        if heads.is_empty() {
            return Ok(None);
        }
        let seen = self.chain().last_checkpoint();
        let number = self.append_checkpoint(at_millis, |checkpoint| checkpoint.heads.clone_from(&heads)).await?;
        if number <= seen {
            let why = format!("checkpoint {seen} of the audit trail was there and is gone: somebody removed it");
            return Err(StorageError::Conflict(why));
        }
        Ok(Some(number))
    }
}
