//! Asking the issuer about tokens and API keys: when, how often, and what of its answer is believed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::test::TestRequest;
use latchway::support::{ApiKeyText, Clock, Rng};
use latchway_resource_server::{Claims, Introspection, Presented, Refusal, Refused, RequestHead, ResourceServer};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::issuer::{AUDIENCE, INTROSPECT, Issuer, Says};
use super::{assert_invalid, assert_unavailable, tests};
use crate::harness::*;

fn client() -> Introspection {
    Introspection::new("orders api", "s:e+c&r%t")
}

fn asked(issuer: &Issuer) -> usize {
    issuer.asked(INTROSPECT).len()
}

/// What the issuer says of an API key.
fn key_answer() -> Value {
    json!({
        "active": true, "scope": "reports:read", "client_id": "reports", "sub": "reports", "aud": [AUDIENCE],
        "token_type": "api_key", "jti": "key-1",
    })
}

/// Whether it counts, the issuer of the test says.
fn key() -> String {
    ApiKeyText::new(&Clock::system(), &Rng::system()).expose().expose_secret().to_owned()
}

async fn with_key(server: &ResourceServer, key: &str) -> Result<Arc<Claims>, Refused> {
    let request =
        TestRequest::get().insert_header(("X-API-Key", key)).peer_addr("192.0.2.7:9".parse().expect("an address"));
    server.authenticate(&request.to_http_request()).await.map(|claims| claims.expect("credentials"))
}

async fn a_revocation_holds_at_once_without_a_cache() {
    let issuer = Issuer::new();
    let server = issuer.api().introspection(client().cache_for(Duration::ZERO)).build().expect("a server");
    let token = issuer.token();
    // What counts is what the issuer says now: the role of this moment, and not that in the token.
    let mut answer = issuer.claims();
    answer["active"] = json!(true);
    answer["roles"] = json!(["admin"]);
    issuer.says(INTROSPECT, Says::json(&answer));
    assert!(server.verify(&token).await.expect("active").has_role("admin"));
    issuer.says(INTROSPECT, Says::json(&json!({"active": false})));
    assert_invalid(&server, &token).await;
    assert_eq!(asked(&issuer), 2);
    let sent = issuer.asked(INTROSPECT).pop().expect("a question");
    assert!(sent.starts_with(&format!("token={token}")), "{sent}");
    // RFC 6749 §2.3.1: form-urlencoded before base64.
    assert!(sent.ends_with(&basic("orders api", "s:e+c&r%t")), "{sent}");
}

async fn an_answer_is_remembered_for_a_moment() {
    let issuer = Issuer::new();
    let mut answer = issuer.claims();
    answer["active"] = json!(true);
    issuer.says(INTROSPECT, Says::json(&answer));
    let server = issuer.api().introspection(client().cache_for(Duration::from_secs(2))).build().expect("a server");
    let token = issuer.token();
    issuer.is_slow(Duration::from_millis(100));
    let mut running = JoinSet::new();
    for _ in 0..50 {
        let (server, token) = (server.clone(), token.clone());
        running.spawn(async move { server.verify(&token).await.is_ok() });
    }
    assert!(running.join_all().await.into_iter().all(|ok| ok));
    assert_eq!(asked(&issuer), 1, "fifty requests are one question");
    issuer.says(INTROSPECT, Says::json(&json!({"active": false})));
    assert!(server.verify(&token).await.is_ok(), "still remembered");
    sleep(Duration::from_millis(2_300)).await;
    assert_invalid(&server, &token).await;
    assert_invalid(&server, &token).await;
    assert_eq!(asked(&issuer), 2, "no is remembered too");
    sleep(Duration::from_millis(1_300)).await;
    assert_invalid(&server, &token).await;
    assert_eq!(asked(&issuer), 3, "but for a second only");
}

/// A stranger cannot make the API ask: what is not signed by the issuer is refused before.
async fn forgeries_are_not_asked_about() {
    let issuer = Issuer::new();
    let server = issuer.api().introspection(client()).build().expect("a server");
    let evil = EsKey::new();
    let mut expired = issuer.claims();
    expired["exp"] = json!(now() - 60);
    for forged in [
        evil.sign_with(&issuer.header(), &issuer.claims()),
        issuer.key.sign_with(&issuer.header(), &expired),
        "opaque".to_owned(),
        "lw_key_without_being_asked_for".to_owned(),
    ] {
        assert_invalid(&server, &forged).await;
    }
    assert_eq!(asked(&issuer), 0);
}

async fn what_the_issuer_says_must_be_for_this_api() {
    let issuer = Issuer::new();
    let server = issuer.api().introspection(client().cache_for(Duration::ZERO)).build().expect("a server");
    let wrong = [
        ("iss", json!("https://other.example")),
        ("aud", json!(["https://other.example"])),
        ("aud", Value::Null),
        ("exp", json!(now() - 60)),
        ("exp", json!("never")),
        ("nbf", json!(now() + 600)),
        ("sub", json!("eve")),
        ("client_id", json!("other")),
        ("jti", json!("token-2")),
        ("token_type", json!("api_key")),
        ("cnf", json!({"jkt": "x"})),
        ("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})),
    ];
    for (name, value) in wrong {
        let mut answer = issuer.claims();
        answer["active"] = json!(true);
        issuer.says(INTROSPECT, Says::json(&answer));
        assert!(server.verify(&issuer.token()).await.is_ok());
        answer[name] = value;
        issuer.says(INTROSPECT, Says::json(&answer));
        assert_invalid(&server, &issuer.token()).await;
    }
}

/// An issuer that cannot be asked, or that refuses to answer, lets nobody in.
async fn without_an_answer_nobody_gets_in() {
    let issuer = Issuer::new();
    let server = issuer.api().introspection(client()).build().expect("a server");
    for strange in [
        Says::status(401),
        Says::status(500),
        Says::status(302).with("Location: https://evil.example/"),
        Says::status(204),
        Says::json(&json!({})),
        Says::json(&json!({"active": "true"})),
        Says::json(&json!([true])),
        Says { status: 200, headers: String::new(), body: r#"{"active":false,"active":true}"#.to_owned() },
    ] {
        issuer.says(INTROSPECT, strange);
        assert_unavailable(&server, &issuer.token()).await;
    }
    issuer.says(INTROSPECT, Says::status(429).with("Retry-After: 17"));
    let refused = server.verify(&issuer.token()).await.expect_err("refused");
    assert_eq!(refused.refusal, Refusal::Unavailable { retry_after: 17 });
    issuer.goes_away();
    assert_unavailable(&server, &issuer.token()).await;
    issuer.comes_back();
    let mut answer = issuer.claims();
    answer["active"] = json!(true);
    issuer.says(INTROSPECT, Says::json(&answer));
    assert!(server.verify(&issuer.token()).await.is_ok(), "and no failure is remembered");
}

async fn an_api_key_is_asked_about() {
    let issuer = Issuer::new();
    issuer.says(INTROSPECT, Says::json(&key_answer()));
    let server = issuer.api().api_keys(client()).build().expect("a server");
    let key = key();
    let claims = with_key(&server, &key).await.expect("a key");
    assert_eq!((claims.presented, claims.client_id.as_str()), (Presented::ApiKey, "reports"));
    assert!(claims.has_scope("reports:read") && claims.person().is_none() && claims.exp.is_none());
    let sent = issuer.asked(INTROSPECT).pop().expect("a question");
    assert!(sent.contains(&format!("token={key}&address=192.0.2.7")), "says where the program is: {sent}");
    // The same key as Bearer is the same key.
    let request = TestRequest::get().insert_header(("Authorization", format!("Bearer {key}"))).to_http_request();
    assert_eq!(
        server.authenticate(&request).await.expect("a key").map(|claims| claims.presented),
        Some(Presented::ApiKey)
    );
    // Tokens are verified here, and nobody is asked about them.
    let before = asked(&issuer);
    assert!(server.verify(&issuer.token()).await.is_ok());
    assert_eq!(asked(&issuer), before);
    // Something else than a key is not even asked about.
    for no_key in [issuer.token(), "lw_a b".to_owned(), key.replace("lw_", "lw_1"), key[..key.len() - 1].to_owned()] {
        assert!(with_key(&server, &no_key).await.is_err(), "{no_key}");
    }
    assert_eq!(asked(&issuer), before);
}

async fn a_key_that_does_not_count_is_refused() {
    let issuer = Issuer::new();
    let server = issuer.api().api_keys(client().cache_for(Duration::ZERO)).build().expect("a server");
    for (name, value) in [
        ("active", json!(false)),
        ("token_type", json!("Bearer")),
        ("token_type", Value::Null),
        ("aud", json!(["https://other.example"])),
        ("exp", json!(now() - 60)),
        ("iss", json!("https://other.example")),
    ] {
        let mut answer = key_answer();
        answer[name] = value;
        issuer.says(INTROSPECT, Says::json(&answer));
        let refused = with_key(&server, &key()).await.expect_err(name);
        assert!(matches!(refused.refusal, Refusal::InvalidToken(_)), "{name}: {refused:?}");
    }
    issuer.says(INTROSPECT, Says::status(429).with("Retry-After: 30"));
    let refused = with_key(&server, &key()).await.expect_err("its rate limit");
    assert_eq!(refused.refusal, Refusal::TooOften { retry_after: 30 });
}

/// A key may be bound to networks: from elsewhere it is another question.
async fn where_the_program_is_belongs_to_the_question() {
    let issuer = Issuer::new();
    issuer.says(INTROSPECT, Says::json(&key_answer()));
    let behind_a_proxy = |head: &RequestHead<'_>| -> Option<IpAddr> { head.value("x-real-ip")?.parse().ok() };
    let server = issuer.api().api_keys(client()).caller_address(behind_a_proxy).build().expect("a server");
    let key = key();
    for address in ["198.51.100.1", "198.51.100.2", "198.51.100.1"] {
        let request =
            TestRequest::get().insert_header(("X-API-Key", key.as_str())).insert_header(("X-Real-Ip", address));
        assert!(server.authenticate(&request.to_http_request()).await.is_ok());
    }
    assert_eq!(asked(&issuer), 2);
    assert!(issuer.asked(INTROSPECT)[1].contains("address=198.51.100.2"));
}

tests![
    a_revocation_holds_at_once_without_a_cache,
    an_answer_is_remembered_for_a_moment,
    forgeries_are_not_asked_about,
    what_the_issuer_says_must_be_for_this_api,
    without_an_answer_nobody_gets_in,
    an_api_key_is_asked_about,
    a_key_that_does_not_count_is_refused,
    where_the_program_is_belongs_to_the_question,
];
