//! Everything that is kept, on SQLite and PostgreSQL with one code. The only module that knows SQL.
//!
//! Reads take a [`Conn`], writes a [`Tx`]: a write cannot be called outside [`Db::write`].
//!
//! Every statement of a request stays prepared. Two traps: Diesel keeps no UPDATE but those of [`cached::update`], and
//! SQLite prepares anew whatever has `LIMIT ?` each time a value is bound to it, so a row with a unique key is read
//! by `get_result`, which has none, and not by `first`.

pub mod access_tokens;
pub mod api_keys;
pub mod apis;
pub mod assertions;
mod audit_chain;
pub mod audit_checkpoints;
pub mod audit_events;
pub mod audit_prune;
pub mod backup;
mod cached;
mod carry_over;
mod carry_over_counts;
mod checkpoint_writer;
pub mod cleanup;
pub mod clients;
pub mod codes;
mod conn;
pub mod consents;
mod database_url;
mod db;
pub mod device_codes;
mod error;
pub mod form_answers;
pub mod gates;
pub mod grants;
pub mod keys;
pub mod lease;
pub mod links;
mod lock;
mod measure;
mod migrations;
mod new_event;
pub mod nodes;
mod options;
pub mod owner;
mod postgres;
mod pressure;
mod readiness;
pub mod refresh_tokens;
pub mod restore;
pub mod restore_point;
pub mod restraints;
mod row;
mod schema;
pub mod scopes;
pub mod seen;
pub mod sessions;
pub mod settings;
mod sqlite;
pub mod throttles;
mod token_batch;
mod troubles;
mod tx;
pub mod users;
mod work;
mod writer;

pub use audit_chain::Chain;
pub use audit_checkpoints::Closed;
pub use conn::Conn;
pub use database_url::check_url;
pub use db::Db;
pub use error::{Refusal, StorageError};
pub use lock::ServerLock;
pub use measure::{Load, Size};
pub use migrations::MigrationStatus;
pub use options::{DbOptions, IfMissing};
pub use token_batch::{Issue, Issued};
pub use tx::Tx;
pub use work::WriteError;
pub use writer::SILENCE_MILLIS;
