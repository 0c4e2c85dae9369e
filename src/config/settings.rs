//! The values in force while sources are read one above the other, each with where it came from.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::error::{Origin, Problem};
use super::keys::Key;
use super::lookup;

/// What is set so far.
#[derive(Default)]
pub(super) struct Settings {
    values: BTreeMap<(&'static str, &'static str), (Value, Origin)>,
    warnings: Vec<String>,
}

impl Settings {
    /// Adds what is no problem and should be known.
    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// All of it, in the order of the sources.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sets a key, over what it was, unless the value is one that it cannot hold.
    pub fn put(&mut self, key: &'static Key, value: Value, origin: Origin) -> Result<(), Problem> {
        if let Err(reason) = key.check(&value) {
            return Err(Problem::Invalid { setting: key.shown(&value, &origin), origin, reason });
        }
        self.values.insert((key.section, key.name), (value, origin));
        Ok(())
    }

    /// Where the value in force came from.
    pub fn origin(&self, section: &str, name: &str) -> Origin {
        self.values.get(&(section, name)).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// The problem with a value that its own rule accepts but which does not go with the rest.
    pub fn invalid(&self, section: &'static str, name: &'static str, reason: impl Into<String>) -> Problem {
        let setting = match (lookup::find(section, name), self.values.get(&(section, name))) {
            (Some(key), Some((value, origin))) => key.shown(value, origin),
            _ => format!("[{section}] {name}"),
        };
        Problem::Invalid { origin: self.origin(section, name), setting, reason: reason.into() }
    }

    /// As one TOML document.
    pub fn to_table(&self) -> Table {
        let mut document = Table::new();
        for ((section, name), (value, _)) in &self.values {
            let entry = document.entry(*section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(table) = entry {
                table.insert((*name).to_owned(), value.clone());
            }
        }
        document
    }
}
