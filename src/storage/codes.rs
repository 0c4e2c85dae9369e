//! The table `codes`: authorization codes and their single use.

use diesel::prelude::*;

use super::cached::update;
use super::conn::on;
use super::row::Place;
use super::schema::{codes, grants, users};
use super::{Conn, StorageError, Tx, grants as grant_rows, users as user_rows};
use crate::domain::{Code, CodeStage, Grant, InvalidRow, User};
use crate::support::{Id, Seconds};

#[derive(Queryable)]
struct Row {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    grant_id: Vec<u8>,
    sent_redirect_uri: Option<String>,
    redirect_uri: String,
    code_challenge: Option<String>,
    expires_at: i64,
    consumed_at: Option<i64>,
    failures: i64,
}

impl TryFrom<Row> for Code {
    type Error = InvalidRow;

    fn try_from(row: Row) -> Result<Self, InvalidRow> {
        let place = Place { table: "codes", key: format!("{:02x?}", row.id) };
        Ok(Self {
            id: place.id(row.id)?,
            secret_hash: row.secret_hash,
            grant_id: place.id(row.grant_id)?,
            sent_redirect_uri: row.sent_redirect_uri,
            redirect_uri: row.redirect_uri,
            code_challenge: row.code_challenge,
            expires_at: row.expires_at,
            stage: row.consumed_at.map_or(CodeStage::Issued, |at| CodeStage::Consumed { at }),
            failures: row.failures,
        })
    }
}

/// A code with the grant that it stands for and the person who gave it.
pub fn find(conn: &mut Conn, id: Id) -> Result<Option<(Code, Grant, User)>, StorageError> {
    let found = on!(conn, c => codes::table
        .inner_join(grants::table.inner_join(users::table))
        .filter(codes::id.eq(id.as_bytes().as_slice()))
        .select((codes::all_columns, grants::all_columns, users::all_columns))
        .get_result::<(Row, grant_rows::Row, user_rows::Row)>(c)
        .optional())?;
    let Some((code, grant, user)) = found else { return Ok(None) };
    Ok(Some((code.try_into()?, grant.try_into()?, user.try_into()?)))
}

pub fn insert(tx: &mut Tx<'_>, code: &Code) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(codes::table)
        .values((
            codes::id.eq(code.id.as_bytes().as_slice()),
            codes::secret_hash.eq(&code.secret_hash),
            codes::grant_id.eq(code.grant_id.as_bytes().as_slice()),
            codes::sent_redirect_uri.eq(&code.sent_redirect_uri),
            codes::redirect_uri.eq(&code.redirect_uri),
            codes::code_challenge.eq(&code.code_challenge),
            codes::expires_at.eq(code.expires_at),
            codes::failures.eq(code.failures),
        ))
        .execute(c))?;
    Ok(())
}

/// Takes the one use that a code has. `false`: somebody else took it.
pub fn consume(tx: &mut Tx<'_>, id: Id, now: Seconds) -> Result<bool, StorageError> {
    let consumed = on!(tx.writer()?, c => update(
        codes::table,
        codes::consumed_at.eq(now),
        codes::id.eq(id.as_bytes().as_slice()).and(codes::consumed_at.is_null()),
    )
    .execute(c))?;
    Ok(consumed == 1)
}

/// Counts a wrong guess at the verifier.
pub fn count_failure(tx: &mut Tx<'_>, id: Id) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::update(codes::table.find(id.as_bytes().as_slice()))
        .set(codes::failures.eq(codes::failures + 1))
        .execute(c))?;
    Ok(())
}
