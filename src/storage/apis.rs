//! The table `apis`: titles of APIs.

use diesel::prelude::*;

use super::conn::on;
use super::schema::apis;
use super::{Conn, StorageError, Tx};

/// What an API is called, for the person who is asked to allow something at it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ApiTitle {
    pub uri: String,
    pub title: String,
}

/// All APIs that have a title, by URI.
pub fn list(conn: &mut Conn) -> Result<Vec<ApiTitle>, StorageError> {
    Ok(on!(conn, c => apis::table.order(apis::uri).load(c))?)
}

/// The titles of those of some APIs that have one.
pub fn titles(conn: &mut Conn, uris: &[String]) -> Result<Vec<ApiTitle>, StorageError> {
    Ok(on!(conn, c => apis::table.filter(apis::uri.eq_any(uris)).load(c))?)
}

pub fn put(tx: &mut Tx<'_>, api: &ApiTitle) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(apis::table)
        .values((apis::uri.eq(&api.uri), apis::title.eq(&api.title)))
        .on_conflict(apis::uri)
        .do_update()
        .set(apis::title.eq(&api.title))
        .execute(c))?;
    Ok(())
}

/// `false`: there was none of that URI.
pub fn delete(tx: &mut Tx<'_>, uri: &str) -> Result<bool, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::delete(apis::table.find(uri)).execute(c))? == 1)
}
