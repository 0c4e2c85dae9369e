//! Making a copy of an earlier database fit to be served from: its schema, what is known of the time since, and the
//! restore point.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::{QueryableByName, SqliteConnection, sql_query};

use super::audit_chain::Chain;
use super::audit_checkpoints::close;
use super::backup::open;
pub use super::carry_over_counts::Carried;
use super::restore_point::{self, Active, Ended};
use super::tx::Undo;
use super::writer::Memory;
use super::{Conn, MigrationStatus, StorageError, Tx, carry_over, migrations};
use crate::domain::chain::ChainKey;
use crate::support::Clock;

/// What is known of the time between the backup and its restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// There was no database to replace.
    Unknown,
    /// There was one, and it could not be read.
    Unreadable(String),
    Known(Carried),
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub since: Since,
    pub ended: Ended,
    pub active: Active,
    pub migrations: usize,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// Puts the log of a database into its file, so that this one file is all of it. Fails if any process has it open.
pub fn settle(path: &str) -> Result<(), StorageError> {
    let mut conn = open(path)?;
    let mode: JournalMode = sql_query("PRAGMA journal_mode = DELETE").get_result(&mut conn)?;
    if mode.journal_mode == "delete" { Ok(()) } else { Err(StorageError::Timeout) }
}

/// Refuses a database that this version does not understand.
pub fn check_version(path: &str) -> Result<(), StorageError> {
    match migrations::status(&mut Conn::Sqlite(Box::new(open(path)?)))? {
        MigrationStatus::Newer => {
            Err(StorageError::Unavailable("the backup was made by a newer version of latchway".to_owned()))
        }
        MigrationStatus::UpToDate | MigrationStatus::Pending(_) => Ok(()),
    }
}

/// Readies the database at `path`, which nobody else uses. `unlock` finds the audit trail's key in it, and `record` writes
/// the audit event for `operator`, in the same transaction.
pub fn make_ready<U, R>(
    path: &str,
    old: Option<&str>,
    (clock, operator): (&Clock, String),
    unlock: U,
    record: R,
) -> Result<Restored, StorageError>
where
    U: FnOnce(&mut Tx<'_>) -> Result<ChainKey, StorageError>,
    R: FnOnce(&mut Tx<'_>, &Restored) -> Result<(), StorageError>,
{
    let mut conn = Conn::Sqlite(Box::new(open(path)?));
    // The file takes its place only when all is done and on disk; until then a crash costs nothing but the copy.
    conn.batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON")?;
    let migrations = migrations::run(&mut conn)?;
    let attached = old.map(|old| attach(&mut conn, old));
    let now = clock.now();
    conn.batch("BEGIN IMMEDIATE")?;
    let since = match attached {
        None => Since::Unknown,
        Some(Ok(())) => since(&mut conn),
        Some(Err(error)) => Since::Unreadable(error.to_string()),
    };
    let chain = Arc::new(Chain::default());
    chain.set_operator(operator);
    let mut memory = Memory::new(clock, chain.clone());
    let mut tx = Tx::new(&mut conn, Undo::Whole, &mut memory);
    let ended = restore_point::set(&mut tx, now)?;
    let active = restore_point::active(tx.reader())?;
    let restored = Restored { since, ended, active, migrations };
    chain.unlock(unlock(&mut tx)?);
    record(&mut tx, &restored)?;
    conn.batch("COMMIT")?;
    memory.committed();
    close(&chain, clock, || Ok(conn))?;
    open(path)?.batch_execute("PRAGMA journal_mode = DELETE")?;
    Ok(restored)
}

fn attach(conn: &mut Conn, old: &str) -> Result<(), StorageError> {
    if let Conn::Sqlite(c) = conn {
        sql_query("ATTACH ? AS old").bind::<Text, _>(old).execute(&mut **c)?;
    }
    Ok(())
}

/// What cannot be read is left as it is in the backup, and said so.
fn since(conn: &mut Conn) -> Since {
    let Conn::Sqlite(c) = conn else { return Since::Unknown };
    match in_savepoint(c, carry_over::all) {
        Ok(carried) => Since::Known(carried),
        Err(error) => Since::Unreadable(error.to_string()),
    }
}

fn in_savepoint<T>(
    c: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T>,
) -> QueryResult<T> {
    c.batch_execute("SAVEPOINT carry")?;
    let result = work(c);
    c.batch_execute(if result.is_ok() { "RELEASE carry" } else { "ROLLBACK TO carry; RELEASE carry" })?;
    result
}
