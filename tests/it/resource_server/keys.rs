//! The issuer's keys: fetched rarely, kept while the issuer is away, and not for ever.

use std::time::{Duration, Instant};

use latchway::support::Clock;
use latchway_resource_server::ResourceServer;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::issuer::{Issuer, JWKS, Says};
use super::{assert_invalid, assert_unavailable, tests};
use crate::harness::*;

/// A server whose clock the test moves.
fn ready(issuer: &Issuer) -> (ResourceServer, Clock) {
    let clock = Clock::system();
    (issuer.api().clock(clock.clone()).build().expect("a server"), clock)
}

/// A token that is valid at whatever time the test has come to.
fn token_at(issuer: &Issuer, key: &EsKey, clock: &Clock) -> String {
    let mut claims = issuer.claims();
    claims["iat"] = json!(clock.now());
    claims["exp"] = json!(clock.now() + 900);
    key.sign_with(&json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid}), &claims)
}

fn fetched(issuer: &Issuer) -> usize {
    issuer.asked(JWKS).len()
}

async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(10), "still not: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn a_thousand_tokens_one_fetch() {
    let issuer = Issuer::new();
    issuer.is_slow(Duration::from_millis(100));
    let server = issuer.api().build().expect("a server");
    let mut running = JoinSet::new();
    for _ in 0..200 {
        let (server, token) = (server.clone(), issuer.token());
        running.spawn(async move { server.verify(&token).await.is_ok() });
    }
    assert!(running.join_all().await.into_iter().all(|ok| ok));
    for _ in 0..800 {
        assert!(server.verify(&issuer.token()).await.is_ok());
    }
    assert_eq!(fetched(&issuer), 1);
}

/// Who sends random key ids makes the API ask the issuer no more than six times a minute.
async fn an_unknown_kid_storm_is_bounded() {
    let issuer = Issuer::new();
    let (server, clock) = ready(&issuer);
    let evil = EsKey::new();
    assert!(server.verify(&issuer.token()).await.is_ok());
    for _ in 0..60 {
        for _ in 0..20 {
            let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": random(8)});
            assert_invalid(&server, &evil.sign_with(&header, &issuer.claims())).await;
        }
        assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok(), "others get in");
        clock.advance(1);
    }
    let fetched = fetched(&issuer) - 1;
    assert!((5..=6).contains(&fetched), "{fetched} fetches in a minute for 1,200 unknown keys");
}

/// A key that signs without having been published before is found at once.
async fn a_new_key_is_found_at_once() {
    let issuer = Issuer::new();
    let (server, clock) = ready(&issuer);
    assert!(server.verify(&issuer.token()).await.is_ok());
    let new = EsKey::new();
    issuer.says(JWKS, Says::json(&json!({"keys": [issuer.key.jwk(), new.jwk()]})));
    assert!(server.verify(&token_at(&issuer, &new, &clock)).await.is_ok());
    assert!(server.verify(&issuer.token()).await.is_ok(), "and the old one still verifies");
    assert_eq!(fetched(&issuer), 2);
}

async fn keys_are_renewed_behind_the_requests() {
    let issuer = Issuer::new();
    issuer.says(JWKS, Says::json(&issuer.key.jwks()).with("Cache-Control: public, max-age=60"));
    let (server, clock) = ready(&issuer);
    assert!(server.verify(&issuer.token()).await.is_ok());
    clock.advance(59);
    assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok());
    assert_eq!(fetched(&issuer), 1, "as long as the issuer says");
    clock.advance(2);
    issuer.is_slow(Duration::from_millis(500));
    let begin = Instant::now();
    assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok());
    assert!(begin.elapsed() < Duration::from_millis(400), "nobody waits: {:?}", begin.elapsed());
    wait_until("the keys are fetched again", || fetched(&issuer) == 2).await;
}

/// A key that the issuer gave up is not believed longer than twice the time for which the keys may be kept.
async fn a_key_that_is_gone_is_gone() {
    let issuer = Issuer::new();
    issuer.says(JWKS, Says::json(&issuer.key.jwks()).with("Cache-Control: max-age=60"));
    let (server, clock) = ready(&issuer);
    assert!(server.verify(&issuer.token()).await.is_ok());
    let new = EsKey::new();
    issuer.says(JWKS, Says::json(&new.jwks()).with("Cache-Control: max-age=60"));
    clock.advance(121);
    assert_invalid(&server, &token_at(&issuer, &issuer.key, &clock)).await;
    assert!(server.verify(&token_at(&issuer, &new, &clock)).await.is_ok());
}

async fn old_keys_serve_while_the_issuer_is_away_but_not_for_ever() {
    let issuer = Issuer::new();
    let (server, clock) = ready(&issuer);
    assert!(server.verify(&issuer.token()).await.is_ok());
    issuer.goes_away();
    for _ in 0..23 {
        clock.advance(3600);
        assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok());
        // What nobody can know is 503, and no 401 that would make a client throw its token away.
        assert_unavailable(&server, &token_at(&issuer, &EsKey::new(), &clock)).await;
    }
    clock.advance(3601);
    assert_unavailable(&server, &token_at(&issuer, &issuer.key, &clock)).await;
    issuer.comes_back();
    clock.advance(6);
    assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok());
}

/// An issuer that does not answer holds up nobody whose key is known.
async fn a_hanging_issuer_delays_nobody() {
    let issuer = Issuer::new();
    let (server, clock) = ready(&issuer);
    assert!(server.verify(&issuer.token()).await.is_ok());
    issuer.goes_away();
    clock.advance(301);
    assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok());
    wait_until("a fetch has failed", || fetched(&issuer) == 2).await;
    sleep(Duration::from_millis(100)).await;
    issuer.is_slow(Duration::from_secs(3));
    let begin = Instant::now();
    for _ in 0..10 {
        clock.advance(3600);
        assert!(server.verify(&token_at(&issuer, &issuer.key, &clock)).await.is_ok());
    }
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

/// Without keys nobody gets in, and a hundred requests do not make a hundred attempts.
async fn without_keys_nobody_gets_in() {
    let issuer = Issuer::new();
    issuer.goes_away();
    let (server, clock) = ready(&issuer);
    for _ in 0..100 {
        assert_unavailable(&server, &issuer.token()).await;
    }
    assert!(server.ready().await.is_err());
    issuer.comes_back();
    clock.advance(6);
    assert!(server.verify(&issuer.token()).await.is_ok());
    assert!(server.ready().await.is_ok());
}

/// Answers that must not be believed leave the API without keys.
async fn strange_answers_are_no_keys() {
    let evil = Issuer::new();
    let metadata = |issuer: &str, jwks: &str| Says::json(&json!({"issuer": issuer, "jwks_uri": jwks}));
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(300_000));
    for strange in [
        Says::status(302).with(&format!("Location: {}{JWKS}", evil.url)),
        Says::status(500),
        Says::status(204),
        Says { status: 200, headers: String::new(), body: long },
        Says { status: 200, headers: String::new(), body: "<html>".to_owned() },
        Says { status: 200, headers: String::new(), body: r#"{"keys":[],"keys":[]}"#.to_owned() },
    ] {
        let issuer = Issuer::new();
        let body = strange.body.chars().take(30).collect::<String>();
        issuer.says(JWKS, strange);
        let server = issuer.api().build().expect("a server");
        assert!(server.ready().await.is_err(), "{body}");
        assert_unavailable(&server, &issuer.token()).await;
    }
    let issuer = Issuer::new();
    for strange in [
        metadata(&evil.url, &format!("{}{JWKS}", issuer.url)),
        metadata(&format!("{}/", issuer.url), &format!("{}{JWKS}", issuer.url)),
        metadata(&issuer.url, "http://keys.example/jwks"),
        metadata(&issuer.url, "file:///etc/passwd"),
        Says::json(&json!({"issuer": issuer.url})),
        Says::status(301).with(&format!("Location: {}/", evil.url)),
    ] {
        issuer.says_metadata(strange);
        let server = issuer.api().build().expect("a server");
        assert_unavailable(&server, &issuer.token()).await;
    }
    assert_eq!(evil.asked(JWKS).len(), 0, "no redirect was followed");
}

async fn a_hanging_issuer_is_given_up() {
    let issuer = Issuer::new();
    issuer.is_slow(Duration::from_secs(60));
    let server = issuer.api().jwks_url(format!("{}{JWKS}", issuer.url)).build().expect("a server");
    let begin = Instant::now();
    assert_unavailable(&server, &issuer.token()).await;
    assert!((4..9).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

/// Keys that are meant for something else verify nothing.
async fn keys_for_something_else_are_left_out() {
    let issuer = Issuer::new();
    for (name, value) in [("use", json!("enc")), ("alg", json!("ES384")), ("key_ops", json!(["sign"]))] {
        let mut jwk = issuer.key.jwk();
        jwk[name] = value;
        issuer.says(JWKS, Says::json(&json!({"keys": [jwk, EsKey::new().jwk()]})));
        let server = issuer.api().build().expect("a server");
        assert_invalid(&server, &issuer.token()).await;
    }
}

tests![
    a_thousand_tokens_one_fetch,
    an_unknown_kid_storm_is_bounded,
    a_new_key_is_found_at_once,
    keys_are_renewed_behind_the_requests,
    a_key_that_is_gone_is_gone,
    old_keys_serve_while_the_issuer_is_away_but_not_for_ever,
    a_hanging_issuer_delays_nobody,
    without_keys_nobody_gets_in,
    strange_answers_are_no_keys,
    a_hanging_issuer_is_given_up,
    keys_for_something_else_are_left_out,
];
