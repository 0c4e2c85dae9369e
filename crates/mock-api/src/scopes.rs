//! The scopes of an API, in the words of its document: for the consent page, the metadata, and keys that people make.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::document::Document;
use crate::json_pointer::escaped;
use crate::route::Table;
use latchway_oauth_types::{ScopeText, Scopes};

/// Takes what a document says of its scopes (OpenAPI, OAuth Flow Object).
pub fn describe(document: &Document, described: &mut BTreeMap<String, String>) {
    let schemes = document.root().pointer("/components/securitySchemes").and_then(Value::as_object);
    for name in schemes.into_iter().flat_map(|schemes| schemes.keys()) {
        let found = document.at(&format!("/components/securitySchemes/{}", escaped(name)));
        let flows = found.and_then(|(_, scheme)| scheme.get("flows")).and_then(Value::as_object);
        let scopes = flows.into_iter().flat_map(|flows| flows.values()).filter_map(|flow| flow["scopes"].as_object());
        for (scope, words) in scopes.flatten() {
            described.entry(scope.clone()).or_insert_with(|| words.as_str().unwrap_or_default().trim().to_owned());
        }
    }
}

/// All that are described or asked for. What no scope can be called is left out: no token has it.
pub fn all(table: &Table, mut described: BTreeMap<String, String>) -> Vec<ScopeText> {
    for route in &table.routes {
        let of_document = route.operation.iter().flat_map(|operation| operation.demand.scopes());
        for scope in of_document.chain(route.requires.iter().flat_map(|requires| requires.scopes())) {
            described.entry(scope.to_owned()).or_default();
        }
    }
    let is_scope = |name: &str| Scopes::parse(name).is_ok_and(|scopes| scopes.iter().eq([name]));
    let words = described.into_iter().filter(|(name, _)| is_scope(name));
    words
        .map(|(name, words)| ScopeText { name, title: sentence(&words), description: String::new(), sensitive: false })
        .collect()
}

/// Documents begin what they describe in small letters or capitals; a list on a page begins in capitals.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect()
}
