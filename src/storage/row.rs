//! What every table's rows have in common on their way to an entity.

use std::fmt::Display;
use std::str::FromStr;

use crate::domain::{InvalidRow, Scopes};
use crate::support::Id;

/// Names the row that is being read, for the error that says it makes no sense.
pub(super) struct Place<K> {
    pub table: &'static str,
    pub key: K,
}

impl<K: Display> Place<K> {
    pub fn invalid(&self, why: impl Display) -> InvalidRow {
        InvalidRow { table: self.table, key: self.key.to_string(), why: why.to_string() }
    }

    pub fn id(&self, bytes: Vec<u8>) -> Result<Id, InvalidRow> {
        Id::try_from(bytes).map_err(|bytes| self.invalid(format!("an identifier of {} bytes", bytes.len())))
    }

    pub fn optional_id(&self, bytes: Option<Vec<u8>>) -> Result<Option<Id>, InvalidRow> {
        bytes.map(|bytes| self.id(bytes)).transpose()
    }

    pub fn word<T: FromStr>(&self, text: &str) -> Result<T, InvalidRow>
    where
        T::Err: Display,
    {
        text.parse().map_err(|e| self.invalid(e))
    }

    pub fn scopes(&self, text: &str) -> Result<Scopes, InvalidRow> {
        Scopes::parse(text).map_err(|e| self.invalid(e))
    }

    /// A list of URIs; none of them has a space.
    pub fn list(text: &str) -> Vec<String> {
        text.split(' ').filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }
}
