//! A consistent copy of an embedded database while others write to it.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel::{QueryableByName, SqliteConnection, sql_query};

use super::{Conn, StorageError};

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Nullable<Text>)]
    version: Option<String>,
}

pub(super) fn open(path: &str) -> Result<SqliteConnection, StorageError> {
    let mut conn = SqliteConnection::establish(path)
        .map_err(|e| StorageError::Unavailable(format!("the database {path} cannot be opened: {e}")))?;
    conn.batch_execute("PRAGMA busy_timeout = 5000")?;
    Ok(conn)
}

/// Copies the database at `path` into the empty file at `target`, as it is at this moment, and tells the version of the
/// schema in the copy. The copy has no free pages and needs no other file beside it.
pub fn snapshot(path: &str, target: &str) -> Result<String, StorageError> {
    let mut conn = open(path)?;
    sql_query("VACUUM INTO ?").bind::<Text, _>(target).execute(&mut conn)?;
    drop(conn);
    schema_version(target)
}

/// Copies what a connection sees into the empty database at `target`.
pub(super) fn copy(conn: &mut Conn, target: &str) -> Result<(), StorageError> {
    let vacuum = sql_query("VACUUM INTO ?").bind::<Text, _>(target);
    match conn {
        Conn::Sqlite(conn) => vacuum.execute(&mut **conn)?,
        Conn::Postgres(_) => 0,
    };
    Ok(())
}

/// The last migration that was applied to the database at `path`.
pub fn schema_version(path: &str) -> Result<String, StorageError> {
    let mut conn = open(path)?;
    let found: Version =
        sql_query("SELECT max(version) AS version FROM __diesel_schema_migrations").get_result(&mut conn)?;
    found.version.ok_or_else(|| StorageError::Unavailable(format!("{path} has no schema yet; nothing is to be kept")))
}
