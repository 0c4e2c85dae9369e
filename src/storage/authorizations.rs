use diesel::prelude::*;

use super::cached::update;
use super::conn::on;
use super::row::Place;
use super::schema::authorizations;
use super::{Conn, StorageError, Tx};
use crate::domain::InvalidRow;
use crate::support::{Id, Seconds};

/// An authorization request that waits for a person: to log in, to consent.
#[derive(Debug, Clone)]
pub struct Authorization {
    pub id: Id,
    /// Hash of the cookie of the browser that began it.
    pub browser_hash: Vec<u8>,
    pub client_id: String,
    /// The validated request, as JSON of its owner.
    pub request: String,
    pub created_at: Seconds,
    pub expires_at: Seconds,
    /// The session in which the person logged in for this very request.
    pub session_id: Option<Id>,
    pub completed_at: Option<Seconds>,
}

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    browser_hash: Vec<u8>,
    client_id: String,
    request: String,
    created_at: i64,
    expires_at: i64,
    session_id: Option<Vec<u8>>,
    completed_at: Option<i64>,
}

impl TryFrom<Row> for Authorization {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "authorizations", key: format!("{:02x?}", row.id) };
        Ok(Self {
            id: place.id(row.id)?,
            browser_hash: row.browser_hash,
            client_id: row.client_id,
            request: row.request,
            created_at: row.created_at,
            expires_at: row.expires_at,
            session_id: place.optional_id(row.session_id)?,
            completed_at: row.completed_at,
        })
    }
}

pub fn find(conn: &mut Conn, id: Id) -> Result<Option<Authorization>, StorageError> {
    let row = on!(conn, c => authorizations::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    Ok(row.map(Authorization::try_from).transpose()?)
}

/// How many are stored; expired ones too, until they are cleaned up.
pub fn count(conn: &mut Conn) -> Result<i64, StorageError> {
    Ok(on!(conn, c => authorizations::table.count().get_result(c))?)
}

pub fn insert(tx: &mut Tx<'_>, authorization: &Authorization) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(authorizations::table)
        .values((
            authorizations::id.eq(authorization.id.as_bytes().as_slice()),
            authorizations::browser_hash.eq(&authorization.browser_hash),
            authorizations::client_id.eq(&authorization.client_id),
            authorizations::request.eq(&authorization.request),
            authorizations::created_at.eq(authorization.created_at),
            authorizations::expires_at.eq(authorization.expires_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Notes the session in which the person logged in for it; `None` makes them log in again.
pub fn set_session(tx: &mut Tx<'_>, id: Id, session_id: Option<Id>) -> Result<(), StorageError> {
    let session_id = session_id.map(|id| id.as_bytes().to_vec());
    on!(tx.writer()?, c => update(
        authorizations::table,
        authorizations::session_id.eq(session_id),
        authorizations::id.eq(id.as_bytes().as_slice()).and(authorizations::completed_at.is_null()),
    )
    .execute(c))?;
    Ok(())
}

/// Takes the one answer that a request gets. `false`: it was answered already.
pub fn complete(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let completed = on!(tx.writer()?, c => update(
        authorizations::table,
        authorizations::completed_at.eq(now),
        authorizations::id
            .eq(id.as_bytes().as_slice())
            .and(authorizations::completed_at.is_null())
            .and(authorizations::expires_at.gt(now)),
    )
    .execute(c))?;
    Ok(completed == 1)
}
