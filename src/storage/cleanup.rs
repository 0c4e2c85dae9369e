//! Removal of what no decision can need any more, in batches small enough not to be felt.
//!
//! Tables whose key is a UUIDv7 are walked from their oldest end, so that this needs no index over times.

use diesel::prelude::*;

use super::conn::on;
use super::schema::{
    access_tokens, audit_events, authorizations, client_assertions, codes, grants, one_time_links, refresh_tokens,
    sessions, throttles,
};
use super::{StorageError, Tx};
use crate::support::Seconds;

/// Until when what was made counts.
#[derive(Debug, Clone, Copy)]
pub struct Horizon {
    pub now: Seconds,
    pub access_token_seconds: Seconds,
    pub refresh_idle_seconds: Seconds,
    pub audit_days: Seconds,
    pub batch: i64,
}

/// Codes are kept for so long after their end, so that a replay is still known for one.
const CODE_MEMORY: Seconds = 3600;
/// What was ended or expired is kept for so long, for whoever still comes with it and wants to be told.
const MEMORY: Seconds = 3600;

/// The smallest UUIDv7 of a moment.
fn first_id_at(seconds: Seconds) -> Vec<u8> {
    let millis = u64::try_from(seconds.max(0)).unwrap_or(0) * 1000;
    let mut id = vec![0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id
}

/// Deletes at most a batch of the rows that match, oldest key first.
macro_rules! delete_some {
    ($tx:expr, $batch:expr, $table:ident . $key:ident : $type:ty, $filter:expr) => {
        on!($tx.writer()?, c => {
            let keys: Vec<$type> =
                $table::table.filter($filter).order($table::$key).limit($batch).select($table::$key).load(c)?;
            if keys.is_empty() {
                0
            } else {
                // The condition again: of a key in two columns this is only one.
                diesel::delete($table::table.filter($table::$key.eq_any(&keys)).filter($filter)).execute(c)?
            }
        })
    };
}

/// The tables that are cleaned, in an order that respects what refers to what.
pub const TABLES: &[&str] = &[
    "access_tokens",
    "codes",
    "refresh_tokens",
    "grants",
    "authorizations",
    "sessions",
    "client_assertions",
    "one_time_links",
    "throttles",
    "audit_events",
];

/// Removes one batch from one table and tells how many rows that were; fewer than the batch means that it is done.
pub fn sweep(tx: &mut Tx<'_>, table: &str, horizon: &Horizon) -> Result<usize, StorageError> {
    let Horizon { now, batch, .. } = *horizon;
    let old = now - MEMORY;
    let removed = match table {
        "access_tokens" => {
            let oldest = first_id_at(now - horizon.access_token_seconds);
            delete_some!(tx, batch, access_tokens.jti: Vec<u8>,
                access_tokens::jti.lt(oldest.clone()).and(access_tokens::expires_at.lt(now)))
        }
        "codes" => {
            let oldest = first_id_at(now - CODE_MEMORY);
            delete_some!(tx, batch, codes.id: Vec<u8>, codes::id.lt(oldest.clone()).and(codes::expires_at.lt(now - CODE_MEMORY)))
        }
        "refresh_tokens" => {
            let oldest = first_id_at(now - horizon.refresh_idle_seconds);
            delete_some!(tx, batch, refresh_tokens.id: Vec<u8>,
                refresh_tokens::id.lt(oldest.clone()).and(refresh_tokens::expires_at.lt(now)))
        }
        // What was revoked is kept to its natural end, for the tokens that refer to it.
        "grants" => delete_some!(tx, batch, grants.id: Vec<u8>, grants::expires_at.lt(old)),
        "authorizations" => delete_some!(tx, batch, authorizations.id: Vec<u8>, authorizations::expires_at.lt(old)),
        "sessions" => delete_some!(tx, batch, sessions.id: Vec<u8>, sessions::expires_at.lt(old)),
        "client_assertions" => {
            delete_some!(tx, batch, client_assertions.jti_hash: Vec<u8>, client_assertions::expires_at.lt(now))
        }
        "one_time_links" => delete_some!(tx, batch, one_time_links.id: Vec<u8>, one_time_links::expires_at.lt(old)),
        "throttles" => delete_some!(tx, batch, throttles.name: String, throttles::expires_at.lt(now)),
        "audit_events" => {
            let oldest = first_id_at(now - horizon.audit_days * 86400);
            delete_some!(tx, batch, audit_events.id: Vec<u8>, audit_events::id.lt(oldest.clone()))
        }
        _ => 0,
    };
    Ok(removed)
}
