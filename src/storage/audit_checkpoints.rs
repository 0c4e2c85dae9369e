//! Checkpoints of the audit trail: signed statements of how far each writer's chain goes.

use diesel::prelude::*;

use super::audit_chain::Chain;
use super::conn::on;
use super::schema::{audit_checkpoints, audit_events};
use super::{Conn, StorageError, Tx};
use crate::domain::chain::{Checkpoint, Sealed};
use crate::support::{Clock, Id};

/// The setting that has the number of the checkpoint with which the trail began anew after its key was lost.
pub const EPOCH: &str = "audit_epoch";

/// Another node may be faster as often as this.
pub(super) const ATTEMPTS: usize = 20;

type Row = (i64, i64, String, Vec<u8>);

fn sealed((number, at_millis, body, mac): Row) -> Sealed {
    Sealed { number, at_millis, body, mac }
}

/// The last one.
pub fn last(conn: &mut Conn) -> Result<Option<Sealed>, StorageError> {
    Ok(page_before(conn, i64::MAX, 1)?.pop())
}

/// Those with a higher number, in their order.
pub fn page_after(conn: &mut Conn, number: i64, limit: i64) -> Result<Vec<Sealed>, StorageError> {
    let rows: Vec<Row> = on!(conn, c => audit_checkpoints::table
        .filter(audit_checkpoints::number.gt(number))
        .order(audit_checkpoints::number)
        .limit(limit)
        .load(c))?;
    Ok(rows.into_iter().map(sealed).collect())
}

/// Those with a lower number, the last first.
pub fn page_before(conn: &mut Conn, number: i64, limit: i64) -> Result<Vec<Sealed>, StorageError> {
    let rows: Vec<Row> = on!(conn, c => audit_checkpoints::table
        .filter(audit_checkpoints::number.lt(number))
        .order(audit_checkpoints::number.desc())
        .limit(limit)
        .load(c))?;
    Ok(rows.into_iter().map(sealed).collect())
}

/// Appends one. `false`: another has its number already.
pub fn append(tx: &mut Tx<'_>, sealed: &Sealed) -> Result<bool, StorageError> {
    insert(tx.writer()?, sealed)
}

fn insert(conn: &mut Conn, sealed: &Sealed) -> Result<bool, StorageError> {
    let inserted = on!(conn, c => diesel::insert_into(audit_checkpoints::table)
        .values((
            audit_checkpoints::number.eq(sealed.number),
            audit_checkpoints::at_millis.eq(sealed.at_millis),
            audit_checkpoints::body.eq(&sealed.body),
            audit_checkpoints::mac.eq(&sealed.mac),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(inserted == 1)
}

/// The event that was written last, by whomever: those up to it come from before the first checkpoint.
pub fn newest_event(conn: &mut Conn) -> Result<Option<Id>, StorageError> {
    let id: Option<Vec<u8>> = on!(conn, c => audit_events::table
        .order(audit_events::id.desc())
        .limit(1)
        .select(audit_events::id)
        .get_result(c)
        .optional())?;
    Ok(id.and_then(|id| Id::try_from(id).ok()))
}

/// What the last audit checkpoint of a process states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    pub checkpoint: i64,
    /// Writers of which it says how far they came, and that they have ended.
    pub writers: usize,
}

/// States at the end of a process what is still to be stated. For the thread that closes the database.
pub(super) fn close(
    chain: &Chain,
    clock: &Clock,
    connect: impl FnOnce() -> Result<Conn, StorageError>,
) -> Result<Option<Closed>, StorageError> {
    chain.all_ended();
    let heads = chain.unstated();
    if heads.is_empty() {
        return Ok(None);
    }
    let key = chain.key()?;
    let mut conn = connect()?;
    // A pooler may give each transaction another connection. SQLite could not write after it has read in a transaction that
    // did not begin as one that writes.
    let in_transaction = matches!(conn, Conn::Postgres(_));
    if in_transaction {
        conn.batch("BEGIN")?;
    }
    for _ in 0..ATTEMPTS {
        let last = last(&mut conn)?;
        let checkpoint = Checkpoint { heads: heads.clone(), ..Checkpoint::after(last.as_ref(), clock.now_millis()) };
        if insert(&mut conn, &key.seal(&checkpoint))? {
            if in_transaction {
                conn.batch("COMMIT")?;
            }
            chain.stated(checkpoint.number, &heads);
            return Ok(Some(Closed { checkpoint: checkpoint.number, writers: heads.len() }));
        }
    }
    Err(StorageError::Busy)
}

/// Logs how the database was closed.
pub fn report(closed: Result<Option<Closed>, StorageError>) {
    match closed {
        Ok(Some(Closed { checkpoint, writers })) => {
            tracing::info!(checkpoint, writers, "the last audit checkpoint is written");
        }
        Ok(None) => {}
        Err(error) => {
            tracing::error!(%error, "the last audit checkpoint could not be written; the next server makes it");
        }
    }
}
