//! The table `gates`: sessions at the hosts of apps behind forward authentication.

use diesel::prelude::*;

use super::conn::on;
use super::row::Place;
use super::schema::gates;
use super::{Conn, StorageError, Tx, sessions};
use crate::domain::{Gate, GateStage, InvalidRow, Session, User};
use crate::support::{Digest, Id, Seconds};

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    session_id: Vec<u8>,
    origin: String,
    state_hash: Vec<u8>,
    return_to: String,
    created_at: i64,
    expires_at: i64,
    opened_at: Option<i64>,
}

impl TryFrom<Row> for Gate {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "gates", key: "(unread)" };
        Ok(Self {
            id: place.id(row.id)?,
            secret_hash: row.secret_hash,
            session_id: place.id(row.session_id)?,
            origin: row.origin,
            state_hash: row.state_hash,
            return_to: row.return_to,
            created_at: row.created_at,
            expires_at: row.expires_at,
            stage: row.opened_at.map_or(GateStage::Ticket, |at| GateStage::Open { at }),
        })
    }
}

/// A gate with the session that it belongs to, and with its person.
pub fn find(conn: &mut Conn, id: Id) -> Result<Option<(Gate, Session, User)>, StorageError> {
    let row = on!(conn, c => gates::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    let Some(gate) = row.map(Gate::try_from).transpose()? else { return Ok(None) };
    let found = sessions::find_with_user(conn, gate.session_id)?;
    Ok(found.map(|(session, user)| (gate, session, user)))
}

/// Stores a ticket.
pub fn insert(tx: &mut Tx<'_>, gate: &Gate) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(gates::table)
        .values((
            gates::id.eq(gate.id.as_bytes().as_slice()),
            gates::secret_hash.eq(&gate.secret_hash),
            gates::session_id.eq(gate.session_id.as_bytes().as_slice()),
            gates::origin.eq(&gate.origin),
            gates::state_hash.eq(&gate.state_hash),
            gates::return_to.eq(&gate.return_to),
            gates::created_at.eq(gate.created_at),
            gates::expires_at.eq(gate.expires_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Takes the one use of a ticket: from here on the gate is known by another secret, until another time. `false`: the
/// ticket was used, or is too old.
pub fn open(tx: &mut Tx<'_>, id: Id, secret: &Digest, now: Seconds, expires_at: Seconds) -> Result<bool, StorageError> {
    let opened = on!(tx.writer()?, c => diesel::update(
        gates::table
            .find(id.as_bytes().as_slice())
            .filter(gates::opened_at.is_null())
            .filter(gates::expires_at.gt(now)))
        .set((
            gates::secret_hash.eq(secret.as_slice()),
            gates::return_to.eq(""),
            gates::expires_at.eq(expires_at),
            gates::opened_at.eq(now),
        ))
        .execute(c))?;
    Ok(opened == 1)
}
