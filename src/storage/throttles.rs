use diesel::prelude::*;
use diesel::upsert::excluded;

use super::conn::on;
use super::schema::throttles;
use super::{Conn, StorageError, Tx};
use crate::support::Seconds;

/// Counts one attempt under a name, before it is evaluated, and tells how many that makes in the window and when the
/// window ends. One statement, so that a hundred at once are counted as a hundred, on every node.
pub fn count(tx: &mut Tx<'_>, name: &str, window: Seconds, now: Seconds) -> Result<(i64, Seconds), StorageError> {
    let writer = tx.writer()?;
    on!(&mut *writer, c => diesel::delete(throttles::table.find(name).filter(throttles::expires_at.le(now))).execute(c))?;
    let counted = on!(writer, c => diesel::insert_into(throttles::table)
        .values((throttles::name.eq(name), throttles::attempts.eq(1), throttles::expires_at.eq(now + window)))
        .on_conflict(throttles::name)
        .do_update()
        .set(throttles::attempts.eq(throttles::attempts + excluded(throttles::attempts)))
        .returning((throttles::attempts, throttles::expires_at))
        .get_result(c))?;
    Ok(counted)
}

/// How many attempts are counted under a name.
pub fn attempts(conn: &mut Conn, name: &str, now: Seconds) -> Result<i64, StorageError> {
    let found: Option<i64> = on!(conn, c => throttles::table
        .find(name)
        .filter(throttles::expires_at.gt(now))
        .select(throttles::attempts)
        .get_result(c)
        .optional())?;
    Ok(found.unwrap_or(0))
}

/// Gives back attempts, as they turned out to be none of those that are counted.
pub fn give_back(tx: &mut Tx<'_>, name: &str, attempts: i64) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(throttles::table.find(name).filter(throttles::attempts.ge(attempts)))
        .set(throttles::attempts.eq(throttles::attempts - attempts))
        .execute(c))?;
    Ok(())
}

/// Forgets a name: whoever it was has proved to be the right one.
pub fn clear(tx: &mut Tx<'_>, name: &str) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::delete(throttles::table.find(name)).execute(c))?;
    Ok(())
}
