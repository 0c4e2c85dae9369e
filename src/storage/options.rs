//! How a database is reached.

use std::time::Duration;

use secrecy::SecretString;

use super::StorageError;
use crate::config::Pooler;

/// What to do about a SQLite database or a key that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    /// Make it, and its folder.
    Make,
    /// A volume that is not mounted must not look like an empty database.
    Fail,
}

/// How to reach the database and how much of it to use.
#[derive(Debug, Clone)]
pub struct DbOptions {
    /// `sqlite://…`, `postgres://…`, or `memory://NAME` for a SQLite database that ends with this process
    pub url: SecretString,
    pub pool_size: usize,
    /// Writes that may wait.
    pub queue: usize,
    /// For one piece of work, waiting included.
    pub timeout: Duration,
    /// For making one connection to PostgreSQL.
    pub connect_timeout: Duration,
    /// For how long a PostgreSQL that is not up yet is waited for.
    pub start_timeout: Duration,
    pub pooler: Pooler,
    pub if_missing: IfMissing,
}

impl DbOptions {
    /// For a small tool: no waiting, and nothing is made.
    pub fn new(url: SecretString) -> Self {
        let timeout = Duration::from_secs(5);
        Self {
            url,
            pool_size: 2,
            queue: 1024,
            timeout,
            connect_timeout: timeout,
            start_timeout: Duration::ZERO,
            pooler: Pooler::Auto,
            if_missing: IfMissing::Fail,
        }
    }
}

pub(super) fn wrong_url() -> StorageError {
    StorageError::Unavailable("[database] url must begin with sqlite:// or postgres://".to_owned())
}
