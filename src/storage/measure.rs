//! How large the database is, and how much it has to do.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;

use super::{Conn, StorageError};

/// How large the database is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Size {
    pub bytes: u64,
    /// SQLite's write-ahead log.
    pub wal_bytes: u64,
}

/// How much this process has for it to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    pub waiting: usize,
    pub busy: usize,
    pub idle: usize,
}

/// Whether PostgreSQL has room for what is written. Reads go on while it has none, so that nothing but failed writes shows it.
#[derive(Default)]
pub(super) struct Room {
    is_full: AtomicBool,
}

impl Room {
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Learns from the end of a write.
    pub fn notice(&self, error: Option<&StorageError>, written: bool) {
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

/// The files of SQLite; nothing of a database that is in memory.
pub(super) fn of_files(path: &str) -> Size {
    let bytes = |path: &str| std::fs::metadata(path).map_or(0, |file| file.len());
    Size { bytes: bytes(path), wal_bytes: bytes(&format!("{path}-wal")) }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

/// PostgreSQL's own answer.
pub(super) fn of_server(conn: &mut Conn) -> Result<Size, StorageError> {
    let Conn::Postgres(c) = conn else { return Ok(Size::default()) };
    let row: Row = sql_query("SELECT pg_database_size(current_database()) AS bytes").get_result(&mut **c)?;
    Ok(Size { bytes: u64::try_from(row.bytes).unwrap_or_default(), wal_bytes: 0 })
}
