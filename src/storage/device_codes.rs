//! The table `device_codes`: requests of devices (RFC 8628).

use diesel::dsl::count_star;
use diesel::prelude::*;

use super::cached::update;
use super::conn::on;
use super::row::Place;
use super::schema::device_codes;
use super::{Conn, StorageError, Tx};
use crate::domain::{DeviceCode, DeviceStage, InvalidRow};
use crate::support::{Id, Seconds};

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    user_code_hash: Vec<u8>,
    client_id: String,
    scope: String,
    resources: String,
    code_challenge: Option<String>,
    address: String,
    created_at: i64,
    expires_at: i64,
    interval_seconds: i64,
    _next_poll_at: i64,
    failures: i64,
    decided_at: Option<i64>,
    grant_id: Option<Vec<u8>>,
    ended_at: Option<i64>,
    _network: String,
}

impl TryFrom<Row> for DeviceCode {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "device_codes", key: format!("{:02x?}", row.id) };
        let grant_id = place.optional_id(row.grant_id)?;
        Ok(Self {
            id: place.id(row.id)?,
            secret_hash: row.secret_hash,
            user_code_hash: row.user_code_hash,
            client_id: row.client_id,
            scope: place.scopes(&row.scope)?,
            resources: Place::<String>::list(&row.resources),
            code_challenge: row.code_challenge,
            address: row.address,
            created_at: row.created_at,
            expires_at: row.expires_at,
            interval_seconds: row.interval_seconds,
            failures: row.failures,
            stage: DeviceStage::from_columns(row.decided_at, grant_id, row.ended_at, |why| place.invalid(why))?,
        })
    }
}

/// The request that a device's own code leads to.
pub fn find(conn: &mut Conn, id: Id) -> Result<Option<DeviceCode>, StorageError> {
    let row = on!(conn, c => device_codes::table.find(id.as_bytes().as_slice()).get_result::<Row>(c).optional())?;
    Ok(row.map(DeviceCode::try_from).transpose()?)
}

/// The request whose user code has one of these hashes.
pub fn find_by_user_code(conn: &mut Conn, hashes: &[Vec<u8>]) -> Result<Option<DeviceCode>, StorageError> {
    for hash in hashes {
        let row = on!(conn, c => device_codes::table
            .filter(device_codes::user_code_hash.eq(hash))
            .get_result::<Row>(c)
            .optional())?;
        if let Some(row) = row {
            return Ok(Some(row.try_into()?));
        }
    }
    Ok(None)
}

/// How many wait or could wait: those that have not expired.
pub fn count_live(conn: &mut Conn, now: Seconds) -> Result<i64, StorageError> {
    Ok(on!(conn, c => device_codes::table.filter(device_codes::expires_at.gt(now)).count().get_result(c))?)
}

/// Makes room for one more request of a client from a network, if there are `limit` at once. The client and network with the
/// most loses its oldest that nobody has decided, so that whoever fills the table keeps nobody else out. `false`: none has
/// more than whoever asks.
pub fn make_room(
    tx: &mut Tx<'_>,
    (client_id, network): (&str, &str),
    limit: i64,
    now: Seconds,
) -> Result<bool, StorageError> {
    if count_live(tx.reader(), now)? < limit {
        return Ok(true);
    }
    let most = on!(tx.writer()?, c => device_codes::table
        .filter(device_codes::expires_at.gt(now))
        .group_by((device_codes::client_id, device_codes::network))
        .select((device_codes::client_id, device_codes::network, count_star()))
        .order(count_star().desc())
        .first::<(String, String, i64)>(c)
        .optional())?;
    let own: i64 = on!(tx.writer()?, c => device_codes::table
        .filter(device_codes::client_id.eq(client_id))
        .filter(device_codes::network.eq(network))
        .filter(device_codes::expires_at.gt(now))
        .count()
        .get_result(c))?;
    let Some((theirs, there, _)) = most.filter(|(_, _, count)| *count > own + 1) else { return Ok(false) };
    // A hundredth at once, so that this is not asked again for each.
    let oldest: Vec<Vec<u8>> = on!(tx.writer()?, c => device_codes::table
        .filter(device_codes::client_id.eq(&theirs))
        .filter(device_codes::network.eq(&there))
        .filter(device_codes::decided_at.is_null())
        .filter(device_codes::expires_at.gt(now))
        .order(device_codes::id)
        .limit((limit / 100).max(1))
        .select(device_codes::id)
        .load(c))?;
    let gone = on!(tx.writer()?, c => diesel::delete(device_codes::table.filter(device_codes::id.eq_any(&oldest)))
        .execute(c))?;
    Ok(gone > 0)
}

/// Adds a request, which came from this network. [`StorageError::Conflict`] if another has the same user code.
pub fn insert(tx: &mut Tx<'_>, code: &DeviceCode, network: &str) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(device_codes::table)
        .values((
            device_codes::id.eq(code.id.as_bytes().as_slice()),
            device_codes::secret_hash.eq(&code.secret_hash),
            device_codes::user_code_hash.eq(&code.user_code_hash),
            device_codes::client_id.eq(&code.client_id),
            device_codes::scope.eq(code.scope.to_string()),
            device_codes::resources.eq(code.resources.join(" ")),
            device_codes::code_challenge.eq(&code.code_challenge),
            device_codes::address.eq(&code.address),
            device_codes::created_at.eq(code.created_at),
            device_codes::expires_at.eq(code.expires_at),
            device_codes::interval_seconds.eq(code.interval_seconds),
            device_codes::next_poll_at.eq(code.created_at),
            device_codes::failures.eq(code.failures),
            device_codes::network.eq(network),
        ))
        .execute(c))?;
    Ok(())
}

/// Takes the one decision that there is, for a grant. `false`: it was taken, or the request has expired.
pub fn approve(tx: &mut Tx<'_>, id: Id, grant_id: Id, now: Seconds) -> Result<bool, StorageError> {
    let decided = on!(tx.writer()?, c => update(
        device_codes::table,
        (device_codes::decided_at.eq(now), device_codes::grant_id.eq(grant_id.as_bytes().as_slice())),
        device_codes::id
            .eq(id.as_bytes().as_slice())
            .and(device_codes::decided_at.is_null())
            .and(device_codes::expires_at.gt(now)),
    )
    .execute(c))?;
    Ok(decided == 1)
}

/// Takes the one decision that there is, against it. `false`: it was taken, or the request has expired.
pub fn deny(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let decided = on!(tx.writer()?, c => update(
        device_codes::table,
        device_codes::decided_at.eq(now),
        device_codes::id
            .eq(id.as_bytes().as_slice())
            .and(device_codes::decided_at.is_null())
            .and(device_codes::expires_at.gt(now)),
    )
    .execute(c))?;
    Ok(decided == 1)
}

/// Clocks of nodes and delays of networks differ by so much without anybody's fault.
const FORGIVEN: Seconds = 1;

/// Notes a poll that came in its time. `false`: it came too soon.
pub fn poll(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let noted = on!(tx.writer()?, c => update(
        device_codes::table,
        device_codes::next_poll_at.eq(device_codes::interval_seconds + now),
        device_codes::id.eq(id.as_bytes().as_slice()).and(device_codes::next_poll_at.le(now + FORGIVEN)),
    )
    .execute(c))?;
    Ok(noted == 1)
}

/// Notes a poll that came too soon: from now on the device has to wait for so much longer. Returns how long that is.
pub fn slow_down(tx: &mut Tx<'_>, id: Id, more: Seconds, now: Seconds) -> Result<Seconds, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::update(device_codes::table.find(id.as_bytes().as_slice()))
        .set((
            device_codes::interval_seconds.eq(device_codes::interval_seconds + more),
            device_codes::next_poll_at.eq(device_codes::interval_seconds + (more + now)),
        ))
        .returning(device_codes::interval_seconds)
        .get_result(c))?)
}

/// Takes the one answer that a decided request gets. `false`: somebody else took it, or nothing was decided.
pub fn end(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let ended = on!(tx.writer()?, c => update(
        device_codes::table,
        device_codes::ended_at.eq(now),
        device_codes::id
            .eq(id.as_bytes().as_slice())
            .and(device_codes::decided_at.is_not_null())
            .and(device_codes::ended_at.is_null()),
    )
    .execute(c))?;
    Ok(ended == 1)
}

/// Counts a wrong guess at the verifier.
pub fn count_failure(tx: &mut Tx<'_>, id: Id) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(device_codes::table.find(id.as_bytes().as_slice()))
        .set(device_codes::failures.eq(device_codes::failures + 1))
        .execute(c))?;
    Ok(())
}
