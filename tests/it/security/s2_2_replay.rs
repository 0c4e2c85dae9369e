//! 2.2 An assertion is used once: at whichever moment, endpoint and node.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::*;

const ENDPOINTS: [&str; 3] = ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];

fn client_with_key(server: &Server) -> Client {
    Spec::confidential().auth(Auth::PrivateKeyJwt).create(server)
}

async fn present(server: &Server, path: &str, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("token", "x"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    Answer::of(http().post(server.url(path)).form(&form)).await
}

async fn b_032_at_two_endpoints(server: Shared) {
    let client = client_with_key(server);
    for first in ENDPOINTS {
        let assertion = client.assertion(&client.assertion_claims());
        assert_eq!(present(server, first, &assertion).await.status, 200);
        for second in ENDPOINTS {
            assert_ic(&present(server, second, &assertion).await);
        }
    }
}

async fn b_032_a_second_later(server: Shared) {
    let client = client_with_key(server);
    let claims = client.assertion_claims();
    let assertion = client.assertion(&claims);
    assert_tokens(&present(server, "/oauth2/token", &assertion).await);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_ic(&present(server, "/oauth2/token", &assertion).await);
    // The same jti in an assertion signed anew, with other times.
    let mut again = client.assertion_claims();
    again["jti"] = claims["jti"].clone();
    again["exp"] = json!(now() + 300);
    assert_ic(&present(server, "/oauth2/token", &client.assertion(&again)).await);
    // Another client's jti is its own.
    let other = client_with_key(server);
    let mut same = other.assertion_claims();
    same["jti"] = claims["jti"].clone();
    assert_tokens(&present(server, "/oauth2/token", &other.assertion(&same)).await);
}

/// A refused assertion was not used: whoever sees one fail cannot burn a `jti` that the client is yet to use.
async fn b_032_a_forged_one_burns_nothing(server: Shared) {
    let client = client_with_key(server);
    let claims = client.assertion_claims();
    assert_ic(&present(server, "/oauth2/token", &EsKey::new().sign(&claims)).await);
    assert_tokens(&present(server, "/oauth2/token", &client.assertion(&claims)).await);
}

async fn b_032_many_at_once(server: Shared) {
    let client = client_with_key(server);
    for _ in 0..4 {
        let assertion = client.assertion(&client.assertion_claims());
        let mut calls = JoinSet::new();
        for n in 0..24 {
            let assertion = assertion.clone();
            calls.spawn(async move { present(server, ENDPOINTS[n % ENDPOINTS.len()], &assertion).await });
        }
        let answers = calls.join_all().await;
        let (taken, rest): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(taken.len(), 1, "one is taken: {taken:?}");
        rest.iter().for_each(assert_ic);
    }
}

/// Used on one node, or before a restart, is used.
async fn b_032_on_two_nodes_and_over_a_restart(db: Db) {
    let server = Server::start(db, &[]);
    let client = client_with_key(&server);
    let before = client.assertion(&client.assertion_claims());
    assert_tokens(&present(&server, "/oauth2/token", &before).await);
    // SQLite has one node.
    if db == Db::Postgres {
        let node = server.another_node();
        assert_ic(&present(&node, "/oauth2/token", &before).await);
        for _ in 0..20 {
            let assertion = client.assertion(&client.assertion_claims());
            let (here, there) = tokio::join!(
                present(&server, "/oauth2/token", &assertion),
                present(&node, "/oauth2/introspect", &assertion)
            );
            let taken = [&here, &there].iter().filter(|answer| answer.status == 200).count();
            assert_eq!(taken, 1, "one is taken: {here:?} {there:?}");
            [&here, &there].iter().filter(|answer| answer.status != 200).for_each(|answer| assert_ic(answer));
        }
    }
    server.crash();
    server.spawn();
    assert_ic(&present(&server, "/oauth2/token", &before).await);
}

/// What is swept is what has expired, of the one client whose it was.
async fn b_032_sweeping_forgets_nothing_alive(db: Db) {
    let server = Server::start(db, &[("tokens.clock_skew_seconds", "1"), ("cleanup.interval_seconds", "86400")]);
    let (short, long) = (client_with_key(&server), client_with_key(&server));
    let mut claims = short.assertion_claims();
    claims["jti"] = json!("the same");
    claims["exp"] = json!(now() + 2);
    assert_tokens(&present(&server, "/oauth2/token", &short.assertion(&claims)).await);
    let mut claims = long.assertion_claims();
    claims["jti"] = json!("the same");
    let kept = long.assertion(&claims);
    assert_tokens(&present(&server, "/oauth2/token", &kept).await);
    // The row of an expired one stays for an hour more, for nodes whose clock is behind: that hour has passed.
    tokio::time::sleep(Duration::from_secs(4)).await;
    server.cli(&["cleanup"]);
    assert_eq!(server.database.rows("client_assertions", "1 = 1").len(), 2, "too early");
    let condition = format!("client_id = '{}'", short.id);
    server.database.execute(&format!("UPDATE client_assertions SET expires_at = expires_at - 3600 WHERE {condition}"));
    server.cli(&["cleanup"]);
    let rows = server.database.rows("client_assertions", "1 = 1");
    assert_eq!(rows.len(), 1, "the expired one is gone, the other is not: {rows:?}");
    assert_ic(&present(&server, "/oauth2/token", &kept).await);
}

both![
    b_032_at_two_endpoints,
    b_032_a_second_later,
    b_032_a_forged_one_burns_nothing,
    b_032_many_at_once,
    b_032_on_two_nodes_and_over_a_restart,
    b_032_sweeping_forgets_nothing_alive,
];
