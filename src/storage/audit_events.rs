//! The table `audit_events`: inserts, and searches for listing and for the anomaly rules.

use diesel::QueryableByName;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};

use super::conn::on;
pub use super::new_event::NewEvent;
use super::schema::audit_events;
use super::writer::Link;
use super::{Conn, StorageError, Tx};
use crate::domain::chain::{Hash, Head, Record, Stage};
use crate::support::Id;

/// An event as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
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
    pub reason: Option<String>,
    pub operator: Option<String>,
    pub hash: Option<Vec<u8>>,
}

impl StoredEvent {
    /// As it is chained; `None` if it lacks what every chained event has.
    pub fn record(&self) -> Option<Record<'_>> {
        let id = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(Id::from_bytes);
        Some(Record {
            writer: id(self.writer.as_deref()?)?,
            sequence: self.sequence?,
            id: id(&self.id)?,
            at_millis: self.at_millis,
            kind: &self.kind,
            outcome: &self.outcome,
            reason: self.reason.as_deref(),
            client_id: self.client_id.as_deref(),
            subject_hash: self.subject_hash.as_deref(),
            operator: self.operator.as_deref(),
            address: self.address.as_deref(),
            request_id: self.request_id.as_deref(),
            detail: self.detail.as_deref(),
        })
    }
}

/// What of the trail is wanted. What is `None` or empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// From this id on.
    pub from: Option<Id>,
    /// Before this id.
    pub before: Option<Id>,
    pub kinds: Vec<String>,
    pub outcome: Option<String>,
    pub reason: Option<String>,
    pub client_id: Option<String>,
    pub subject_hash: Option<String>,
    pub operator: Option<String>,
    pub address: Option<String>,
    pub request_id: Option<String>,
}

macro_rules! values {
    ($event:expr, $link:expr) => {
        (
            audit_events::id.eq($link.id.as_bytes().to_vec()),
            audit_events::at_millis.eq($event.at_millis),
            audit_events::kind.eq($event.kind),
            audit_events::outcome.eq($event.outcome),
            audit_events::client_id.eq($event.client_id.as_deref()),
            audit_events::subject_hash.eq($event.subject_hash.as_deref()),
            audit_events::address.eq($event.address.as_deref()),
            audit_events::request_id.eq($event.request_id.as_deref()),
            audit_events::detail.eq($event.detail.as_deref()),
            audit_events::writer.eq($link.writer.as_bytes().to_vec()),
            audit_events::sequence.eq($link.sequence),
            audit_events::reason.eq($event.reason.as_deref()),
            audit_events::operator.eq($link.operator.map(str::to_owned)),
            audit_events::hash.eq($link.hash.to_vec()),
        )
    };
}

pub fn insert(tx: &mut Tx<'_>, event: &NewEvent) -> Result<(), StorageError> {
    let (link, conn) = tx.link_and_writer(event)?;
    on!(conn, c => diesel::insert_into(audit_events::table).values(values!(event, link)).execute(c))?;
    Ok(())
}

pub(super) fn insert_many(tx: &mut Tx<'_>, events: &[&NewEvent]) -> Result<(), StorageError> {
    if events.is_empty() {
        return Ok(());
    }
    if matches!(tx.writer()?, Conn::Sqlite(_)) {
        return events.iter().try_for_each(|event| insert(tx, event));
    }
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let link: Link<'_> = tx.link(event)?;
        rows.push(values!(event, link));
    }
    if let Conn::Postgres(c) = tx.writer()? {
        diesel::insert_into(audit_events::table).values(&rows).execute(&mut **c)?;
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

/// How many rows one statement looks at, whatever it is looking for: so none takes longer than the deadline of a piece of
/// work, however rare that is.
const WINDOW: i64 = 20_000;

/// What one step through the trail found, and where the next one begins.
#[derive(Debug)]
pub struct Step {
    pub events: Vec<StoredEvent>,
    /// `None`: the end was reached.
    pub next: Option<Id>,
}

/// One bounded step backwards: the last events that are wanted, the newest first.
pub fn step_back(conn: &mut Conn, filter: &Filter, limit: i64) -> Result<Step, StorageError> {
    let before = filter.before.map_or_else(|| vec![0xff; 17], |id| id.as_bytes().to_vec());
    let from = filter.from.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let end: Option<Vec<u8>> = on!(&mut *conn, c => audit_events::table
        .filter(audit_events::id.lt(&before))
        .filter(audit_events::id.ge(&from))
        .order(audit_events::id.desc())
        .offset(WINDOW - 1)
        .limit(1)
        .select(audit_events::id)
        .get_result(c)
        .optional())?;
    let lowest = end.clone().unwrap_or(from);
    let events: Vec<StoredEvent> = on!(conn, c => {
        let mut query = audit_events::table.into_boxed();
        query = query.filter(audit_events::id.lt(before)).filter(audit_events::id.ge(lowest));
        if !filter.kinds.is_empty() {
            query = query.filter(audit_events::kind.eq_any(&filter.kinds));
        }
        if let Some(outcome) = &filter.outcome {
            query = query.filter(audit_events::outcome.eq(outcome));
        }
        if let Some(reason) = &filter.reason {
            query = query.filter(audit_events::reason.eq(reason));
        }
        if let Some(client_id) = &filter.client_id {
            query = query.filter(audit_events::client_id.eq(client_id));
        }
        if let Some(subject_hash) = &filter.subject_hash {
            query = query.filter(audit_events::subject_hash.eq(subject_hash));
        }
        if let Some(operator) = &filter.operator {
            query = query.filter(audit_events::operator.eq(operator));
        }
        if let Some(address) = &filter.address {
            query = query.filter(audit_events::address.eq(address));
        }
        if let Some(request_id) = &filter.request_id {
            query = query.filter(audit_events::request_id.eq(request_id));
        }
        query.order(audit_events::id.desc()).limit(limit).load(c)
    })?;
    Ok(Step { events, next: end.and_then(|id| Id::try_from(id).ok()) })
}

/// The next events, the oldest first: those after one id and before another.
pub fn page(conn: &mut Conn, after: &[u8], before: Option<Id>, limit: i64) -> Result<Vec<StoredEvent>, StorageError> {
    let before = before.map_or_else(|| vec![0xff; 17], |id| id.as_bytes().to_vec());
    Ok(on!(conn, c => audit_events::table
        .filter(audit_events::id.gt(after))
        .filter(audit_events::id.lt(before))
        .order(audit_events::id)
        .limit(limit)
        .load(c))?)
}

/// The next events of one writer, the oldest first.
pub fn page_of_writer(
    conn: &mut Conn,
    writer: Id,
    after: &[u8],
    before: Id,
    limit: i64,
) -> Result<Vec<StoredEvent>, StorageError> {
    Ok(on!(conn, c => audit_events::table
        .filter(audit_events::id.gt(after))
        .filter(audit_events::id.lt(before.as_bytes().to_vec()))
        .filter(audit_events::writer.eq(writer.as_bytes().to_vec()))
        .order(audit_events::id)
        .limit(limit)
        .load(c))?)
}

/// The last number of each writer, of those that wrote between two ids.
pub fn ends(conn: &mut Conn, from: Id, before: Id) -> Result<Vec<(Id, i64)>, StorageError> {
    let rows: Vec<(Option<Vec<u8>>, Option<i64>)> = on!(conn, c => audit_events::table
        .filter(audit_events::id.ge(from.as_bytes().to_vec()))
        .filter(audit_events::id.lt(before.as_bytes().to_vec()))
        .filter(audit_events::hash.is_not_null())
        .group_by(audit_events::writer)
        .select((audit_events::writer, diesel::dsl::max(audit_events::sequence)))
        .load(c))?;
    Ok(rows.into_iter().filter_map(|(writer, sequence)| Some((Id::try_from(writer?).ok()?, sequence?))).collect())
}

#[derive(QueryableByName)]
struct HeadRow {
    #[diesel(sql_type = Binary)]
    writer: Vec<u8>,
    #[diesel(sql_type = BigInt)]
    sequence: i64,
    #[diesel(sql_type = Nullable<Binary>)]
    hash: Option<Vec<u8>>,
}

/// Where every chain ends, of processes that have ended. Reads the whole table: for what is done once in a lifetime.
pub fn heads(conn: &mut Conn) -> Result<Vec<Head>, StorageError> {
    let query = "SELECT e.writer, e.sequence, e.hash FROM audit_events e JOIN (SELECT writer, MAX(sequence) AS sequence \
                 FROM audit_events WHERE writer IS NOT NULL GROUP BY writer) l \
                 ON l.writer = e.writer AND l.sequence = e.sequence ORDER BY e.writer";
    let rows: Vec<HeadRow> = on!(conn, c => diesel::sql_query(query).load(c))?;
    let head = |row: HeadRow| {
        let (writer, hash) = (Id::try_from(row.writer).ok()?, Hash::from_slice(row.hash.as_deref()?)?);
        Some(Head { writer, sequence: row.sequence, hash, stage: Stage::Ended })
    };
    Ok(rows.into_iter().filter_map(head).collect())
}

/// The first event of every chain that has not been cut off at its beginning, hashed by itself. Reads the whole table, as
/// [`heads`] does.
pub fn first_events(conn: &mut Conn) -> Result<Vec<Head>, StorageError> {
    let events: Vec<StoredEvent> = on!(conn, c => audit_events::table
        .filter(audit_events::sequence.eq(1))
        .order(audit_events::id)
        .load(c))?;
    let mut buffer = Vec::new();
    let first = |event: &StoredEvent| {
        let record = event.record()?;
        let hash = Hash(record.alone(&mut buffer));
        Some(Head { writer: record.writer, sequence: record.sequence, hash, stage: Stage::Open })
    };
    Ok(events.iter().filter_map(first).collect())
}
