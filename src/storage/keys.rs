//! The table `signing_keys`.

use diesel::prelude::*;

use super::conn::on;
use super::schema::signing_keys;
use super::{Conn, StorageError, Tx};
use crate::support::Seconds;

/// A signing key as it is stored: its private part sealed.
#[derive(Debug, Clone, Queryable)]
pub struct StoredKey {
    pub kid: String,
    pub algorithm: String,
    pub sealed_private_key: Vec<u8>,
    pub public_jwk: String,
    pub created_at: Seconds,
    pub activates_at: Seconds,
    pub retired_at: Option<Seconds>,
    /// From then on it verifies nothing.
    pub removed_at: Option<Seconds>,
}

/// All keys, oldest first.
pub fn list(conn: &mut Conn) -> Result<Vec<StoredKey>, StorageError> {
    Ok(on!(conn, c => signing_keys::table.order((signing_keys::activates_at, signing_keys::kid)).load(c))?)
}

pub fn insert(tx: &mut Tx<'_>, key: &StoredKey) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::kid.eq(&key.kid),
            signing_keys::algorithm.eq(&key.algorithm),
            signing_keys::sealed_private_key.eq(&key.sealed_private_key),
            signing_keys::public_jwk.eq(&key.public_jwk),
            signing_keys::created_at.eq(key.created_at),
            signing_keys::activates_at.eq(key.activates_at),
        ))
        .execute(c))?;
    Ok(())
}

/// The same key, sealed anew, unless somebody else did that meanwhile.
pub fn reseal(tx: &mut Tx<'_>, kid: &str, before: &[u8], sealed: &[u8]) -> Result<bool, StorageError> {
    let resealed = on!(tx.writer()?, c => diesel::update(
        signing_keys::table.find(kid).filter(signing_keys::sealed_private_key.eq(before)))
        .set(signing_keys::sealed_private_key.eq(sealed))
        .execute(c))?;
    Ok(resealed == 1)
}

/// Takes a key out of service for signing; until `removed_at` it still verifies. `false`: there is no such key in
/// service. A key that is to be removed sooner stays so: nothing brings a compromised one back.
pub fn retire(tx: &mut Tx<'_>, kid: &str, retired_at: Seconds, removed_at: Seconds) -> Result<bool, StorageError> {
    let retired = on!(tx.writer()?, c => diesel::update(
        signing_keys::table
            .find(kid)
            .filter(signing_keys::removed_at.is_null().or(signing_keys::removed_at.ge(removed_at))))
        .set((signing_keys::retired_at.eq(retired_at), signing_keys::removed_at.eq(removed_at)))
        .execute(c))?;
    Ok(retired == 1)
}

/// Lets a key that was published for later sign from now on.
pub fn activate(tx: &mut Tx<'_>, kid: &str, now: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(signing_keys::table.find(kid))
        .set(signing_keys::activates_at.eq(now))
        .execute(c))?;
    Ok(())
}

/// Removes all keys: nobody can open them any more.
pub fn remove_all(tx: &mut Tx<'_>) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::delete(signing_keys::table).execute(c))?;
    Ok(())
}

/// One key.
pub fn find(conn: &mut Conn, kid: &str) -> Result<Option<StoredKey>, StorageError> {
    Ok(on!(conn, c => signing_keys::table.find(kid).get_result(c).optional())?)
}

/// One node at a time looks whether keys are missing and makes them. On SQLite the write transaction is that lock.
pub fn lock(tx: &mut Tx<'_>) -> Result<(), StorageError> {
    if let conn @ Conn::Postgres(_) = tx.writer()? {
        conn.batch("SELECT pg_advisory_xact_lock(7163184221)")?;
    }
    Ok(())
}
