//! The profiles that come with Latchway. One of mock.toml with the same name takes its place.

use std::collections::BTreeMap;

use super::settings::ProfileSettings;

/// Name and rules in JSON.
pub const BUILT_IN: &[(&str, &str)] = &[
    (
        "auth-down",
        r#"{"about": "the authorization server answers 503", "rules": [{"id": "auth-down", "match": {"place": "issuer"},
            "then": {"status": 503, "headers": {"retry-after": "2"}, "body": {"error": "temporarily_unavailable",
            "error_description": "the profile auth-down is on"}}}]}"#,
    ),
    (
        "flaky",
        r#"{"about": "of 100 requests 5 get a 503, and 5 no answer", "rules": [
            {"id": "flaky-503", "match": {"probability": 0.05}, "then": {"status": 503, "headers": {"retry-after": "1"},
             "body": {"error": "temporarily_unavailable", "error_description": "the profile flaky is on"}}},
            {"id": "flaky-drop", "match": {"probability": 0.0526}, "then": "drop"}]}"#,
    ),
    (
        "slow-3g",
        r#"{"about": "400 ms until an answer begins, then 50 KiB a second", "rules": [
            {"id": "slow-3g", "then": {"delay": {"median_ms": 400, "sigma": 0.3}, "slow_body": {"bytes_per_second": 51200}}}]}"#,
    ),
];

/// Those, and above them the ones of mock.toml.
pub(super) fn with(own: &BTreeMap<String, ProfileSettings>) -> BTreeMap<String, ProfileSettings> {
    let built_in =
        BUILT_IN.iter().filter_map(|(name, json)| Some((name.to_string(), serde_json::from_str(json).ok()?)));
    built_in.chain(own.iter().map(|(name, profile)| (name.clone(), profile.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::rules::Rules;

    #[test]
    fn they_are_rules() {
        let all = with(&BTreeMap::new());
        assert_eq!(all.len(), BUILT_IN.len());
        let rules = Rules::new(&[], &BTreeMap::new(), 1).expect("no rules are fine");
        for name in all.keys() {
            rules.switch_on(name).expect("a profile");
        }
    }
}
