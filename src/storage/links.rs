//! The table `one_time_links`.

use diesel::prelude::*;

use super::conn::on;
use super::schema::one_time_links;
use super::{Conn, StorageError, Tx};
use crate::support::{Digest, Handle, Id, Seconds};

/// Stores a link that works once.
pub fn insert(tx: &mut Tx<'_>, handle: &Handle, purpose: &str, expires_at: Seconds) -> Result<(), StorageError> {
    let digest: Digest = handle.digest();
    on!(tx.writer()?, c => diesel::insert_into(one_time_links::table)
        .values((
            one_time_links::id.eq(handle.id().as_bytes().as_slice()),
            one_time_links::secret_hash.eq(digest.as_slice()),
            one_time_links::purpose.eq(purpose),
            one_time_links::expires_at.eq(expires_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Whether a link would work now. Looking at it does not use it up.
pub fn is_valid(conn: &mut Conn, handle: &Handle, purpose: &str, now: Seconds) -> Result<bool, StorageError> {
    let stored = on!(conn, c => one_time_links::table
        .find(handle.id().as_bytes().as_slice())
        .filter(one_time_links::purpose.eq(purpose))
        .filter(one_time_links::consumed_at.is_null())
        .filter(one_time_links::expires_at.gt(now))
        .select(one_time_links::secret_hash)
        .get_result::<Vec<u8>>(c)
        .optional())?;
    Ok(stored.is_some_and(|hash| handle.matches(&hash)))
}

/// Takes the one use. `false`: it was taken.
pub fn consume(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let consumed = on!(tx.writer()?, c => diesel::update(
        one_time_links::table
            .find(id.as_bytes().as_slice())
            .filter(one_time_links::consumed_at.is_null())
            .filter(one_time_links::expires_at.gt(now)))
        .set(one_time_links::consumed_at.eq(now))
        .execute(c))?;
    Ok(consumed == 1)
}

/// Ends all links of a purpose that are still open.
pub fn expire_all(tx: &mut Tx<'_>, purpose: &str, now: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(
        one_time_links::table.filter(one_time_links::purpose.eq(purpose)).filter(one_time_links::consumed_at.is_null()))
        .set(one_time_links::consumed_at.eq(now))
        .execute(c))?;
    Ok(())
}
