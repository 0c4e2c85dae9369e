//! The journal as a page, which works without JavaScript and follows what happens with it.

use std::sync::Arc;

use askama::Template;
use serde_json::Value;

use super::reading::Message;
use super::{Entry, Filter};
use crate::pages::view::Layout;
use latchway_mock_api::NearMiss;

/// Entries that a page shows at most.
pub const SHOWN: usize = 100;
/// Characters of a query in the line of an entry.
const QUERY: usize = 80;

/// `GET /mock/journal`
#[derive(Template, Debug)]
#[template(path = "mock/journal.html")]
pub struct JournalPage {
    /// Around the page.
    pub layout: Layout,
    pub filter: Filter,
    /// Prefixes of the issuers below a path.
    pub prefixes: Vec<String>,
    /// Other runs whose journals there are; empty is the one that names none.
    pub runs: Vec<String>,
    /// The newest first.
    pub entries: Vec<EntryView>,
    /// How many there are to show, of which a page shows some.
    pub count: usize,
    /// The number of the newest entry, shown or not.
    pub last: u64,
    /// What the script asks for more with: the filter as a query.
    pub query: String,
    /// Only this one is shown.
    pub single: Option<u64>,
}

/// What the page's script adds to it.
#[derive(Template, Debug)]
#[template(path = "mock/journal_entries.html")]
pub struct EntriesFragment {
    pub entries: Vec<EntryView>,
    pub single: Option<u64>,
    /// The run that the URL names.
    pub run: Option<String>,
}

impl EntriesFragment {
    fn link(&self, sequence: &u64) -> String {
        link(*sequence, self.run.as_deref())
    }
}

fn link(sequence: u64, run: Option<&str>) -> String {
    let run = run.map(|run| format!("?run={run}")).unwrap_or_default();
    format!("/mock/journal/{sequence}{run}")
}

/// One entry in words.
#[derive(Debug, Clone)]
pub struct EntryView {
    entry: Arc<Entry>,
}

impl EntryView {
    pub fn new(entry: Arc<Entry>) -> Self {
        Self { entry }
    }

    fn query(&self) -> String {
        let query: String = self.entry.query.chars().take(QUERY).collect();
        let more = if self.entry.query.chars().count() > QUERY { "…" } else { "" };
        if query.is_empty() { query } else { format!("?{query}{more}") }
    }

    fn target(&self) -> String {
        match self.entry.query.as_str() {
            "" => self.entry.path.clone(),
            query => format!("{}?{query}", self.entry.path),
        }
    }

    fn status(&self) -> String {
        self.entry.status.map_or_else(|| "dropped".to_owned(), |status| status.to_string())
    }

    /// The colour of the status.
    fn mood(&self) -> &'static str {
        match self.entry.status {
            Some(status) if status < 300 => "good",
            Some(status) if status < 400 => "away",
            Some(status) if status < 500 => "warn",
            _ => "bad",
        }
    }

    fn clock(&self) -> &str {
        self.entry.time.get(11..19).unwrap_or_default()
    }

    fn duration(&self) -> String {
        match self.entry.duration_ms {
            millis if millis < 10.0 => format!("{millis:.1} ms"),
            millis => format!("{millis:.0} ms"),
        }
    }

    fn place(&self) -> String {
        match self.entry.issuer.as_deref() {
            Some("") => "authorization server".to_owned(),
            Some(prefix) => format!("issuer {prefix}"),
            None => "API".to_owned(),
        }
    }

    fn near(&self) -> &[NearMiss] {
        &self.entry.near
    }

    fn claims(&self) -> Option<String> {
        self.entry.claims.as_ref().and_then(|claims| serde_json::to_string_pretty(claims).ok())
    }
}

/// The head of a message, a line a field.
fn head(message: &Message) -> String {
    let lines =
        message.headers.iter().flat_map(|(name, values)| values.iter().map(move |value| format!("{name}: {value}")));
    lines.collect::<Vec<_>>().join("\n")
}

/// A body as people read it.
fn body(message: &Message) -> String {
    match &message.body {
        None if message.body_bytes == 0 => String::new(),
        None => format!("({} bytes that are no text)", message.body_bytes),
        Some(text) => {
            let cut = if text.len() < message.body_bytes { "\n(and more)" } else { "" };
            let json = serde_json::from_str::<Value>(text).ok().filter(|value| value.is_object() || value.is_array());
            let pretty = json.and_then(|value| serde_json::to_string_pretty(&value).ok());
            format!("{}{cut}", pretty.as_ref().unwrap_or(text))
        }
    }
}

impl JournalPage {
    fn shown(option: &Option<String>) -> &str {
        option.as_deref().unwrap_or_default()
    }

    fn link(&self, sequence: &u64) -> String {
        link(*sequence, self.filter.run.as_deref())
    }

    fn run_words(run: &str) -> &str {
        if run.is_empty() { "(none)" } else { run }
    }

    fn is_filtered(&self) -> bool {
        let filter = &self.filter;
        [&filter.text, &filter.path, &filter.status, &filter.place, &filter.method, &filter.client_id, &filter.rule]
            .iter()
            .any(|part| part.is_some())
    }
}

#[cfg(test)]
mod samples;
