//! `[database]`

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::section;
use crate::config::keys::Rule::{OneOf, Secret, Switch};
use crate::config::keys::{HOUR, MILLION, number};

/// What is between this process and PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooler {
    /// Found out at the start.
    Auto,
    /// A pooler that lends connections for whole sessions.
    Session,
    /// A pooler that lends them for transactions.
    Transaction,
}

section! {
    /// Where state is kept.
    Database = "database" {
        /// "sqlite:///absolute/path.db", "sqlite://relative.db" or "postgres://user:password@host/name".
        /// Left empty it is latchway.db in the directory given by `--data` (under --dev: ./data).
        #[serde(serialize_with = "crate::config::print::url")]
        url: SecretString = "", Secret;
        /// PostgreSQL connections.
        pool_size: usize = 8, number(1, 1_000);
        /// Writes that may wait; further ones are answered 503.
        queue: usize = 4096, number(1, MILLION);
        /// Seconds that one piece of work may wait for the database before it is answered 503.
        timeout_seconds: u64 = 5, number(1, 300);
        /// Seconds that making one connection to PostgreSQL may take: seven round trips, nine with TLS. 0 is as long as
        /// timeout_seconds. A longer time costs nothing but patience: while a connection is being made the others work on.
        connect_timeout_seconds: u64 = 0, number(0, 300);
        /// Seconds for which `serve` waits at its start for a PostgreSQL that is not up yet, before it gives up.
        start_timeout_seconds: u64 = 30, number(0, HOUR);
        /// What is between this server and PostgreSQL: "auto" finds a pooler such as pgbouncer by what it refuses at the start, and
        /// keeps nothing from one transaction to the next then; "session" is a pooler that lends connections for whole sessions,
        /// "transaction" one that lends them for transactions.
        pooler: Pooler = "auto", OneOf(&["auto", "session", "transaction"]);
        /// true: `serve` applies outstanding migrations at its start; false: `latchway migrate` must have run.
        migrate_on_start: bool = false, Switch;
    }
}
