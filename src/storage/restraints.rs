//! The table `restraints`: restrictions for all nodes.

use diesel::prelude::*;

use super::conn::on;
use super::schema::restraints;
use super::{Conn, StorageError, Tx};
use crate::support::Seconds;

/// What somebody may not do for a while, on all nodes.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Restraint {
    pub kind: String,
    /// A network, a client or both; its form depends on the kind.
    pub subject: String,
    pub reason: String,
    pub created_at: Seconds,
    pub expires_at: Seconds,
}

/// More are not looked at, so that whoever can cause them fills no node's memory.
const MAX: i64 = 20_000;

/// Restrains from now on, or for longer than it was.
pub fn put(tx: &mut Tx<'_>, restraint: &Restraint) -> Result<(), StorageError> {
    let Restraint { kind, subject, reason, created_at, expires_at } = restraint;
    let writer = tx.writer()?;
    let known = on!(&mut *writer, c => diesel::update(
            restraints::table.find((kind, subject)).filter(restraints::expires_at.gt(expires_at)))
        .set(restraints::reason.eq(reason))
        .execute(c))?;
    if known == 1 {
        return Ok(());
    }
    on!(writer, c => diesel::insert_into(restraints::table)
        .values((
            restraints::kind.eq(kind),
            restraints::subject.eq(subject),
            restraints::reason.eq(reason),
            restraints::created_at.eq(created_at),
            restraints::expires_at.eq(expires_at),
        ))
        .on_conflict((restraints::kind, restraints::subject))
        .do_update()
        .set((restraints::reason.eq(reason), restraints::expires_at.eq(expires_at)))
        .execute(c))?;
    Ok(())
}

/// All that are in force, those that last the longest first.
pub fn live(conn: &mut Conn, now: Seconds) -> Result<Vec<Restraint>, StorageError> {
    Ok(on!(conn, c => restraints::table
        .filter(restraints::expires_at.gt(now))
        .order(restraints::expires_at.desc())
        .limit(MAX)
        .load(c))?)
}

/// Ends whatever restrains a subject; tells how many that were.
pub fn lift(tx: &mut Tx<'_>, subject: &str) -> Result<usize, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::delete(restraints::table.filter(restraints::subject.eq(subject))).execute(c))?)
}
