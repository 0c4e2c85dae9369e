//! What failed work tells of the database: that it has no room, or that a table may be locked.

use std::sync::atomic::{AtomicBool, Ordering};

use super::StorageError;

/// What PostgreSQL goes on with while requests fail.
#[derive(Default)]
pub(super) struct Troubles {
    pub(super) room: Room,
    pub(super) locks: Locks,
}

impl Troubles {
    /// Learns from the end of some work.
    pub fn notice(&self, error: Option<&StorageError>, written: bool) {
        self.room.notice(error, written);
        if matches!(error, Some(StorageError::Locked)) {
            self.locks.suspected.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether PostgreSQL has room for what is written. Reads go on while it has none, so that nothing but failed writes shows it.
#[derive(Default)]
pub(super) struct Room {
    is_full: AtomicBool,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Learns from the end of a write.
    fn notice(&self, error: Option<&StorageError>, written: bool) {
        let was_full = self.is_full();
        if let Some(error) = error.filter(|error| !was_full && error.is_no_room()) {
            if !self.is_full.swap(true, Ordering::Relaxed) {
                metrics::gauge!("latchway_database_up").set(0.0);
                tracing::error!(%error, "the database has no room: nothing can be written");
            }
        } else if was_full && written && self.is_full.swap(false, Ordering::Relaxed) {
            metrics::gauge!("latchway_database_up").set(1.0);
            tracing::info!("the database has room again");
        }
    }
}

/// Whether another session of PostgreSQL holds a whole table that requests read, as ALTER TABLE and VACUUM FULL do. A lock that
/// only writes wait for leaves a node ready, because tokens are introspected and logins begin meanwhile.
#[derive(Default)]
pub(super) struct Locks {
    /// Some work has waited for a lock for too long since the tables were last read.
    pub(super) suspected: AtomicBool,
    /// The tables could not be read.
    pub(super) found: AtomicBool,
}
