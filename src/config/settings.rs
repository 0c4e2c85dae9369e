//! The values in force while sources are read one above the other, each with where it came from.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::error::{Origin, Problem};
use super::keys::{self, Key};

/// What is set so far.
#[derive(Default)]
pub(super) struct Settings(BTreeMap<(&'static str, &'static str), (Value, Origin)>);

impl Settings {
    /// Sets a key, over what it was, unless the value is one that it cannot hold.
    pub fn put(&mut self, key: &'static Key, value: Value, origin: Origin) -> Result<(), Problem> {
        if let Err(reason) = key.check(&value) {
            return Err(Problem::Invalid { setting: key.shown(&value, &origin), origin, reason });
        }
        self.0.insert((key.section, key.name), (value, origin));
        Ok(())
    }

    /// Where the value in force came from.
    pub fn origin(&self, section: &str, name: &str) -> Origin {
        self.0.get(&(section, name)).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// The problem with a value that its own rule accepts but which does not go with the rest.
    pub fn invalid(&self, section: &'static str, name: &'static str, reason: impl Into<String>) -> Problem {
        let setting = match (keys::find(section, name), self.0.get(&(section, name))) {
            (Some(key), Some((value, origin))) => key.shown(value, origin),
            _ => format!("[{section}] {name}"),
        };
        Problem::Invalid { origin: self.origin(section, name), setting, reason: reason.into() }
    }

    /// As one TOML document.
    pub fn to_table(&self) -> Table {
        let mut document = Table::new();
        for ((section, name), (value, _)) in &self.0 {
            let entry = document.entry(*section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(table) = entry {
                table.insert((*name).to_owned(), value.clone());
            }
        }
        document
    }
}
