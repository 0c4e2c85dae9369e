//! Trouble on demand.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const JWKS: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/openid-configuration";

async fn set(mock: &Mock, rules: Value) {
    let answer = mock.send("PUT", "/mock/rules", &rules).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn token(mock: &Mock, form: &[(&str, &str)]) -> Answer {
    Answer::of(mock.request("POST", "/oauth2/token").basic_auth("ci", Some("secret")).form(form)).await
}

/// Fails if an error looks otherwise than the endpoint's own, or goes anywhere but to this machine.
async fn oauth_errors_are_the_endpoint_s_own() {
    let mock = Mock::start(CI);
    set(&mock, json!([{"match": {"path": "/oauth2/*"}, "then": {"oauth_error": {"error": "access_denied", "description": "Not today"}}}])).await;
    let answer = token(&mock, &[("grant_type", "client_credentials")]).await;
    assert_eq!(
        (answer.status, answer.text("error"), answer.text("error_description")),
        (400, "access_denied".into(), "Not today".into())
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let ask = |uri: &str| mock.request("GET", "/oauth2/authorize").query(&[("redirect_uri", uri), ("state", "s1")]);
    let back = Answer::of(ask("http://127.0.0.1:9/cb")).await.redirect();
    assert_eq!(
        (back.param("error"), back.param("state"), back.param("iss")),
        (Some("access_denied"), Some("s1"), Some(mock.base.as_str()))
    );
    let elsewhere = Answer::of(ask("https://app.example/cb")).await;
    assert_eq!((elsewhere.status, elsewhere.location()), (400, None), "{elsewhere:?}");
    set(&mock, json!([{"then": {"oauth_error": {"error": "invalid_client"}}}])).await;
    let answer = token(&mock, &[]).await;
    assert!(answer.status == 401 && answer.header_or_empty("www-authenticate").starts_with("Basic"), "{answer:?}");
}

/// Fails if one of the short names means other requests than it says, or lasts longer than it was told.
async fn short_names_mean_their_requests() {
    let mock = Mock::start(CI);
    set(
        &mock,
        json!([
            {"times": 1, "then": "jwks_outage"}, {"times": 1, "then": "refresh_token_expired"},
            {"times": 1, "then": "device_pending"}, {"times": 1, "then": "device_slow_down"},
        ]),
    )
    .await;
    assert_eq!(mock.get(METADATA).await.status, 200);
    assert_eq!((mock.get(JWKS).await.status, mock.get(JWKS).await.status), (503, 200));
    let error = async |form: &[(&str, &str)]| token(&mock, form).await.text("error_description");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    assert_eq!(error(&refresh).await, "the refresh token has expired");
    assert_ne!(error(&refresh).await, "the refresh token has expired", "once");
    let device = [("grant_type", DEVICE), ("device_code", "x")];
    for expected in ["authorization_pending", "slow_down"] {
        let answer = token(&mock, &device).await;
        assert_eq!((answer.status, answer.text("error")), (400, expected.to_owned()), "{answer:?}");
    }
    assert_eq!(token(&mock, &[("grant_type", "client_credentials")]).await.status, 200);
    let listed = mock.get("/mock/rules").await.json();
    assert!(listed["rules"].as_array().expect("rules").iter().all(|rule| rule["used"] == 1), "{listed}");
}

/// Fails if a status, its headers or its body come out changed, or a 429 lacks what clients wait by.
async fn answers_and_limits() {
    let mock = Mock::start("");
    set(
        &mock,
        json!([
            {"match": {"path": "/a"}, "then": {"status": 418, "headers": {"x-tea": "green"}, "body": {"pot": 1}}},
            {"match": {"path": "/b", "place": "api"}, "then": {"rate_limited": {"retry_after": 7}}},
        ]),
    )
    .await;
    let tea = mock.get("/a").await;
    assert_eq!((tea.status, tea.header("x-tea"), tea.json()), (418, Some("green"), json!({"pot": 1})));
    assert_eq!(tea.header("content-type"), Some("application/json"));
    let limited = mock.get("/b").await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")));
    assert_eq!(limited.header("ratelimit"), Some("\"mock\";r=0;t=7"));
    assert_eq!(limited.header("ratelimit-policy"), Some("\"mock\";q=1;w=7"));
    let shared = Answer::of(mock.request("GET", "/b").header("Origin", "http://localhost:3000")).await;
    assert_eq!(shared.header("access-control-allow-origin"), Some("http://localhost:3000"), "a page can read its 429");
}

/// Fails if a dropped connection carries an answer, or a broken body arrives whole.
async fn connections_break() {
    let mock = Mock::start("");
    set(
        &mock,
        json!([{"match": {"path": JWKS}, "then": "drop"}, {"match": {"path": METADATA}, "then": {"drop": "mid_body"}}]),
    )
    .await;
    let error = mock.request("GET", JWKS).send().await.expect_err("no answer");
    assert!(!error.is_timeout(), "{error:?}");
    let answer = mock.request("GET", METADATA).send().await.expect("a head");
    assert_eq!(answer.status(), 200);
    let announced = answer.content_length().expect("a length");
    assert!(announced > 100, "{announced}");
    answer.bytes().await.expect_err("half a body");
    let journal = mock.get("/mock/journal?status=dropped").await.json();
    assert_eq!((journal["count"].as_u64(), journal["entries"][0]["path"].as_str()), (Some(1), Some(JWKS)), "{journal}");
}

/// Fails if nothing is slower than it was, or slow bodies come incomplete.
async fn things_take_time() {
    let mock = Mock::start("");
    set(
        &mock,
        json!([
            {"match": {"path": JWKS}, "then": {"delay": {"ms": 300}}},
            {"match": {"path": METADATA}, "then": {"slow_body": {"bytes_per_second": 2000}}},
            {"match": {"path": "/late"}, "then": {"status": 503, "delay": {"median_ms": 300, "sigma": 0.0}}},
        ]),
    )
    .await;
    let timed = async |path: &str| {
        let began = Instant::now();
        let answer = mock.get(path).await;
        (answer, began.elapsed())
    };
    let (answer, elapsed) = timed(JWKS).await;
    assert!(answer.status == 200 && elapsed >= Duration::from_millis(300), "{elapsed:?}");
    let (answer, elapsed) = timed("/late").await;
    assert!(answer.status == 503 && elapsed >= Duration::from_millis(300), "{elapsed:?}");
    let (answer, elapsed) = timed(METADATA).await;
    let expected = Duration::from_millis(answer.body.len() as u64 * 1000 / 2000 * 8 / 10);
    assert!(answer.json()["issuer"] == mock.base && elapsed >= expected, "{} bytes in {elapsed:?}", answer.body.len());
}

/// Fails if a rotation changes no key, takes the old one away from what it signed, or hides that a key is a mock's.
async fn keys_are_rotated_now() {
    let mock = Mock::start(CI);
    let kids = async || -> Vec<String> {
        let keys = mock.get(JWKS).await.json()["keys"].as_array().expect("keys").clone();
        keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
    };
    let before = kids().await;
    let old = ci_token(&mock).await;
    set(&mock, json!([{"times": 1, "match": {"path": JWKS}, "then": "rotate_keys"}])).await;
    let after = kids().await;
    assert!(before.iter().all(|kid| after.contains(kid)) && after.len() > before.len(), "{before:?} {after:?}");
    assert!(after.iter().all(|kid| kid.starts_with("mock-")), "{after:?}");
    let kid = header_of(&ci_token(&mock).await)["kid"].as_str().expect("a kid").to_owned();
    assert!(after.contains(&kid) && !before.contains(&kid), "{kid}: {before:?} {after:?}");
    assert!(is_active(&mock, &old).await);
}

/// Fails if a profile that comes with Latchway does not do what it says, or cannot be switched on and off.
async fn profiles_are_switched_on_and_off() {
    let mock = Mock::start("[profiles.teapot]\nabout = \"tea\"\n[[profiles.teapot.rules]]\nthen = { status = 418 }\n");
    let on = async |name: &str| mock.send("PUT", "/mock/profile", &json!({"name": name})).await;
    assert_eq!(on("auth-down").await.json()["active"], "auth-down");
    assert_eq!((mock.get(METADATA).await.status, mock.get("/orders").await.status), (503, 404));
    assert_eq!(on("teapot").await.status, 200);
    assert_eq!(mock.get("/orders").await.status, 418);
    set(&mock, json!([{"match": {"path": "/orders"}, "then": "pass"}])).await;
    assert_eq!(
        (mock.get("/orders").await.status, mock.get("/x").await.status),
        (404, 418),
        "a rule comes before a profile"
    );
    set(&mock, json!([])).await;
    assert_eq!(on("slow-3g").await.status, 200);
    let began = Instant::now();
    let css = mock.get("/static/app.css").await;
    let least = Duration::from_millis(100 + css.body.len() as u64 * 1000 / 51_200 * 8 / 10);
    assert!(css.status == 200 && began.elapsed() >= least, "{:?} of {least:?}", began.elapsed());
    assert_eq!(mock.send("DELETE", "/mock/profile", &json!(null)).await.status, 204);
    assert_eq!(mock.get("/orders").await.status, 404);
    let unknown = on("slow3g").await;
    assert!(unknown.status == 404 && unknown.text("detail").contains("slow-3g"), "{unknown:?}");
}

/// Fails if a seed makes other trouble the second time, or `flaky` is far from 5 and 5 of 100.
async fn flaky_is_the_same_for_a_seed() {
    let walk = async |seed: &str| {
        let mock = Mock::with("", &[], &["--profile", "flaky", "--seed", seed]);
        let mut outcomes = Vec::new();
        for _ in 0..300 {
            outcomes.push(mock.request("GET", "/x").send().await.map_or(0, |answer| answer.status().as_u16()));
        }
        outcomes
    };
    let (one, again, other) = (walk("3").await, walk("3").await, walk("4").await);
    assert_eq!(one, again);
    assert_ne!(one, other);
    for outcome in [0, 503] {
        let count = one.iter().filter(|found| **found == outcome).count();
        assert!((5..=30).contains(&count), "{outcome}: {count} of 300");
    }
}

/// Fails if a rule that cannot be used is taken, or refused without its member's name.
async fn rules_are_read_strictly() {
    let mock = Mock::start("");
    for (body, says) in [
        (json!([{"then": "dorp"}]), "did you mean drop"),
        (json!([{"mach": {}, "then": "drop"}]), "did you mean match"),
        (json!([{"then": {"status": 99}}]), "rules[0].then.status"),
        (json!({"then": "drop"}), "expected a sequence"),
    ] {
        let answer = mock.send("PUT", "/mock/rules", &body).await;
        assert!(answer.status == 400 && answer.text("detail").contains(says), "{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let one = mock
        .send("POST", "/mock/rules", &json!({"id": "mine", "match": {"path": "/x"}, "then": {"status": 503}}))
        .await;
    assert_eq!((one.status, one.text("id")), (201, "mine".to_owned()));
    assert_eq!(mock.get("/x").await.status, 503);
    assert_eq!(mock.send("DELETE", "/mock/rules/mine", &json!(null)).await.status, 204);
    assert_eq!(mock.send("DELETE", "/mock/rules/mine", &json!(null)).await.status, 404);
    assert_eq!(mock.get("/x").await.status, 404);
    for (config, says) in [
        ("[[rules]]\nthen = { status = 99 }", "rules[0].then.status"),
        ("profile = \"flakey\"", "did you mean flaky"),
        ("[[rules]]\nthan = \"drop\"", "did you mean `then`"),
        ("[profiles.a]\nrules = [{ then = {} }]", "profiles.a.rules[0].then"),
    ] {
        let log = Mock::try_start(config, &[], &[], &[]).err().unwrap_or_else(|| panic!("{config} started"));
        assert!(log.contains(says), "{config}: {log}");
    }
}

once![
    oauth_errors_are_the_endpoint_s_own,
    short_names_mean_their_requests,
    answers_and_limits,
    connections_break,
    things_take_time,
    keys_are_rotated_now,
    profiles_are_switched_on_and_off,
    flaky_is_the_same_for_a_seed,
    rules_are_read_strictly,
];
