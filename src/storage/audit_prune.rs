//! Removal of what is old of the audit trail, so that it can be told from tampering: before events go, a checkpoint
//! states up to where each writer's chain is cut off.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::conn::on;
use super::schema::{audit_checkpoints, audit_events};
use super::{Conn, StorageError, Tx};
use crate::domain::chain::{Checkpoint, Hash, Head, Stage};
use crate::support::{Id, Seconds};

/// Checkpoints are kept for a day longer than the events that they speak of.
const LONGER: Seconds = 86_400;

/// What is to be removed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Events {
        after: Vec<u8>,
        /// The last one that goes.
        last: Vec<u8>,
        /// Up to where the chains are cut off by that.
        pruned: Vec<Head>,
        more: bool,
    },
    /// Up to this number.
    Checkpoints { last: i64, more: bool },
}

type Row = (Vec<u8>, Option<Vec<u8>>, Option<i64>, Option<Vec<u8>>);

/// At most a batch of events that were written before a moment, the oldest ones.
pub fn plan_events(conn: &mut Conn, after: &[u8], before: Seconds, batch: i64) -> Result<Option<Plan>, StorageError> {
    let rows: Vec<Row> = on!(conn, c => audit_events::table
        .filter(audit_events::id.gt(after))
        .filter(audit_events::id.lt(Id::first_at(before.saturating_mul(1000)).as_bytes().to_vec()))
        .order(audit_events::id)
        .limit(batch)
        .select((audit_events::id, audit_events::writer, audit_events::sequence, audit_events::hash))
        .load(c))?;
    let Some((last, ..)) = rows.last() else { return Ok(None) };
    let (last, more) = (last.clone(), i64::try_from(rows.len()).is_ok_and(|found| found >= batch));
    // A writer's events are in the order of their ids: what goes of them is a beginning.
    let mut pruned = BTreeMap::new();
    for (_, writer, sequence, hash) in rows {
        let writer = writer.and_then(|writer| Id::try_from(writer).ok());
        let hash = hash.and_then(|hash| Hash::from_slice(&hash));
        if let (Some(writer), Some(sequence), Some(hash)) = (writer, sequence, hash) {
            pruned.insert(writer, Head { writer, sequence, hash, stage: Stage::Open });
        }
    }
    Ok(Some(Plan::Events { after: after.to_vec(), last, pruned: pruned.into_values().collect(), more }))
}

/// At most a batch of checkpoints that speak only of events from before a moment; never the last one.
pub fn plan_checkpoints(conn: &mut Conn, before: Seconds, batch: i64) -> Result<Option<Plan>, StorageError> {
    let rows: Vec<(i64, i64)> = on!(conn, c => audit_checkpoints::table
        .order(audit_checkpoints::number)
        .limit(batch + 1)
        .select((audit_checkpoints::number, audit_checkpoints::at_millis))
        .load(c))?;
    let before = (before - LONGER).saturating_mul(1000);
    let old: Vec<i64> = rows.iter().take_while(|(_, at)| *at < before).map(|(number, _)| *number).collect();
    let more = old.len() == rows.len();
    let last = if more { old.len().checked_sub(2).and_then(|n| old.get(n)) } else { old.last() };
    Ok(last.map(|last| Plan::Checkpoints {
        last: *last,
        more: more && i64::try_from(rows.len()).is_ok_and(|n| n > batch),
    }))
}

/// Fewer events than this go without a question, whatever their share is.
const FEW: i64 = 1_000;
/// Of ten events one may go in one run without a question.
const TENTH: i64 = 10;

/// How many events were written before a moment, if they are so many that their removal needs a person's word: more than
/// [`FEW`] and more than a tenth of the trail. A retention that was set too short, or a clock that was believed and is wrong,
/// would take them at once. It costs as much as reading the keys of ten times as many events.
pub fn large_share(conn: &mut Conn, before: Seconds) -> Result<Option<i64>, StorageError> {
    let before = Id::first_at(before.saturating_mul(1000)).as_bytes().to_vec();
    let old: i64 = on!(conn, c => audit_events::table.filter(audit_events::id.lt(&before)).count().get_result(c))?;
    if old <= FEW {
        return Ok(None);
    }
    let ninth_for_each: Option<Vec<u8>> = on!(conn, c => audit_events::table
        .filter(audit_events::id.ge(&before))
        .order(audit_events::id)
        .offset(old.saturating_mul(TENTH - 1) - 1)
        .limit(1)
        .select(audit_events::id)
        .get_result(c)
        .optional())?;
    Ok(ninth_for_each.is_none().then_some(old))
}

impl Plan {
    /// Puts what is going to happen into the checkpoint that states it. `false`: nothing need be stated.
    pub fn state(&self, checkpoint: &mut Checkpoint) -> bool {
        match self {
            Self::Events { pruned, .. } => checkpoint.pruned.clone_from(pruned),
            Self::Checkpoints { last, .. } => checkpoint.pruned_checkpoints = Some(*last),
        }
        !checkpoint.pruned.is_empty() || checkpoint.pruned_checkpoints.is_some()
    }

    /// Removes it, and tells how many rows that were.
    pub fn carry_out(&self, tx: &mut Tx<'_>) -> Result<usize, StorageError> {
        Ok(match self {
            Self::Events { after, last, .. } => on!(tx.writer()?, c => diesel::delete(
                audit_events::table.filter(audit_events::id.gt(after)).filter(audit_events::id.le(last)))
                .execute(c))?,
            Self::Checkpoints { last, .. } => on!(tx.writer()?, c => diesel::delete(
                audit_checkpoints::table.filter(audit_checkpoints::number.le(last)))
                .execute(c))?,
        })
    }
}
