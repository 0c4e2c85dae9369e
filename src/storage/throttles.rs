//! The table `throttles`: counters of failed attempts.

use diesel::prelude::*;

use super::conn::on;
use super::schema::throttles;
use super::{Conn, StorageError, Tx};
use crate::domain::{Attempts, ThrottleKind};
use crate::support::{Seconds, sha256};

/// What is counted under one name.
#[derive(Debug, Clone)]
pub struct Counter {
    kind: ThrottleKind,
    name: String,
    subject: String,
    network: String,
}

impl Counter {
    /// `key` tells the accounts, clients or keys of a kind apart and is stored as a hash alone: people type passwords into
    /// the wrong field. `subject` is what an operator is shown of it: the id of a person, a client or a key, or a tag.
    pub fn new(kind: ThrottleKind, key: &str, subject: &str, network: Option<&str>) -> Self {
        let hash = |text: &str| sha256(text.as_bytes())[..16].iter().map(|b| format!("{b:02x}")).collect::<String>();
        let at = network.map_or_else(|| "-".to_owned(), hash);
        let network = network.unwrap_or_default().to_owned();
        Self { kind, name: format!("{kind}:{}:{at}", hash(key)), subject: subject.to_owned(), network }
    }
}

/// A limit that is reached: nobody who it counts may go on before `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    pub name: String,
    pub kind: String,
    pub subject: String,
    /// A network, or nothing.
    pub network: String,
    pub failures: i64,
    pub until: Seconds,
}

/// More are not looked at, so that nobody who can cause them fills a node's memory.
const MAX: i64 = 20_000;

type Columns = (i64, i64, i64, i64);

fn attempts_of((failures, expires_at, under_way, under_way_until): Columns) -> Attempts {
    // Without failures the row lasts as long as what is under way.
    let until = if failures == 0 { 0 } else { expires_at };
    Attempts { failures, until, under_way, under_way_until }
}

/// What is counted under a name, without holding it.
pub fn look(conn: &mut Conn, counter: &Counter) -> Result<Attempts, StorageError> {
    let found: Option<Columns> = on!(conn, c => throttles::table
        .find(&counter.name)
        .select((throttles::attempts, throttles::expires_at, throttles::under_way, throttles::under_way_until))
        .get_result(c)
        .optional())?;
    Ok(found.map(attempts_of).unwrap_or_default())
}

/// What is counted under a name, held until the transaction ends: no other node changes it meanwhile. To be followed by
/// [`keep`], always in the same order of names.
pub fn hold(tx: &mut Tx<'_>, counter: &Counter) -> Result<Attempts, StorageError> {
    let found: Columns = on!(tx.writer()?, c => diesel::insert_into(throttles::table)
        .values((
            throttles::name.eq(&counter.name),
            throttles::attempts.eq(0),
            throttles::expires_at.eq(0),
            throttles::kind.eq(counter.kind.as_str()),
            throttles::subject.eq(&counter.subject),
            throttles::network.eq(&counter.network),
        ))
        .on_conflict(throttles::name)
        .do_update()
        .set(throttles::attempts.eq(throttles::attempts))
        .returning((throttles::attempts, throttles::expires_at, throttles::under_way, throttles::under_way_until))
        .get_result(c))?;
    Ok(attempts_of(found))
}

/// Writes what was held. `most` is the number of failures that restrain, if these do.
pub fn keep(
    tx: &mut Tx<'_>,
    counter: &Counter,
    attempts: &Attempts,
    most: Option<i64>,
    now: Seconds,
) -> Result<(), StorageError> {
    if attempts.is_idle(now) {
        return clear(tx, counter);
    }
    let failures = attempts.failures_at(now);
    let expires_at = if failures == 0 { attempts.under_way_until } else { attempts.until };
    let full_until = most.and_then(|most| attempts.full_until(most, now));
    on!(tx.writer()?, c => diesel::update(throttles::table.find(&counter.name))
        .set((
            throttles::attempts.eq(failures),
            throttles::expires_at.eq(expires_at),
            throttles::under_way.eq(attempts.under_way),
            throttles::under_way_until.eq(attempts.under_way_until),
            throttles::full_until.eq(full_until),
        ))
        .execute(c))?;
    Ok(())
}

/// Forgets a name.
pub fn clear(tx: &mut Tx<'_>, counter: &Counter) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::delete(throttles::table.find(&counter.name)).execute(c))?;
    Ok(())
}

/// The limits that are reached, those that last the longest first.
pub fn full(conn: &mut Conn, now: Seconds) -> Result<Vec<Full>, StorageError> {
    let rows: Vec<(String, String, String, String, i64, Option<i64>)> = on!(conn, c => throttles::table
        .filter(throttles::full_until.gt(now))
        .order(throttles::full_until.desc())
        .limit(MAX)
        .select((
            throttles::name,
            throttles::kind,
            throttles::subject,
            throttles::network,
            throttles::attempts,
            throttles::full_until,
        ))
        .load(c))?;
    let full = |(name, kind, subject, network, failures, until): (_, _, _, _, _, Option<i64>)| Full {
        name,
        kind,
        subject,
        network,
        failures,
        until: until.unwrap_or(now),
    };
    Ok(rows.into_iter().map(full).collect())
}

/// Forgets all that is counted for a subject or a network.
pub fn forget(tx: &mut Tx<'_>, subject: Option<&str>, network: Option<&str>) -> Result<usize, StorageError> {
    let writer = tx.writer()?;
    let mut forgotten = 0;
    if let Some(subject) = subject.filter(|subject| !subject.is_empty()) {
        forgotten += on!(&mut *writer, c =>
            diesel::delete(throttles::table.filter(throttles::subject.eq(subject))).execute(c))?;
    }
    if let Some(network) = network.filter(|network| !network.is_empty()) {
        forgotten += on!(writer, c =>
            diesel::delete(throttles::table.filter(throttles::network.eq(network))).execute(c))?;
    }
    Ok(forgotten)
}

/// Forgets single names.
pub fn forget_names(tx: &mut Tx<'_>, names: &[String]) -> Result<usize, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::delete(throttles::table.filter(throttles::name.eq_any(names))).execute(c))?)
}
