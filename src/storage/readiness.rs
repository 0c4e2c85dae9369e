//! Whether requests can be served: what failed work tells of the database, and how that is found out to be over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::db::Backend;
use super::{Conn, Db, Refusal, StorageError};

/// How often writing was tried out.
static PROBES: AtomicU64 = AtomicU64::new(0);

/// Reads from the tables without which every request of a kind fails: of clients and tokens (`clients`, `grants`,
/// `access_tokens`), of people (`users`, `sessions`), and all that is recorded (`audit_events`). The time is for a lock alone, so
/// that a database that is slow, and not locked, passes.
const READ_TABLES: &str = "SET LOCAL lock_timeout = 200; SELECT 1 FROM clients LIMIT 1; SELECT 1 FROM grants LIMIT 1; \
                           SELECT 1 FROM access_tokens LIMIT 1; SELECT 1 FROM users LIMIT 1; SELECT 1 FROM sessions LIMIT 1; \
                           SELECT 1 FROM audit_events LIMIT 1";

/// What PostgreSQL goes on with while requests fail.
#[derive(Default)]
pub(super) struct Troubles {
    room: Room,
    locks: Locks,
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
struct Room {
    is_full: AtomicBool,
}

impl Room {
    fn is_full(&self) -> bool {
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
struct Locks {
    /// Some work has waited for a lock for too long since the tables were last read.
    suspected: AtomicBool,
    /// The tables could not be read.
    found: AtomicBool,
}

impl Db {
    /// Whether the database is known to be gone, or the last write failed for want of room or of a working disk.
    pub fn is_failing(&self) -> bool {
        matches!(&*self.backend, Backend::Postgres(postgres) if postgres.is_gone()) || self.writes_fail()
    }

    fn writes_fail(&self) -> bool {
        if let Backend::Sqlite(sqlite) = &*self.backend { sqlite.is_failing() } else { self.troubles.room.is_full() }
    }

    /// Whether requests can be served: that the database answers and, after work that failed, that writing works again or that
    /// no table is locked.
    pub async fn probe(&self) -> Result<(), StorageError> {
        match &*self.backend {
            Backend::Sqlite(_) => self.read("readyz", Conn::ping).await?,
            Backend::Postgres(postgres) => postgres.probe().await?,
        }
        if self.writes_fail() {
            // Another value each time, or nothing would be written.
            let value = PROBES.fetch_add(1, Ordering::Relaxed).to_string();
            self.write("readyz.write", move |tx| -> Result<(), Refusal<StorageError>> {
                Ok(super::settings::set(tx, "probe", &value)?)
            })
            .await?;
        }
        if self.troubles.locks.suspected.load(Ordering::Relaxed) { self.read_tables().await } else { Ok(()) }
    }

    async fn read_tables(&self) -> Result<(), StorageError> {
        let locks = &self.troubles.locks;
        let read = self.write("readyz.tables", |tx| -> Result<(), Refusal<StorageError>> {
            Ok(tx.reader().batch(READ_TABLES).map_err(StorageError::from)?)
        });
        match read.await {
            Ok(()) => {
                locks.suspected.store(false, Ordering::Relaxed);
                if locks.found.swap(false, Ordering::Relaxed) {
                    tracing::info!("the database has no locked tables any more");
                }
                Ok(())
            }
            Err(StorageError::Locked) => {
                if !locks.found.swap(true, Ordering::Relaxed) {
                    tracing::error!("the database has a locked table that requests read: another session holds it");
                }
                Err(StorageError::Locked)
            }
            // Slow is not locked; whether the database is there was asked before.
            Err(_) => Ok(()),
        }
    }
}
