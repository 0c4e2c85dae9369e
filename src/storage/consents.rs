//! The table `consents`: what a person allowed a client, by API.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::conn::on;
use super::row::Place;
use super::schema::consents;
use super::{Conn, StorageError, Tx};
use crate::domain::Scopes;
use crate::support::{Id, Seconds};

/// What a person allowed a client, for one API or (the empty resource) for none in particular.
#[derive(Debug, Clone)]
pub struct Consent {
    pub client_id: String,
    pub resource: String,
    pub scope: Scopes,
    pub granted_at: Seconds,
    /// The last use of grants that cleanup has removed since.
    pub last_used_at: Option<Seconds>,
}

#[derive(Queryable)]
struct Row {
    _user_id: Vec<u8>,
    client_id: String,
    resource: String,
    scope: String,
    granted_at: i64,
    _updated_at: i64,
    last_used_at: Option<i64>,
}

impl TryFrom<Row> for Consent {
    type Error = crate::domain::InvalidRow;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let place = Place { table: "consents", key: row.client_id.clone() };
        Ok(Self {
            scope: place.scopes(&row.scope)?,
            client_id: row.client_id,
            resource: row.resource,
            granted_at: row.granted_at,
            last_used_at: row.last_used_at,
        })
    }
}

pub fn for_client(conn: &mut Conn, user_id: Id, client_id: &str) -> Result<Vec<Consent>, StorageError> {
    let rows = on!(conn, c => consents::table
        .filter(consents::user_id.eq(user_id.as_bytes().as_slice()))
        .filter(consents::client_id.eq(client_id))
        .load::<Row>(c))?;
    Ok(rows.into_iter().map(Consent::try_from).collect::<Result<_, _>>()?)
}

/// All that a person allowed, by client.
pub fn list(conn: &mut Conn, user_id: Id) -> Result<Vec<Consent>, StorageError> {
    let rows = on!(conn, c => consents::table
        .filter(consents::user_id.eq(user_id.as_bytes().as_slice()))
        .order((consents::client_id, consents::resource))
        .load::<Row>(c))?;
    Ok(rows.into_iter().map(Consent::try_from).collect::<Result<_, _>>()?)
}

/// Remembers a consent; `scope` is all that is now allowed there.
pub fn put(
    tx: &mut Tx<'_>,
    user_id: Id,
    client_id: &str,
    resource: &str,
    scope: &Scopes,
    now: Seconds,
) -> Result<(), StorageError> {
    let scope = scope.to_string();
    on!(tx.writer()?, c => diesel::insert_into(consents::table)
        .values((
            consents::user_id.eq(user_id.as_bytes().as_slice()),
            consents::client_id.eq(client_id),
            consents::resource.eq(resource),
            consents::scope.eq(&scope),
            consents::granted_at.eq(now),
            consents::updated_at.eq(now),
        ))
        .on_conflict((consents::user_id, consents::client_id, consents::resource))
        .do_update()
        .set((consents::scope.eq(&scope), consents::updated_at.eq(now)))
        .execute(c))?;
    Ok(())
}

/// Forgets all that a person allowed a client.
pub fn forget(tx: &mut Tx<'_>, user_id: Id, client_id: &str) -> Result<usize, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::delete(
        consents::table
            .filter(consents::user_id.eq(user_id.as_bytes().as_slice()))
            .filter(consents::client_id.eq(client_id)))
        .execute(c))?)
}

/// Keeps the last use of the grants that the next batch of cleanup removes: those that expired in this time, the oldest
/// first. One statement, whose rows are those of the batch.
pub fn keep_last_uses(tx: &mut Tx<'_>, from: Seconds, before: Seconds, batch: i64) -> Result<usize, StorageError> {
    const LAST_USE: &str = "SELECT MAX(COALESCE(grants.used_at, grants.created_at)) FROM grants \
                            WHERE grants.user_id = consents.user_id AND grants.client_id = consents.client_id";
    let statement = format!(
        "UPDATE consents SET last_used_at = ({LAST_USE}) WHERE (user_id, client_id) IN (SELECT user_id, client_id \
         FROM grants WHERE expires_at >= $1 AND expires_at < $2 ORDER BY expires_at, id LIMIT $3) \
         AND (last_used_at IS NULL OR last_used_at < ({LAST_USE}))"
    );
    Ok(on!(tx.writer()?, c => diesel::sql_query(statement)
        .bind::<BigInt, _>(from)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(batch)
        .execute(c))?)
}
