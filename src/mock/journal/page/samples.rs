//! The page in its states, held against the same rules as all others.

use serde_json::json;

use super::*;
use crate::pages::page_rules::{HOSTILE, assert_safe};

fn layout() -> Layout {
    Layout { service_name: "Latchway mock".into(), mock: true, ..Layout::default() }
}

fn message(body: &str) -> Message {
    let mut headers = actix_web::http::header::HeaderMap::new();
    headers.insert("content-type".parse().expect("a name"), "application/json".parse().expect("a value"));
    Message::new(&headers, body.as_bytes())
}

fn entry(sequence: u64, path: &str, status: Option<u16>) -> EntryView {
    EntryView::new(Arc::new(Entry {
        sequence,
        time: "2030-01-01T10:00:00.000Z".into(),
        place: "api",
        method: "GET".into(),
        path: path.into(),
        query: "a=1".into(),
        status,
        duration_ms: 1.2,
        client_id: Some(HOSTILE.into()),
        matched: Some(HOSTILE.into()),
        rules: vec!["down".into()],
        near: vec![NearMiss { what: HOSTILE.into(), why: HOSTILE.into() }],
        refused: Some(HOSTILE.into()),
        claims: Some(json!({"sub": HOSTILE})),
        request: message(HOSTILE),
        response: status.map(|_| message(r#"{"a":1}"#)),
        ..Entry::default()
    }))
}

fn page(entries: Vec<EntryView>) -> JournalPage {
    JournalPage {
        layout: layout(),
        filter: Filter::default(),
        prefixes: vec!["acme".into()],
        runs: vec![String::new()],
        count: entries.len(),
        entries,
        last: 3,
        query: String::new(),
        single: None,
    }
}

#[test]
fn the_journal_is_a_safe_page_in_all_its_states() {
    let all = vec![entry(3, "/orders", Some(200)), entry(2, HOSTILE, Some(401)), entry(1, "/x", None)];
    let hostile = Filter { text: Some(HOSTILE.into()), path: Some(HOSTILE.into()), ..Filter::default() };
    let pages = [
        ("journal", page(all.clone())),
        ("journal-empty", page(Vec::new())),
        ("journal-one", JournalPage { single: Some(3), ..page(vec![all[0].clone()]) }),
        (
            "journal-filtered",
            JournalPage { filter: hostile, runs: vec![String::new(), "ci".into()], query: HOSTILE.into(), ..page(all) },
        ),
    ];
    let rendered: Vec<_> = pages.iter().map(|(name, page)| (*name, page.render().expect("a page"))).collect();
    assert_safe(&rendered);
    assert!(rendered[1].1.contains("No requests yet."));
    assert!(rendered[3].1.contains("No requests match."), "a filtered page has its own words");
}

#[test]
fn bodies_are_pretty_and_say_what_is_missing() {
    assert_eq!(body(&message(r#"{"a":1}"#)), "{\n  \"a\": 1\n}");
    assert_eq!(body(&Message { body: None, body_bytes: 3, ..message("") }), "(3 bytes that are no text)");
    assert_eq!(body(&Message { body: Some("ab".into()), body_bytes: 9, ..message("") }), "ab\n(and more)");
}
