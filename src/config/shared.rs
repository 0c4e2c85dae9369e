//! The settings that all nodes of one database should share: what a client or a person sees must not depend on which node
//! answers.

use std::collections::BTreeMap;

use super::Config;

/// Whole sections.
const SECTIONS: &[&str] =
    &["tokens", "sessions", "device", "api_keys", "limits", "anomalies", "gatekeeper", "cleanup", "audit"];
/// Single keys of others.
const KEYS: &[(&str, &str)] = &[
    ("server", "issuer"),
    ("server", "name"),
    ("keys", "access_token_alg"),
    ("keys", "id_token_alg"),
    ("keys", "prepublish_seconds"),
    ("passwords", "min_length"),
];

/// Each of those by its name, as text. A serialized configuration has no secrets.
pub fn shared(config: &Config) -> BTreeMap<String, String> {
    let Ok(serde_json::Value::Object(sections)) = serde_json::to_value(config) else { return BTreeMap::new() };
    let mut shared = BTreeMap::new();
    for (section, keys) in &sections {
        for (name, value) in keys.as_object().into_iter().flatten() {
            if SECTIONS.contains(&section.as_str()) || KEYS.contains(&(section.as_str(), name.as_str())) {
                shared.insert(format!("[{section}] {name}"), value.to_string());
            }
        }
    }
    shared
}
