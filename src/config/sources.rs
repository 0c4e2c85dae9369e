//! Where settings come from: TOML text and the environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::error::{Origin, Problem};
use super::keys::Key;
use super::lookup;
use super::retired::{self, RETIRED};
use super::settings::Settings;

/// The environment, in the order of names.
pub(super) type Variables = BTreeMap<String, String>;

const PREFIX: &str = "LATCHWAY__";

/// Reads a file that `named_by` pointed to.
pub(super) fn read(path: &Path, named_by: &str) -> Result<String, Problem> {
    fs::read_to_string(path).map_err(|reason| Problem::Unreadable {
        path: path.to_owned(),
        reason,
        named_by: named_by.to_owned(),
    })
}

/// Puts what a TOML text says.
pub(super) fn put_toml(settings: &mut Settings, text: &str, origin: &Origin) -> Vec<Problem> {
    let document = match text.parse::<Table>() {
        Ok(document) => document,
        Err(error) => return vec![syntax(text, &error, origin)],
    };
    let mut problems = Vec::new();
    for (section, content) in document {
        match content {
            Value::Table(table) if lookup::is_section(&section) => {
                let put = table.into_iter().map(|(name, value)| put_one(settings, &section, &name, value, origin));
                problems.extend(put.filter_map(Result::err));
            }
            content => problems.push(not_a_section(&section, &content, origin)),
        }
    }
    problems
}

fn put_one(settings: &mut Settings, section: &str, name: &str, value: Value, origin: &Origin) -> Result<(), Problem> {
    match (lookup::find(section, name), retired::find(section, name)) {
        (Some(key), _) => settings.put(key, value, origin.clone()),
        (None, Some(retired)) => {
            settings.warn(retired.warning(origin));
            Ok(())
        }
        (None, None) => Err(Problem::Unknown {
            origin: origin.clone(),
            written: format!("key [{section}] {name}"),
            nearest: nearest_in_file(section, name),
        }),
    }
}

fn nearest_in_file(section: &str, name: &str) -> String {
    let nearest = lookup::nearest(section, name);
    if nearest.section == section { format!("{:?}", nearest.name) } else { nearest.to_string() }
}

fn not_a_section(written: &str, content: &Value, origin: &Origin) -> Problem {
    let origin = origin.clone();
    if lookup::is_section(written) {
        let reason = format!("is a section; write [{written}] on a line of its own and its keys below");
        return Problem::Invalid { origin, setting: written.to_owned(), reason };
    }
    let (kind, nearest) = match content {
        Value::Table(_) => (format!("section [{written}]"), format!("[{}]", lookup::nearest_section(written))),
        _ => (format!("key {written} outside any section"), lookup::nearest_name(written).to_string()),
    };
    Problem::Unknown { origin, written: kind, nearest }
}

/// The parser's own rendering quotes the line, which may hold a secret: only its message is kept.
fn syntax(text: &str, error: &toml::de::Error, origin: &Origin) -> Problem {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    Problem::Syntax {
        origin: origin.clone(),
        line: before.matches('\n').count() + 1,
        reason: error.message().lines().collect::<Vec<_>>().join(", "),
    }
}

/// Puts what the environment says.
pub(super) fn put_environment(settings: &mut Settings, variables: &Variables) -> Vec<Problem> {
    let mut problems: Vec<Problem> = variables.keys().filter_map(|name| misspelt(name)).collect();
    let put = lookup::all().map(|key| put_variable(settings, key, variables));
    problems.extend(put.filter_map(Result::err));
    for retired in RETIRED {
        let variable = retired.variable();
        let names = [variable.clone(), format!("{variable}_FILE")];
        for name in names.into_iter().filter(|name| variables.contains_key(name)) {
            settings.warn(retired.warning(&Origin::Variable(name)));
        }
    }
    problems
}

fn put_variable(settings: &mut Settings, key: &'static Key, variables: &Variables) -> Result<(), Problem> {
    let variable = key.variable();
    let file_variable = format!("{variable}_FILE");
    let (text, origin) = match (variables.get(&variable), variables.get(&file_variable)) {
        (None, None) => return Ok(()),
        (Some(_), Some(_)) => return Err(Problem::SetTwice { variable }),
        (Some(text), None) => (text.clone(), Origin::Variable(variable)),
        (None, Some(path)) => {
            let path = PathBuf::from(path);
            let text = read(&path, &format!("environment variable {file_variable}"))?;
            (text.trim().to_owned(), Origin::VariableFile(file_variable, path))
        }
    };
    match key.parse(&text) {
        Ok(value) => settings.put(key, value, origin),
        Err(reason) => Err(Problem::Invalid { setting: key.shown(&Value::String(text), &origin), origin, reason }),
    }
}

/// A variable that was meant for us but sets nothing.
///
/// Not every `LATCHWAY_…` is: Kubernetes gives each pod `LATCHWAY_SERVICE_HOST`, `LATCHWAY_PORT` and more for a service
/// called latchway. So one underscore is refused only where two would have made a key.
fn misspelt(name: &str) -> Option<Problem> {
    let (stem, suffix) = name.strip_suffix("_FILE").map_or((name, ""), |stem| (stem, "_FILE"));
    let is_known = lookup::all().any(|key| key.variable() == stem);
    if is_known || RETIRED.iter().any(|retired| retired.variable() == stem) {
        return None;
    }
    let nearest = match name.strip_prefix(PREFIX) {
        Some(_) => nearest_variable(stem),
        None => lookup::all().find(|key| single(&key.variable()) == single(stem))?,
    };
    Some(Problem::Unknown {
        origin: Origin::Variable(name.to_owned()),
        written: "key".to_owned(),
        nearest: nearest.variable() + suffix,
    })
}

fn nearest_variable(stem: &str) -> &'static Key {
    let path = stem.trim_start_matches(PREFIX).to_ascii_lowercase();
    match path.split_once("__") {
        Some((section, name)) => lookup::nearest(section, name),
        None => lookup::nearest_name(&path),
    }
}

fn single(name: &str) -> String {
    name.replace("__", "_")
}
