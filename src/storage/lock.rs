use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;

use super::StorageError;

/// Held by whoever serves from an embedded database, or replaces it; ends with the process, however it ends.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

impl ServerLock {
    /// Takes `<path>.lock`, or says that somebody has it.
    pub fn acquire(path: &str) -> Result<Self, StorageError> {
        let name = format!("{path}.lock");
        let unavailable = |e: &dyn std::fmt::Display| StorageError::Unavailable(format!("{name}: {e}"));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&name)
            .map_err(|e| unavailable(&e))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(StorageError::Unavailable(format!("a running server has {path} open; stop it first")))
            }
            Err(TryLockError::Error(e)) => Err(unavailable(&e)),
        }
    }
}
