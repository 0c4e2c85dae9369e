use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::conn::on;
use super::{Conn, StorageError};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// How this binary and the schema it found go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationStatus {
    UpToDate,
    /// So many are still to be applied.
    Pending(usize),
    /// The schema has migrations that this binary does not know: a newer version was here.
    Newer,
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> StorageError {
    StorageError::Unavailable(format!("migration: {error}"))
}

fn all(conn: &Conn) -> EmbeddedMigrations {
    match conn {
        Conn::Sqlite(_) => SQLITE,
        Conn::Postgres(_) => POSTGRES,
    }
}

pub(super) fn run(conn: &mut Conn) -> Result<usize, StorageError> {
    if let Conn::Postgres(_) = conn {
        // Two nodes that start at once: one migrates, the other waits and then finds nothing to do.
        conn.batch("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(7163184220)")?;
    }
    let migrations = all(conn);
    let applied = on!(&mut *conn, c => c.run_pending_migrations(migrations).map(|done| done.len())).map_err(failed);
    if let Conn::Postgres(_) = conn {
        conn.batch("SELECT pg_advisory_unlock(7163184220)")?;
    }
    applied
}

pub(super) fn revert_last(conn: &mut Conn) -> Result<(), StorageError> {
    let migrations = all(conn);
    on!(conn, c => c.revert_last_migration(migrations).map(|_| ())).map_err(failed)
}

pub(super) fn status(conn: &mut Conn) -> Result<MigrationStatus, StorageError> {
    let known: Vec<MigrationVersion<'static>> = match conn {
        Conn::Sqlite(_) => versions::<diesel::sqlite::Sqlite>(&SQLITE)?,
        Conn::Postgres(_) => versions::<diesel::pg::Pg>(&POSTGRES)?,
    };
    let applied = on!(conn, c => c.applied_migrations()).map_err(failed)?;
    if applied.iter().any(|version| !known.contains(version)) {
        return Ok(MigrationStatus::Newer);
    }
    Ok(match known.len() - applied.len() {
        0 => MigrationStatus::UpToDate,
        pending => MigrationStatus::Pending(pending),
    })
}

fn versions<DB: diesel::backend::Backend>(
    source: &impl MigrationSource<DB>,
) -> Result<Vec<MigrationVersion<'static>>, StorageError> {
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    Ok(migrations.iter().map(|migration| migration.name().version().as_owned()).collect())
}
