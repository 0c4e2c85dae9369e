//! Why a connection could not be made, as far as what follows from it differs.

use std::error::Error;

use tokio_postgres::error::SqlState;

use super::security;
use crate::storage::StorageError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody answered, or PostgreSQL is just starting or stopping: it may be there in a moment.
    Unreachable,
    /// PostgreSQL is there, and has no connection left for us.
    Crowded,
    /// It answered, and said no for a reason that waiting does not remove.
    Refused,
    /// A pooler is in between, and takes no settings in the startup packet.
    Parameters,
    /// The time was too short, which tells nothing about the database.
    Late,
}

#[derive(Debug)]
pub struct Unconnected {
    pub why: Why,
    text: String,
}

impl Unconnected {
    pub fn new(why: Why, text: impl Into<String>) -> Self {
        Self { why, text: text.into() }
    }

    pub fn late() -> Self {
        Self::new(Why::Late, "it did not answer in time")
    }

    pub fn of(error: &tokio_postgres::Error) -> Self {
        let text = security::explained(error);
        let why = match error.code() {
            Some(code) => of_code(code, &text),
            None if is_about_writes(error) || says(&text, &["certificate", "TLS", "password missing"]) => Why::Refused,
            None => Why::Unreachable,
        };
        Self::new(why, text)
    }

    pub fn of_diesel(error: &diesel::result::Error) -> Self {
        Self::new(Why::Unreachable, security::explained(error))
    }

    pub fn is_crowded(&self) -> bool {
        self.why == Why::Crowded
    }
}

fn of_code(code: &SqlState, text: &str) -> Why {
    // pgbouncer has one code for all that it says.
    if says(text, &["unsupported startup parameter"]) {
        Why::Parameters
    } else if *code == SqlState::TOO_MANY_CONNECTIONS || says(text, &["no more connections"]) {
        Why::Crowded
    } else if code.code().starts_with("57P")
        || says(text, &["server login", "server_login", "cannot connect", "shutting down"])
    {
        Why::Unreachable
    } else {
        Why::Refused
    }
}

/// tokio-postgres says by this kind of error that a host takes no writes.
fn is_about_writes(error: &tokio_postgres::Error) -> bool {
    let io = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
}

fn says(text: &str, any_of: &[&str]) -> bool {
    any_of.iter().any(|part| text.contains(part))
}

impl From<Unconnected> for StorageError {
    fn from(unconnected: Unconnected) -> Self {
        match unconnected.why {
            Why::Late => Self::Timeout,
            _ => Self::unreachable(unconnected.text),
        }
    }
}

impl std::fmt::Display for Unconnected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}
