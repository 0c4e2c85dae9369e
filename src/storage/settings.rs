//! The table `settings`: named values of the database itself.

use diesel::prelude::*;

use super::conn::on;
use super::schema::settings;
use super::{Conn, StorageError, Tx};

pub fn get(conn: &mut Conn, name: &str) -> Result<Option<String>, StorageError> {
    Ok(on!(conn, c => settings::table.find(name).select(settings::value).get_result(c).optional())?)
}

/// Sets what was never set. `false`: it was.
pub fn set_once(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<bool, StorageError> {
    let inserted = on!(tx.writer()?, c => diesel::insert_into(settings::table)
        .values((settings::name.eq(name), settings::value.eq(value)))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(inserted == 1)
}

/// Sets what still has a known value. `false`: somebody else has set it since.
pub fn replace(tx: &mut Tx<'_>, name: &str, from: &str, to: &str) -> Result<bool, StorageError> {
    let replaced = on!(tx.writer()?, c => diesel::update(settings::table.find(name).filter(settings::value.eq(from)))
        .set(settings::value.eq(to))
        .execute(c))?;
    Ok(replaced == 1)
}

/// Sets whatever there was.
pub fn set(tx: &mut Tx<'_>, name: &str, value: &str) -> Result<(), StorageError> {
    on!(tx.writer()?, c => diesel::insert_into(settings::table)
        .values((settings::name.eq(name), settings::value.eq(value)))
        .on_conflict(settings::name)
        .do_update()
        .set(settings::value.eq(value))
        .execute(c))?;
    Ok(())
}
