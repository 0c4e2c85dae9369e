//! The table `scopes`: the words for scopes.

use diesel::prelude::*;

use super::conn::on;
use super::schema::scopes;
use super::{Conn, StorageError, Tx};

/// What a scope means, in words for the person who is asked to allow it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ScopeText {
    pub name: String,
    pub title: String,
    pub description: String,
    /// Whether the consent page warns of it.
    pub sensitive: bool,
}

/// All scopes that have words, by name.
pub fn list(conn: &mut Conn) -> Result<Vec<ScopeText>, StorageError> {
    Ok(on!(conn, c => scopes::table.order(scopes::name).load(c))?)
}

pub fn put(tx: &mut Tx<'_>, scope: &ScopeText) -> Result<(), StorageError> {
    let words = (
        scopes::title.eq(&scope.title),
        scopes::description.eq(&scope.description),
        scopes::sensitive.eq(scope.sensitive),
    );
    on!(tx.writer()?, c => diesel::insert_into(scopes::table)
        .values((scopes::name.eq(&scope.name), words))
        .on_conflict(scopes::name)
        .do_update()
        .set(words)
        .execute(c))?;
    Ok(())
}

/// `false`: there was none of that name.
pub fn delete(tx: &mut Tx<'_>, name: &str) -> Result<bool, StorageError> {
    Ok(on!(tx.writer()?, c => diesel::delete(scopes::table.find(name)).execute(c))? == 1)
}
