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

impl Horizon {
    /// What expired before is removed.
    fn old(&self) -> Seconds {
        self.now - MEMORY
    }

    /// What the audit trail tells of goes back to here.
    fn oldest_audited(&self) -> Seconds {
        self.now - self.audit_days * 86400
    }
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

/// Removes a batch of rows, from where the last one ended.
pub type SweepBatch = fn(&mut Tx<'_>, &Cursor, &Horizon) -> Result<Swept, StorageError>;
/// Plans the removal of a batch of rows, from where the last one ended; `None` if there is nothing to remove.
pub type PlanBatch = fn(&mut Conn, &Cursor, &Horizon) -> Result<Option<Plan>, StorageError>;

/// How one table is cleaned.
pub struct CleanupTask {
    pub table: &'static str,
    pub method: CleanupMethod,
}

impl CleanupTask {
    /// Whether it removes events or checkpoints of the audit trail.
    pub fn is_of_audit_trail(&self) -> bool {
        matches!(self.method, CleanupMethod::Planned(_))
    }
}

/// How a batch of rows is removed.
pub enum CleanupMethod {
    /// At once, in one transaction.
    Sweep(SweepBatch),
    /// In two steps, because a checkpoint has to state what goes of the audit trail: a plan of what is to be removed next, if
    /// there is anything, which [`carry_out`] then removes.
    Planned(PlanBatch),
}

/// A task that removes its rows by [`CleanupMethod::Sweep`].
const fn sweep(table: &'static str, batch: SweepBatch) -> CleanupTask {
    CleanupTask { table, method: CleanupMethod::Sweep(batch) }
}

/// A task of the audit trail.
const fn planned(table: &'static str, plan: PlanBatch) -> CleanupTask {
    CleanupTask { table, method: CleanupMethod::Planned(plan) }
}

/// Every table that is cleaned, in the order in which that happens: tokens before their grants, because a grant that has ended
/// may still be asked for.
///
/// Nothing goes that a decision can need. A token never outlives its grant (`family_token` in `issuing`), and grants are kept
/// for an hour longer, so that no live token loses its grant, wherever a sweep is interrupted. What is missing counts as
/// unknown, never as unused: codes and assertions are refused by their own expiry long before their rows go.
pub static TASKS: &[CleanupTask] = &[
    sweep("access_tokens", |tx, cursor, horizon| {
        let before = first_id_at(horizon.now - horizon.access_token_seconds);
        Ok(by_key!(tx, horizon.batch, cursor, access_tokens.jti < before, access_tokens::expires_at.lt(horizon.now)))
    }),
    sweep("codes", |tx, cursor, horizon| {
        let old = horizon.old();
        Ok(by_key!(tx, horizon.batch, cursor, codes.id < first_id_at(old), codes::expires_at.lt(old)))
    }),
    sweep("device_codes", |tx, cursor, horizon| {
        Ok(by_expiry!(tx, horizon.batch, cursor, device_codes.id: Vec<u8>, horizon.old()))
    }),
    sweep("refresh_tokens", |tx, cursor, horizon| {
        let before = first_id_at(horizon.now - horizon.refresh_idle_seconds);
        Ok(by_key!(tx, horizon.batch, cursor, refresh_tokens.id < before, refresh_tokens::expires_at.lt(horizon.now)))
    }),
    // What was revoked is kept to its natural end, for the tokens that refer to it.
    sweep("grants", |tx, cursor, horizon| {
        consents::keep_last_uses(tx, cursor.expired_from(), horizon.old(), horizon.batch)?;
        Ok(by_expiry!(tx, horizon.batch, cursor, grants.id: Vec<u8>, horizon.old()))
    }),
    // The form itself has expired by then, for the clock of every node.
    sweep("form_answers", |tx, cursor, horizon| {
        Ok(by_expiry!(tx, horizon.batch, cursor, form_answers.id: Vec<u8>, horizon.now - CLOCKS))
    }),
    sweep("sessions", |tx, cursor, horizon| {
        Ok(by_expiry!(tx, horizon.batch, cursor, sessions.id: Vec<u8>, horizon.old()))
    }),
    sweep("gates", |tx, cursor, horizon| Ok(by_expiry!(tx, horizon.batch, cursor, gates.id: Vec<u8>, horizon.old()))),
    sweep("client_assertions", |tx, cursor, horizon| {
        Ok(by_expiry!(tx, horizon.batch, cursor, client_assertions.jti_hash: Vec<u8>, horizon.old()))
    }),
    sweep("one_time_links", |tx, cursor, horizon| {
        let old = horizon.old();
        Ok(by_key!(tx, horizon.batch, cursor, one_time_links.id < first_id_at(old), one_time_links::expires_at.lt(old)))
    }),
    sweep("throttles", |tx, cursor, horizon| {
        Ok(by_expiry!(tx, horizon.batch, cursor, throttles.name: String, horizon.now))
    }),
    // Those that ended are known for as long as the trail tells of them.
    sweep("api_keys", |tx, cursor, horizon| {
        let oldest = horizon.oldest_audited();
        let has_ended = || api_keys::revoked_at.lt(oldest).or(api_keys::expires_at.lt(oldest)).assume_not_null();
        Ok(by_key!(tx, horizon.batch, cursor, api_keys.id < first_id_at(oldest), has_ended()))
    }),
    sweep("restraints", |tx, cursor, horizon| {
        Ok(by_expiry!(tx, horizon.batch, cursor, restraints.subject: String, horizon.now))
    }),
    planned("audit_events", plan_events),
    planned("audit_checkpoints", plan_checkpoints),
];

/// How many events of the audit trail are overdue, if they are too large a part of it to go without a person's word. An event
/// is overdue a day after it has expired: where the clean-up runs as it should there is none, however uneven the traffic.
pub fn large_share_of_trail(conn: &mut Conn, horizon: &Horizon) -> Result<Option<i64>, StorageError> {
    const DAY: Seconds = 86_400;
    audit_prune::large_share(conn, horizon.now - horizon.audit_days * DAY - DAY)
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

fn plan_events(conn: &mut Conn, cursor: &Cursor, horizon: &Horizon) -> Result<Option<Plan>, StorageError> {
    audit_prune::plan_events(conn, cursor.after(), horizon.oldest_audited(), horizon.batch)
}

fn plan_checkpoints(conn: &mut Conn, _: &Cursor, horizon: &Horizon) -> Result<Option<Plan>, StorageError> {
    audit_prune::plan_checkpoints(conn, horizon.oldest_audited(), horizon.batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table whose rows expire and that has no task would grow for ever.
    #[test]
    fn every_table_whose_rows_expire_is_cleaned() {
        let tables: Vec<&str> = include_str!("schema.rs").split("table! {").skip(1).collect();
        let expiring = tables.iter().filter(|table| table.contains("expires_at"));
        let names: Vec<&str> = expiring.filter_map(|table| table.trim_start().split([' ', '(']).next()).collect();
        assert!(names.len() > 10 && names.contains(&"sessions"), "the schema is read: {names:?}");
        for name in names {
            assert!(TASKS.iter().any(|task| task.table == name), "{name} has no task");
        }
    }
}
