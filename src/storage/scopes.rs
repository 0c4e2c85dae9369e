//! The table `scopes`: the words for scopes.

use diesel::prelude::*;
pub use latchway_oauth_types::ScopeText;

use super::conn::on;
use super::schema::scopes;
use super::{Conn, StorageError, Tx};

/// All scopes that have words, by name.
pub fn list(conn: &mut Conn) -> Result<Vec<ScopeText>, StorageError> {
    let rows: Vec<(String, String, String, bool)> = on!(conn, c => scopes::table.order(scopes::name).load(c))?;
    let text = |(name, title, description, sensitive)| ScopeText { name, title, description, sensitive };
    Ok(rows.into_iter().map(text).collect())
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
