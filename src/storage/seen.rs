//! When the database was last written, as far as that is known: what a clock is compared with where the database has none
//! of its own.

use super::{Conn, StorageError, Tx, audit_checkpoints, settings};

const NAME: &str = "clock_seen";

/// The latest moment of which the database tells, in Unix milliseconds; `None` if it is new.
pub fn latest(conn: &mut Conn) -> Result<Option<i64>, StorageError> {
    // What makes no sense proves nothing.
    let noted = settings::get(conn, NAME)?.and_then(|text| text.parse::<i64>().ok());
    let stated = audit_checkpoints::last(conn)?.map(|checkpoint| checkpoint.at_millis);
    Ok(noted.max(stated))
}

/// Notes that it is now, by a clock that is believed.
pub fn note(tx: &mut Tx<'_>, now_millis: i64) -> Result<(), StorageError> {
    settings::set(tx, NAME, &now_millis.to_string())
}
