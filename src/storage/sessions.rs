//! The table `sessions`: logins of people.

use diesel::prelude::*;

use super::cached::update;
use super::conn::on;
use super::row::Place;
use super::schema::sessions;
use super::{Conn, StorageError, Tx, users};
use crate::domain::{InvalidRow, Session, SessionStage, User};
use crate::support::{Id, Seconds};

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    user_id: Vec<u8>,
    auth_time: i64,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    ended_at: Option<i64>,
    user_agent: String,
    address: String,
    client_id: Option<String>,
}

impl TryFrom<Row> for Session {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "sessions", key: "(unread)" };
        Ok(Self {
            id: place.id(row.id)?,
            secret_hash: row.secret_hash,
            user_id: place.id(row.user_id)?,
            auth_time: row.auth_time,
            created_at: row.created_at,
            last_seen_at: row.last_seen_at,
            expires_at: row.expires_at,
            stage: row.ended_at.map_or(SessionStage::Live, |at| SessionStage::Ended { at }),
            user_agent: row.user_agent,
            address: row.address,
            client_id: row.client_id,
        })
    }
}

pub fn find(conn: &mut Conn, id: Id) -> Result<Option<Session>, StorageError> {
    let row = on!(conn, c => sessions::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    Ok(row.map(Session::try_from).transpose()?)
}

/// A session as it is until this transaction ends: another transaction that ends it waits, and sees what this one wrote.
pub fn hold(tx: &mut Tx<'_>, id: Id) -> Result<Option<Session>, StorageError> {
    let row = match tx.reader() {
        // SQLite has one writer.
        Conn::Sqlite(c) => sessions::table.find(id.as_bytes().as_slice()).get_result::<Row>(&mut **c).optional()?,
        Conn::Postgres(c) => {
            sessions::table.find(id.as_bytes().as_slice()).for_share().get_result::<Row>(&mut **c).optional()?
        }
    };
    Ok(row.map(Session::try_from).transpose()?)
}

/// A session with the person whose it is.
pub fn find_with_user(conn: &mut Conn, id: Id) -> Result<Option<(Session, User)>, StorageError> {
    let Some(session) = find(conn, id)? else { return Ok(None) };
    let user = users::find(conn, session.user_id)?;
    Ok(user.map(|user| (session, user)))
}

/// How many sessions of a person still stand.
pub fn count_live(conn: &mut Conn, user_id: Id, now: Seconds) -> Result<i64, StorageError> {
    Ok(on!(conn, c => sessions::table
        .filter(sessions::user_id.eq(user_id.as_bytes().as_slice()))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .count()
        .get_result(c))?)
}

/// The sessions of a person that still stand, the last used first: for a page, a hundred at most.
pub fn list_live(conn: &mut Conn, user_id: Id, now: Seconds) -> Result<Vec<Session>, StorageError> {
    let rows = on!(conn, c => sessions::table
        .filter(sessions::user_id.eq(user_id.as_bytes().as_slice()))
        .filter(sessions::ended_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .order(sessions::last_seen_at.desc())
        .limit(100)
        .load::<Row>(c))?;
    Ok(rows.into_iter().map(Session::try_from).collect::<Result<_, _>>()?)
}

/// From where a person's sessions began that are still remembered, the last first.
pub fn addresses(conn: &mut Conn, user_id: Id) -> Result<Vec<String>, StorageError> {
    Ok(on!(conn, c => sessions::table
        .filter(sessions::user_id.eq(user_id.as_bytes().as_slice()))
        .order(sessions::id.desc())
        .limit(100)
        .select(sessions::address)
        .load(c))?)
}

pub fn insert(tx: &mut Tx<'_>, session: &Session) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(session.id.as_bytes().as_slice()),
            sessions::secret_hash.eq(&session.secret_hash),
            sessions::user_id.eq(session.user_id.as_bytes().as_slice()),
            sessions::auth_time.eq(session.auth_time),
            sessions::created_at.eq(session.created_at),
            sessions::last_seen_at.eq(session.last_seen_at),
            sessions::expires_at.eq(session.expires_at),
            sessions::user_agent.eq(&session.user_agent),
            sessions::address.eq(&session.address),
            sessions::client_id.eq(&session.client_id),
        ))
        .execute(c))?;
    Ok(())
}

/// Ends one session; `true` if it stood.
pub fn end(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let ended = on!(tx.writer()?, c => diesel::update(
        sessions::table.find(id.as_bytes().as_slice()).filter(sessions::ended_at.is_null()))
        .set(sessions::ended_at.eq(now))
        .execute(c))?;
    Ok(ended == 1)
}

/// Ends all sessions of a person, except perhaps one.
pub fn end_all(tx: &mut Tx<'_>, user_id: Id, except: Option<Id>, now: Seconds) -> Result<usize, StorageError> {
    let kept = except.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    Ok(on!(tx.writer()?, c => diesel::update(
        sessions::table
            .filter(sessions::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(sessions::id.ne(kept))
            .filter(sessions::ended_at.is_null()))
        .set(sessions::ended_at.eq(now))
        .execute(c))?)
}

/// Ends a person's logins in one first-party app.
pub fn end_in_app(tx: &mut Tx<'_>, user_id: Id, client_id: &str, now: Seconds) -> Result<usize, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::update(
        sessions::table
            .filter(sessions::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(sessions::client_id.eq(client_id))
            .filter(sessions::ended_at.is_null()))
        .set(sessions::ended_at.eq(now))
        .execute(c))?)
}

/// Notes that a session was used, and how long it now lasts.
pub fn touch(tx: &mut Tx<'_>, id: Id, now: Seconds, expires_at: Seconds) -> Result<(), StorageError> {
    on!(tx.writer()?, c => update(
        sessions::table,
        (sessions::last_seen_at.eq(now), sessions::expires_at.eq(expires_at)),
        sessions::id.eq(id.as_bytes().as_slice()).and(sessions::ended_at.is_null()),
    )
    .execute(c))?;
    Ok(())
}
