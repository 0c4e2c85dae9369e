//! The embedded migrations, and whether the schema fits this binary.

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::sql_types::{Bool, Text};
use diesel::{Connection, QueryResult, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::conn::{PgConnection, on};
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

/// Applies what is outstanding. Changes nothing, and needs no rights on the schema, where nothing is.
///
/// # Errors
/// [`StorageError::Newer`] on a schema of a newer version.
pub(super) fn run(conn: &mut Conn) -> Result<usize, StorageError> {
    if known_pending(conn)? == 0 {
        return Ok(0);
    }
    match conn {
        Conn::Sqlite(c) => apply(&mut **c, SQLITE),
        // One transaction around all: its lock makes a second node that starts meanwhile wait and then find nothing to do,
        // and it ends with the transaction, also where a pooler gives each transaction another connection.
        Conn::Postgres(c) => {
            let mut why = None;
            let migrated: Result<Result<usize, StorageError>, diesel::result::Error> = c.transaction(|c| {
                c.batch_execute(
                    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                     SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(7163184220)",
                )?;
                match pending(&applied_postgres(c)?, versions::<diesel::pg::Pg>(&POSTGRES)) {
                    Ok(0) => Ok(Ok(0)),
                    Ok(_) => match apply(c, POSTGRES) {
                        Ok(count) => Ok(Ok(count)),
                        // What was applied before the one that failed is undone, too.
                        Err(error) => {
                            why = Some(error);
                            Err(diesel::result::Error::RollbackTransaction)
                        }
                    },
                    Err(error) => Ok(Err(error)),
                }
            });
            match (migrated, why) {
                (_, Some(error)) => Err(error),
                (migrated, None) => migrated?,
            }
        }
    }
}

fn apply<C, DB>(conn: &mut C, migrations: EmbeddedMigrations) -> Result<usize, StorageError>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    conn.run_pending_migrations(migrations).map(|done| done.len()).map_err(failed)
}

pub(super) fn revert_last(conn: &mut Conn) -> Result<(), StorageError> {
    let migrations = all(conn);
    on!(conn, c => c.revert_last_migration(migrations).map(|_| ())).map_err(failed)
}

/// Reads the table of migrations, and never makes it: serving needs no rights on the schema.
pub(super) fn status(conn: &mut Conn) -> Result<MigrationStatus, StorageError> {
    match known_pending(conn) {
        Ok(0) => Ok(MigrationStatus::UpToDate),
        Ok(pending) => Ok(MigrationStatus::Pending(pending)),
        Err(StorageError::Newer) => Ok(MigrationStatus::Newer),
        Err(error) => Err(error),
    }
}

fn known_pending(conn: &mut Conn) -> Result<usize, StorageError> {
    match conn {
        Conn::Sqlite(c) => pending(&applied_sqlite(c)?, versions::<diesel::sqlite::Sqlite>(&SQLITE)),
        Conn::Postgres(c) => pending(&c.transaction(applied_postgres)?, versions::<diesel::pg::Pg>(&POSTGRES)),
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    found: bool,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Text)]
    version: String,
}

const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations";

fn applied_sqlite(c: &mut SqliteConnection) -> QueryResult<Vec<String>> {
    let table = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '__diesel_schema_migrations') AS found";
    if !sql_query(table).get_result::<Found>(c)?.found {
        return Ok(Vec::new());
    }
    Ok(sql_query(APPLIED).load::<Version>(c)?.into_iter().map(|row| row.version).collect())
}

fn applied_postgres(c: &mut PgConnection) -> QueryResult<Vec<String>> {
    let table = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found";
    if !sql_query(table).get_result::<Found>(c)?.found {
        return Ok(Vec::new());
    }
    Ok(sql_query(APPLIED).load::<Version>(c)?.into_iter().map(|row| row.version).collect())
}

/// How many known migrations were not applied.
fn pending(
    applied: &[String],
    known: Result<Vec<MigrationVersion<'static>>, StorageError>,
) -> Result<usize, StorageError> {
    let known: Vec<String> = known?.iter().map(ToString::to_string).collect();
    if applied.iter().any(|version| !known.contains(version)) {
        return Err(StorageError::Newer);
    }
    Ok(known.len() - applied.len())
}

fn versions<DB: diesel::backend::Backend>(
    source: &impl MigrationSource<DB>,
) -> Result<Vec<MigrationVersion<'static>>, StorageError> {
    let migrations: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(failed)?;
    Ok(migrations.iter().map(|migration| migration.name().version().as_owned()).collect())
}
