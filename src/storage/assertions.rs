//! The table `client_assertions`: each `jti` once (RFC 7523 §3).

use diesel::prelude::*;

use super::conn::on;
use super::schema::client_assertions;
use super::{StorageError, Tx};
use crate::support::{Digest, Seconds};

/// Remembers that a client used this `jti`. `false`: it did before (RFC 7523 §3, item 7).
pub fn remember(
    tx: &mut Tx<'_>,
    client_id: &str,
    jti_hash: &Digest,
    expires_at: Seconds,
) -> Result<bool, StorageError> {
    let inserted = on!(tx.writer()?, c => diesel::insert_into(client_assertions::table)
        .values((
            client_assertions::client_id.eq(client_id),
            client_assertions::jti_hash.eq(jti_hash.as_slice()),
            client_assertions::expires_at.eq(expires_at),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(inserted == 1)
}
