//! Tests of the choice among rules.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::mock::rules::sample::sample;

fn rules(json: serde_json::Value) -> Rules {
    let settings: Vec<RuleSettings> = serde_json::from_value(json).expect("rules");
    Rules::new(&settings, &BTreeMap::new(), 1).expect("good rules")
}

fn then(rules: &Rules, seen: &Seen) -> Option<Then> {
    rules.take(seen).effect.map(|effect| effect.then)
}

#[test]
fn a_rule_begins_after_some_and_ends_after_some() {
    let rules = rules(json!([{"match": {"path": "/orders"}, "after": 1, "times": 2, "then": "drop"}]));
    let seen = sample("GET", "/orders", "");
    let outcomes: Vec<_> = (0..5).map(|_| then(&rules, &seen).is_some()).collect();
    assert_eq!(outcomes, [false, true, true, false, false]);
    let (listed, _) = rules.list();
    assert_eq!((listed[0].used, listed[0].matched), (2, 5));
    assert_eq!(rules.take(&seen).near[0].why, "it was for 2 and is used up");
}

#[test]
fn delays_add_and_the_first_answer_decides() {
    let rules = rules(json!([
        {"id": "slow", "then": {"delay": {"ms": 7}}},
        {"id": "slower", "then": {"delay": {"ms": 9}, "slow_body": {"bytes_per_second": 5}}},
        {"id": "down", "match": {"path": "/a"}, "then": {"status": 503}},
        {"id": "never", "then": "drop"},
    ]));
    let taken = rules.take(&sample("GET", "/a", ""));
    assert_eq!(taken.matched, ["slow", "slower", "down"]);
    let effect = taken.effect.expect("an effect");
    assert_eq!((effect.delay, effect.slow_body), (Some(Duration::from_millis(7)), Some(5)));
    assert!(matches!(effect.then, Then::Status { status, .. } if status == 503));
    assert_eq!(then(&rules, &sample("GET", "/b", "")), Some(Then::Drop));
}

#[test]
fn a_name_means_its_requests() {
    let rules = rules(json!([{"then": "jwks_outage"}, {"then": "refresh_token_expired"}, {"then": "device_pending"}]));
    assert!(then(&rules, &sample("GET", "/.well-known/jwks.json", "")).is_some());
    assert_eq!(then(&rules, &sample("GET", "/.well-known/openid-configuration", "")), None);
    let error = |grant: &str| match then(&rules, &sample("POST", "/oauth2/token", &format!("grant_type={grant}"))) {
        Some(Then::OauthError { error, .. }) => error,
        _ => "none".to_owned(),
    };
    assert_eq!(error("refresh_token"), "invalid_grant");
    assert_eq!(error("urn:ietf:params:oauth:grant-type:device_code"), "authorization_pending");
    assert_eq!(error("authorization_code"), "none");
}

#[test]
fn chance_is_the_seed_s() {
    let outcomes = |seed| {
        let settings = serde_json::from_value(json!({"match": {"probability": 0.3}, "then": "drop"})).expect("a rule");
        let rules = Rules::new(&[settings], &BTreeMap::new(), seed).expect("good");
        (0..200).map(|_| then(&rules, &sample("GET", "/a", "")).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(1), outcomes(1));
    assert_ne!(outcomes(1), outcomes(2));
    let hits = outcomes(1).into_iter().filter(|hit| *hit).count();
    assert!((40..80).contains(&hits), "{hits}");
}

#[test]
fn the_control_plane_has_no_trouble() {
    let rules = rules(json!([{"then": "drop"}]));
    let mut seen = sample("GET", "/mock/rules", "");
    seen.place = crate::mock::place::Place::Control;
    assert_eq!(then(&rules, &seen), None);
}

#[test]
fn a_bad_rule_changes_nothing_and_is_named() {
    let rules = rules(json!([{"id": "a", "then": "drop"}]));
    for (bad, says) in [
        (json!([{"then": {}}]), "rules[0].then: it is empty"),
        (json!([{"then": {"status": 503, "drop": true}}]), "rules[0].then: status and drop exclude each other"),
        (json!([{"then": {"status": 99}}]), "rules[0].then.status: 99 is not between 200 and 599"),
        (json!([{"then": {"body": "x"}}]), "rules[0].then: headers and body belong to a status"),
        (json!([{"then": "drop"}, {"match": {"probability": 2}, "then": "drop"}]), "rules[1].match.probability"),
        (json!([{"match": {"path": "x"}, "then": "drop"}]), "rules[0].match.path"),
        (json!([{"then": {"delay": {"ms": 1, "median_ms": 1}}}]), "rules[0].then.delay: give either"),
        (json!([{"then": {"delay": {}}}]), "rules[0].then.delay: give either"),
        (json!([{"then": {"status": 200, "headers": {"a b": "x"}}}]), "rules[0].then.headers.a b"),
        (json!([{"then": {"slow_body": {"bytes_per_second": 0}}}]), "rules[0].then.slow_body.bytes_per_second"),
        (json!([{"then": {"oauth_error": {"error": "a\"b"}}}]), "rules[0].then.oauth_error.error"),
        (json!([{"times": 0, "then": "drop"}]), "rules[0].times"),
        (json!([{"id": "a/b", "then": "drop"}]), "rules[0].id"),
        (json!([{"id": "x", "then": "drop"}, {"id": "x", "then": "drop"}]), "rules[1].id"),
    ] {
        let settings: Vec<RuleSettings> = serde_json::from_value(bad.clone()).expect("the right shape");
        let error = rules.replace(&settings).expect_err("a bad rule").to_string();
        assert!(error.starts_with(says), "{bad}: {error}");
    }
    assert_eq!(rules.list().0.len(), 1);
}

#[test]
fn profiles_are_switched_and_own_ones_come_first() {
    let rules = rules(json!([{"id": "mine", "match": {"path": "/a"}, "then": {"status": 418}}]));
    rules.switch_on("auth-down").expect("a profile");
    assert_eq!(rules.take(&sample("GET", "/a", "")).matched, ["mine"]);
    assert_eq!(rules.take(&sample("GET", "/b", "")).matched, ["auth-down"]);
    rules.switch_off();
    assert_eq!(rules.take(&sample("GET", "/b", "")).effect, None);
    let error = rules.switch_on("slow3g").expect_err("no profile").to_string();
    assert_eq!(error, "there is no profile slow3g; did you mean slow-3g?");
}

#[test]
fn a_snapshot_has_the_rules_and_their_counts() {
    let rules = rules(json!([{"times": 1, "then": "drop"}]));
    let seen = sample("GET", "/a", "");
    let before = rules.snapshot();
    assert!(then(&rules, &seen).is_some());
    assert!(then(&rules, &seen).is_none());
    rules.clear();
    rules.restore(before);
    assert!(then(&rules, &seen).is_some());
}
