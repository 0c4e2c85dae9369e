//! Removal of what no decision can need any more, in batches small enough not to be felt.
//!
//! Tables whose rows live equally long and whose key is a UUIDv7 are walked from their oldest end, so that this needs
//! no index over times. The others have one.

use diesel::prelude::*;

use super::audit_prune::{self, Plan};
use super::conn::on;
use super::schema::{
    access_tokens, api_keys, client_assertions, codes, device_codes, form_answers, gates, grants, one_time_links,
    refresh_tokens, restraints, sessions, throttles,
};
use super::{Conn, StorageError, Tx, consents};
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

/// What has expired is kept for so long. A replayed code is still known for one; whoever comes with something that was
/// ended is told; and the clock of no node is so far behind that it would accept an assertion again.
const MEMORY: Seconds = 3600;

/// Clocks of nodes are closer to each other than this, in seconds.
const CLOCKS: Seconds = 60;

/// The smallest UUIDv7 of a moment.
pub fn first_id_at(seconds: Seconds) -> Vec<u8> {
    let millis = u64::try_from(seconds.max(0)).unwrap_or(0) * 1000;
    let mut id = vec![0; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    id
}

/// How far the cleaning of one table has come. The next batch begins there and not at the beginning: PostgreSQL would
/// have to walk over all that was deleted before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cursor {
    #[default]
    Start,
    After(Vec<u8>),
    ExpiredFrom(Seconds),
}

impl Cursor {
    fn after(&self) -> &[u8] {
        if let Self::After(key) = self { key } else { &[] }
    }

    fn expired_from(&self) -> Seconds {
        if let Self::ExpiredFrom(at) = self { *at } else { Seconds::MIN }
    }
}

/// What one batch did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    pub rows: usize,
    /// Where the next batch begins; `None` if the table is clean.
    pub next: Option<Cursor>,
}

/// Deletes at most a batch of the rows before a key that match, by their time-ordered key: all up to the one that ends the
/// batch. Of two upper bounds SQLite walks to whichever it likes and compares the other row by row, so that there is one.
macro_rules! by_key {
    ($tx:expr, $batch:expr, $cursor:expr, $table:ident . $key:ident < $before:expr, $filter:expr) => {
        on!($tx.writer()?, c => {
            let after = || $table::$key.gt($cursor.after().to_vec()).and($filter);
            let before = $before;
            let end: Option<Vec<u8>> = $table::table
                .filter(after())
                .filter($table::$key.lt(&before))
                .order($table::$key)
                .offset($batch - 1)
                .limit(1)
                .select($table::$key)
                .get_result(c)
                .optional()?;
            let rows = match &end {
                Some(end) => diesel::delete($table::table.filter(after()).filter($table::$key.le(end))).execute(c)?,
                None => diesel::delete($table::table.filter(after()).filter($table::$key.lt(&before))).execute(c)?,
            };
            Swept { rows, next: end.map(Cursor::After) }
        })
    };
}

/// Deletes at most a batch of the rows that match, by the index over their expiry: their keys say nothing of it.
macro_rules! by_expiry {
    ($tx:expr, $batch:expr, $cursor:expr, $table:ident . $key:ident : $type:ty, $before:expr) => {
        on!($tx.writer()?, c => {
            let found: Vec<($type, Seconds)> = $table::table
                .filter($table::expires_at.ge($cursor.expired_from()))
                .filter($table::expires_at.lt($before))
                .order(($table::expires_at, $table::$key))
                .limit($batch)
                .select(($table::$key, $table::expires_at))
                .load(c)?;
            let (keys, times): (Vec<$type>, Vec<Seconds>) = found.into_iter().unzip();
            match (times.first(), times.last()) {
                (Some(first), Some(last)) => {
                    // The times again: a row may have been given another since, and of a key in two columns this is
                    // one.
                    let rows = diesel::delete($table::table
                        .filter($table::expires_at.ge(first))
                        .filter($table::expires_at.le(last))
                        .filter($table::$key.eq_any(&keys)))
                        .execute(c)?;
                    let full = i64::try_from(keys.len()).is_ok_and(|found| found >= $batch);
                    Swept { rows, next: full.then(|| Cursor::ExpiredFrom(*last)) }
                }
                _ => Swept { rows: 0, next: None },
            }
        })
    };
}

/// The tables that are cleaned. Tokens go before their families: a family that has ended may still be asked for.
pub const TABLES: &[&str] = &[
    "access_tokens",
    "codes",
    "device_codes",
    "refresh_tokens",
    "grants",
    "form_answers",
    "sessions",
    "gates",
    "client_assertions",
    "one_time_links",
    "throttles",
    "api_keys",
    "restraints",
    "audit_events",
    "audit_checkpoints",
];

/// What is to be removed next of the audit trail; `None` if the table is clean or is none of the trail's.
pub fn plan(conn: &mut Conn, table: &str, cursor: &Cursor, horizon: &Horizon) -> Result<Option<Plan>, StorageError> {
    let oldest = horizon.now - horizon.audit_days * 86400;
    match table {
        "audit_events" => audit_prune::plan_events(conn, cursor.after(), oldest, horizon.batch),
        "audit_checkpoints" => audit_prune::plan_checkpoints(conn, oldest, horizon.batch),
        _ => Ok(None),
    }
}

/// Whether a table is cleaned by a [`plan`], and not by [`sweep`].
pub fn is_planned(table: &str) -> bool {
    table.starts_with("audit_")
}

/// Carries out a plan.
pub fn carry_out(tx: &mut Tx<'_>, plan: &Plan) -> Result<Swept, StorageError> {
    let rows = plan.carry_out(tx)?;
    let next = match plan {
        Plan::Events { last, more: true, .. } => Some(Cursor::After(last.clone())),
        Plan::Checkpoints { more: true, .. } => Some(Cursor::Start),
        _ => None,
    };
    Ok(Swept { rows, next })
}

/// Removes one batch from one table.
///
/// Nothing goes that a decision can need. A token never outlives its family (`family_token` in `issuing`), and
/// families are kept for an hour longer, so that no live token loses its family, wherever a sweep is interrupted. What
/// is missing counts as unknown, never as unused: codes and assertions are refused by their own expiry long before
/// their rows go.
pub fn sweep(tx: &mut Tx<'_>, table: &str, cursor: &Cursor, horizon: &Horizon) -> Result<Swept, StorageError> {
    let Horizon { now, batch, .. } = *horizon;
    let old = now - MEMORY;
    let swept = match table {
        "access_tokens" => {
            by_key!(
                tx,
                batch,
                cursor,
                access_tokens.jti < first_id_at(now - horizon.access_token_seconds),
                access_tokens::expires_at.lt(now)
            )
        }
        "codes" => by_key!(tx, batch, cursor, codes.id < first_id_at(old), codes::expires_at.lt(old)),
        "device_codes" => by_expiry!(tx, batch, cursor, device_codes.id: Vec<u8>, old),
        "refresh_tokens" => {
            by_key!(
                tx,
                batch,
                cursor,
                refresh_tokens.id < first_id_at(now - horizon.refresh_idle_seconds),
                refresh_tokens::expires_at.lt(now)
            )
        }
        // What was revoked is kept to its natural end, for the tokens that refer to it.
        "grants" => {
            consents::keep_last_uses(tx, cursor.expired_from(), old, batch)?;
            by_expiry!(tx, batch, cursor, grants.id: Vec<u8>, old)
        }
        // The form itself has expired by then, for the clock of every node.
        "form_answers" => by_expiry!(tx, batch, cursor, form_answers.id: Vec<u8>, now - CLOCKS),
        "sessions" => by_expiry!(tx, batch, cursor, sessions.id: Vec<u8>, old),
        "gates" => by_expiry!(tx, batch, cursor, gates.id: Vec<u8>, old),
        "client_assertions" => by_expiry!(tx, batch, cursor, client_assertions.jti_hash: Vec<u8>, old),
        "one_time_links" => {
            by_key!(tx, batch, cursor, one_time_links.id < first_id_at(old), one_time_links::expires_at.lt(old))
        }
        "throttles" => by_expiry!(tx, batch, cursor, throttles.name: String, now),
        // Those that ended are known for as long as the trail tells of them.
        "api_keys" => {
            let oldest = now - horizon.audit_days * 86400;
            by_key!(
                tx,
                batch,
                cursor,
                api_keys.id < first_id_at(oldest),
                api_keys::revoked_at.lt(oldest).or(api_keys::expires_at.lt(oldest)).assume_not_null()
            )
        }
        "restraints" => by_expiry!(tx, batch, cursor, restraints.subject: String, now),
        _ => Swept { rows: 0, next: None },
    };
    Ok(swept)
}
