//! The table `refresh_tokens`: use, successors and the end of tokens.

use diesel::prelude::*;

use super::cached::update;
use super::conn::on;
use super::row::Place;
use super::schema::{grants, refresh_tokens, users};
use super::{Conn, StorageError, Tx, grants as grant_rows, users as user_rows};
use crate::domain::{Grant, InvalidRow, RefreshStage, RefreshToken, User};
use crate::support::{Id, Seconds};

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    grant_id: Vec<u8>,
    parent_id: Option<Vec<u8>>,
    expires_at: i64,
    consumed_at: Option<i64>,
    successor: Option<Vec<u8>>,
}

impl TryFrom<Row> for RefreshToken {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "refresh_tokens", key: format!("{:02x?}", row.id) };
        let stage = match (row.consumed_at, row.successor) {
            (None, None) => RefreshStage::Live,
            (Some(at), successor) => RefreshStage::Rotated { at, successor },
            (None, Some(_)) => return Err(place.invalid("a successor without a use")),
        };
        Ok(Self {
            id: place.id(row.id)?,
            secret_hash: row.secret_hash,
            grant_id: place.id(row.grant_id)?,
            parent_id: place.optional_id(row.parent_id)?,
            expires_at: row.expires_at,
            stage,
        })
    }
}

/// A refresh token with its family.
pub fn find(conn: &mut Conn, id: Id) -> Result<Option<(RefreshToken, Grant)>, StorageError> {
    let found = on!(conn, c => refresh_tokens::table
        .inner_join(grants::table)
        .filter(refresh_tokens::id.eq(id.as_bytes().as_slice()))
        .get_result::<(Row, grant_rows::Row)>(c)
        .optional())?;
    let Some((token, grant)) = found else { return Ok(None) };
    Ok(Some((token.try_into()?, grant.try_into()?)))
}

/// A refresh token with its family and its person, for its use.
pub fn find_with_person(conn: &mut Conn, id: Id) -> Result<Option<(RefreshToken, Grant, User)>, StorageError> {
    let found = on!(conn, c => refresh_tokens::table
        .inner_join(grants::table.inner_join(users::table))
        .filter(refresh_tokens::id.eq(id.as_bytes().as_slice()))
        .select((refresh_tokens::all_columns, grants::all_columns, users::all_columns))
        .get_result::<(Row, grant_rows::Row, user_rows::Row)>(c)
        .optional())?;
    let Some((token, grant, user)) = found else { return Ok(None) };
    Ok(Some((token.try_into()?, grant.try_into()?, user.try_into()?)))
}

pub fn insert(tx: &mut Tx<'_>, token: &RefreshToken) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::id.eq(token.id.as_bytes().as_slice()),
            refresh_tokens::secret_hash.eq(&token.secret_hash),
            refresh_tokens::grant_id.eq(token.grant_id.as_bytes().as_slice()),
            refresh_tokens::parent_id.eq(token.parent_id.as_ref().map(|id| id.as_bytes().as_slice())),
            refresh_tokens::expires_at.eq(token.expires_at),
        ))
        .execute(c))?;
    Ok(())
}

/// Takes the one use that a refresh token has and leaves its sealed successor for a retry. `false`: it was used.
pub fn rotate(tx: &mut Tx<'_>, id: Id, sealed_successor: &[u8], now: Seconds) -> Result<bool, StorageError> {
    let rotated = on!(tx.writer()?, c => update(
        refresh_tokens::table,
        (refresh_tokens::consumed_at.eq(now), refresh_tokens::successor.eq(sealed_successor)),
        refresh_tokens::id.eq(id.as_bytes().as_slice()).and(refresh_tokens::consumed_at.is_null()),
    )
    .execute(c))?;
    Ok(rotated == 1)
}

/// The answer arrived, as something of it was used: no retry any more.
pub fn close_retry(tx: &mut Tx<'_>, id: Id) -> Result<(), StorageError> {
    on!(tx.writer()?, c => update(
        refresh_tokens::table,
        refresh_tokens::successor.eq(None::<Vec<u8>>),
        refresh_tokens::id
            .eq(id.as_bytes().as_slice())
            .and(refresh_tokens::consumed_at.is_not_null())
            .and(refresh_tokens::successor.is_not_null()),
    )
    .execute(c))?;
    Ok(())
}
