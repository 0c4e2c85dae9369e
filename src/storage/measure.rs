//! How large the database is, and how much it has to do.

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
