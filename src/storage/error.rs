//! Storage errors, and what survives of a write that is refused.

use crate::domain::InvalidRow;

/// What can go wrong between us and the database. What it says is for the log, never for the wire.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// More writes wait than the configuration allows.
    #[error("the database's queue is full")]
    Busy,
    /// It took longer than `[database] timeout_seconds`.
    #[error("the database did not answer in time")]
    Timeout,
    /// PostgreSQL gave up waiting for a lock of another session.
    #[error("another session of the database held a lock for too long")]
    Locked,
    /// It cannot be reached, it failed, or something that it needs is missing: a whole sentence.
    #[error("{0}")]
    Unavailable(String),
    /// The schema has migrations that this binary does not know.
    #[error("the database was migrated by a newer version of latchway; run that version, or restore a backup")]
    Newer,
    /// Another row has the same unique value.
    #[error("{0}")]
    Conflict(String),
    #[error(transparent)]
    InvalidRow(#[from] InvalidRow),
    #[error("the database refused: {0}")]
    Query(diesel::result::Error),
    /// The work itself panicked; its transaction was rolled back.
    #[error("the work {0} panicked")]
    Panicked(&'static str),
}

impl StorageError {
    /// Whether the database's disk is full.
    pub(super) fn is_no_room(&self) -> bool {
        matches!(self, Self::Unavailable(why) if says(why, &["No space left on device", "could not extend file"]))
    }

    /// For work that comes after the database was closed.
    pub(super) fn closed() -> Self {
        Self::Unavailable("this process has closed it".to_owned())
    }
}

/// What both databases say when they gave up waiting.
const TIMEOUTS: &[&str] = &["database is locked", "statement timeout"];

/// What both databases say when it is they who have a problem, and not the statement.
const FAILURES: &[&str] = &[
    "disk I/O error",
    "database or disk is full",
    "attempt to write a readonly database",
    "unable to open database file",
    "database disk image is malformed",
    "terminating connection",
    "the database system is",
    "No space left on device",
    "could not extend file",
];

fn says(message: &str, any_of: &[&str]) -> bool {
    any_of.iter().any(|text| message.contains(text))
}

impl From<diesel::result::Error> for StorageError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match &error {
            Error::DatabaseError(Kind::UniqueViolation, info) => Self::Conflict(info.message().to_owned()),
            Error::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, info) => {
                Self::Unavailable(format!("the connection to the database ended: {}", info.message()))
            }
            // A standby took over, or this one became one: another connection finds who takes writes.
            Error::DatabaseError(Kind::ReadOnlyTransaction, info) => {
                Self::Unavailable(format!("the database takes no writes: {}", info.message()))
            }
            Error::DatabaseError(_, info) if says(info.message(), TIMEOUTS) => Self::Timeout,
            Error::DatabaseError(_, info) if says(info.message(), &["lock timeout"]) => Self::Locked,
            Error::DatabaseError(_, info) if says(info.message(), FAILURES) => {
                Self::Unavailable(format!("the database failed: {}", info.message()))
            }
            Error::BrokenTransactionManager => Self::Unavailable("the transaction broke".to_owned()),
            _ => Self::Query(error),
        }
    }
}

impl StorageError {
    /// No connection to the database can be made.
    pub(super) fn unreachable(why: impl std::fmt::Display) -> Self {
        Self::Unavailable(format!("the database cannot be reached: {why}"))
    }

    /// Whether the same work, done again at once, may well succeed.
    pub(super) fn is_passing(&self) -> bool {
        use diesel::result::{DatabaseErrorKind as Kind, Error};
        match self {
            Self::Query(Error::DatabaseError(Kind::SerializationFailure, _)) => true,
            Self::Query(Error::DatabaseError(_, info)) => info.message().contains("deadlock detected"),
            _ => false,
        }
    }

    /// Whether the connection is of no further use.
    pub(super) fn breaks_connection(&self) -> bool {
        use diesel::result::Error;
        match self {
            Self::Unavailable(_) | Self::Panicked(_) => true,
            Self::Query(Error::DatabaseError(_, info)) => info.message().contains("connection closed"),
            Self::Query(
                Error::QueryBuilderError(_) | Error::SerializationError(_) | Error::DeserializationError(_),
            ) => false,
            _ => false,
        }
    }
}

/// How a write ends when it does not succeed: what of it survives.
#[derive(Debug)]
pub enum Refusal<E> {
    /// Nothing; what `?` makes of an error.
    RollBack(E),
    /// All that was written: a revocation after a replay must outlive the refusal that it comes with.
    Commit(E),
}

impl<E> From<E> for Refusal<E> {
    fn from(error: E) -> Self {
        Self::RollBack(error)
    }
}
