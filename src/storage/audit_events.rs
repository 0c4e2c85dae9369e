use diesel::prelude::*;

use super::conn::on;
use super::schema::audit_events;
use super::{Conn, StorageError, Tx};
use crate::support::Id;

/// An event to be recorded. Never a secret in it, and a person only as a hash.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: Id,
    pub at_millis: i64,
    pub kind: &'static str,
    pub outcome: &'static str,
    pub client_id: Option<String>,
    pub subject_hash: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub detail: Option<String>,
}

/// An event as it was recorded.
#[derive(Debug, Clone, Queryable)]
pub struct StoredEvent {
    pub id: Vec<u8>,
    pub at_millis: i64,
    pub kind: String,
    pub outcome: String,
    pub client_id: Option<String>,
    pub subject_hash: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
    pub detail: Option<String>,
    pub writer: Option<Vec<u8>>,
    pub sequence: Option<i64>,
}

macro_rules! values {
    ($event:expr, $number:expr) => {
        (
            audit_events::id.eq($event.id.as_bytes().as_slice()),
            audit_events::at_millis.eq($event.at_millis),
            audit_events::kind.eq($event.kind),
            audit_events::outcome.eq($event.outcome),
            audit_events::client_id.eq($event.client_id.as_deref()),
            audit_events::subject_hash.eq($event.subject_hash.as_deref()),
            audit_events::address.eq($event.address.as_deref()),
            audit_events::request_id.eq($event.request_id.as_deref()),
            audit_events::detail.eq($event.detail.as_deref()),
            audit_events::writer.eq($number.0.as_bytes().as_slice()),
            audit_events::sequence.eq($number.1),
        )
    };
}

pub fn insert(tx: &mut Tx<'_>, event: &NewEvent) -> Result<(), StorageError> {
    let number = tx.next_number();
    on!(tx.writer()?, c => diesel::insert_into(audit_events::table).values(values!(event, number)).execute(c))?;
    Ok(())
}

pub(super) fn insert_many(tx: &mut Tx<'_>, events: &[&NewEvent]) -> Result<(), StorageError> {
    if events.is_empty() {
        return Ok(());
    }
    let numbers: Vec<_> = events.iter().map(|_| tx.next_number()).collect();
    let numbered = events.iter().zip(&numbers);
    match tx.writer()? {
        Conn::Sqlite(c) => {
            for (event, number) in numbered {
                diesel::insert_into(audit_events::table).values(values!(event, number)).execute(&mut **c)?;
            }
        }
        Conn::Postgres(c) => {
            let rows: Vec<_> = numbered.map(|(event, number)| values!(event, number)).collect();
            diesel::insert_into(audit_events::table).values(&rows).execute(&mut **c)?;
        }
    }
    Ok(())
}

/// What a watcher wants of an event.
#[derive(Debug, Clone, Queryable)]
pub struct SeenEvent {
    pub id: Vec<u8>,
    pub at_millis: i64,
    pub kind: String,
    pub client_id: Option<String>,
    pub subject_hash: Option<String>,
    pub address: Option<String>,
    pub detail: Option<String>,
}

/// The ids of events behind a moment or another event, in their order.
pub fn ids_after(conn: &mut Conn, after: &[u8], limit: i64) -> Result<Vec<Vec<u8>>, StorageError> {
    Ok(on!(conn, c => audit_events::table
        .filter(audit_events::id.gt(after))
        .order(audit_events::id)
        .limit(limit)
        .select(audit_events::id)
        .load(c))?)
}

/// Those of these events that there are, in their order.
pub fn seen(conn: &mut Conn, ids: &[Vec<u8>]) -> Result<Vec<SeenEvent>, StorageError> {
    Ok(on!(conn, c => audit_events::table
        .filter(audit_events::id.eq_any(ids))
        .order(audit_events::id)
        .select((
            audit_events::id,
            audit_events::at_millis,
            audit_events::kind,
            audit_events::client_id,
            audit_events::subject_hash,
            audit_events::address,
            audit_events::detail,
        ))
        .load(c))?)
}

/// The id before the last so many events, if there are more than that.
pub fn before_latest(conn: &mut Conn, count: i64) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(on!(conn, c => audit_events::table
        .order(audit_events::id.desc())
        .offset(count)
        .limit(1)
        .select(audit_events::id)
        .get_result(c)
        .optional())?)
}

/// The last events, oldest first.
pub fn latest(conn: &mut Conn, limit: i64) -> Result<Vec<StoredEvent>, StorageError> {
    let mut events: Vec<StoredEvent> =
        on!(conn, c => audit_events::table.order(audit_events::id.desc()).limit(limit).load(c))?;
    events.reverse();
    Ok(events)
}
