//! What strangers can write into the audit trail, and what follows from it: findings P10 and P14.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use crate::harness::*;

const PROXY: (&str, &str) = ("server.trusted_proxies", "127.0.0.0/8");
const STRANGER: &str = "198.51.100.7";

fn detail(event: &Value) -> Value {
    serde_json::from_str(event["detail"].as_str().expect("a detail")).expect("JSON")
}

/// Refusals that cost nothing are recorded as they are for a while and then counted, each kind by itself; what was paid for
/// is recorded in any case.
async fn p10_refusals_that_cost_nothing(db: Db) {
    let config = [PROXY, ("limits.audited_refusals_per_address", "4/10m"), ("limits.login_failures_per_account", "20")];
    let server = Server::start(db, &config);
    let (public, shop) = (Client::public(&server), Client::confidential(&server));
    let (app, alice) = (FirstParty::native(&server), User::new(&server));
    let from = |method: Method, path: &str, address: &str| {
        http().request(method, server.url(path)).header("X-Forwarded-For", address)
    };
    let authorize = |query: &str| from(Method::GET, &format!("/oauth2/authorize?{query}"), STRANGER);
    let wrong_uri = format!("response_type=code&client_id={}&redirect_uri=https://evil.example/", shop.id);
    let no_challenge = format!("response_type=code&client_id={}&redirect_uri={}", shop.id, shop.redirect);
    let garbage = [("grant_type", "authorization_code"), ("code", "x"), ("client_id", public.id.as_str())];
    const EACH: usize = 30;
    for n in 0..EACH {
        let requests = [
            authorize("response_type=code&client_id=nobody"),
            authorize(&wrong_uri),
            authorize(&no_challenge),
            from(Method::POST, "/oauth2/token", STRANGER).form(&garbage),
            from(Method::POST, "/oauth2/token", STRANGER)
                .basic_auth(format!("made-up-{n}"), Some("x"))
                .form(&garbage[..1]),
            from(Method::POST, "/login", STRANGER).header("Cookie", "latchway_browser=x").form(&[("csrf", "x")]),
            from(Method::POST, "/api/v1/login", STRANGER)
                .header("Origin", "https://evil.example")
                .json(&app.credentials(&alice.username, "x")),
        ];
        for request in requests {
            let answer = Answer::of(request).await;
            assert!(answer.status >= 300 && answer.status < 500, "{answer:?}");
        }
    }
    // Another network has its own share, an authenticated client needs none, and logins are counted elsewhere.
    let elsewhere = from(Method::GET, "/oauth2/authorize?response_type=code&client_id=nobody", "192.0.2.1");
    assert_eq!(Answer::of(elsewhere).await.status, 400);
    for _ in 0..8 {
        assert_ig(
            &shop.token(&[("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", &shop.redirect)]).await,
        );
        assert_ig(&app.try_login(&alice.username, "wrong").await);
    }
    let recorded = |condition: &str| audit(&server, &format!("outcome = 'failure' AND {condition}"));
    assert_eq!(recorded("kind = 'login_failed'").len(), 8, "none is lost");
    assert_eq!(recorded(&format!("kind = 'token_refused' AND client_id = '{}'", shop.id)).len(), 8);
    let stranger = format!("address = '{STRANGER}'");
    let before = recorded(&stranger);
    assert!(before.len() <= 8 * 4, "{} rows", before.len());
    assert_eq!(recorded("address = '192.0.2.1'").len(), 1);
    // At the end of the window, and of the process, one row says how many there were.
    assert!(server.stop());
    let told = recorded("reason = 'repeated'");
    let mut kinds: Vec<&str> = told.iter().filter_map(|event| event["kind"].as_str()).collect();
    kinds.sort_unstable();
    for kind in
        ["authz_unknown_client", "client_auth_failed", "csrf_rejected", "redirect_uri_mismatch", "token_refused"]
    {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    for event in &told {
        let kind = event["kind"].as_str().expect("a kind");
        let one_by_one = before.iter().filter(|event| event["kind"] == kind).count();
        let counted = usize::try_from(detail(event)["count"].as_i64().expect("a count")).expect("a number");
        assert_eq!((counted + one_by_one) % EACH, 0, "{kind}: {one_by_one} and {counted}");
        assert_eq!(event["address"], STRANGER, "{event}");
    }
    assert!(recorded(&stranger).len() < 60, "{}", recorded(&stranger).len());
}

/// What a stranger does in a client's name is no reason to restrain the client; what the client itself does is.
async fn p14_strangers_restrain_no_client(db: Db) {
    let config = [
        ("anomalies.error_rate_errors", "6"),
        ("anomalies.error_rate_percent", "1"),
        ("anomalies.error_rate_reactions", "slow_down"),
        ("limits.slowed", "1/1m burst 1"),
    ];
    let server = Server::start(db, &config);
    let (shop, loud, public) = (Client::confidential(&server), Client::confidential(&server), Client::public(&server));
    let authorize = async |query: &str| {
        Answer::of(http().get(server.url(&format!("/oauth2/authorize?response_type=code&{query}")))).await
    };
    for n in 0..20 {
        authorize(&format!("client_id={}&redirect_uri=https://evil.example/{n}", shop.id)).await;
        authorize(&format!("client_id={}&redirect_uri={}", shop.id, shop.redirect)).await;
        let form = [("grant_type", "authorization_code"), ("code", "x"), ("client_id", public.id.as_str())];
        assert_ig(&Answer::of(http().post(server.url("/oauth2/token")).form(&form)).await);
    }
    for _ in 0..20 {
        loud.token(&[("grant_type", "authorization_code"), ("code", "x"), ("redirect_uri", &loud.redirect)]).await;
    }
    // Events are read in their order: when the last client is noticed, the others would have been.
    let begin = Instant::now();
    while audit(&server, "kind = 'anomaly_error_rate'").is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing is noticed: {}", server.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let noticed: Vec<Value> = audit(&server, "kind = 'anomaly_error_rate'").iter().map(detail).collect();
    assert!(noticed.iter().all(|detail| detail["subject"] == loud.id.as_str()), "{noticed:?}");
    let restrained = server.cli(&["restraint", "list"]).to_string();
    assert!(!restrained.contains(&shop.id) && !restrained.contains(&public.id), "{restrained}");
    for _ in 0..5 {
        assert_tokens(&shop.token(&[("grant_type", "client_credentials")]).await);
    }
}

both![p10_refusals_that_cost_nothing, p14_strangers_restrain_no_client];
