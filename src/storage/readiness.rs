//! Whether requests can be served: what failed work tells of the database, and how that is found out to be over.

use std::sync::atomic::{AtomicU64, Ordering};

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
