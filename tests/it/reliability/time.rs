//! somebody sets the clock.

use std::time::{Duration, Instant};

use crate::harness::*;

const HOUR: i64 = 3600;

async fn until_ready_is(server: &Server, status: u16) {
    let begin = Instant::now();
    while Answer::of(http().get(server.url("/readyz"))).await.status != status {
        assert!(begin.elapsed() < Duration::from_secs(30), "/readyz does not come to {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Fails if a code or a token that had expired counts again.
async fn r_040_set_back(db: Db) {
    let (server, faults) =
        Server::with_faults(db, &[("tokens.code_seconds", "5"), ("tokens.access_token_seconds", "5")]);
    let (client, user) = (Spec::confidential().create(&server), User::new(&server));
    let request = client.request();
    let expired = Browser::new(&server).grant(&user, &request).await.code();
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(client.introspect(&token).await.json()["active"], false);
    faults.clock_is_off(-HOUR);
    until_ready_is(&server, 503).await;
    assert_ig(&client.redeem(&request, &expired).await);
    assert_eq!(client.introspect(&token).await.json()["active"], false, "it had expired");
    assert_eq!(audit(&server, "kind = 'clock_jump'").len(), 1);
    // What is issued now expires when it should.
    let fresh = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    assert_eq!(client.introspect(&fresh).await.json()["active"], true);
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(client.introspect(&fresh).await.json()["active"], false);
    faults.clear();
    until_ready_is(&server, 200).await;
}

/// Fails if a clock that goes ten years ahead and comes back lets anything live longer, or has everything thrown away.
async fn r_040_set_forward_and_back(db: Db) {
    let (server, faults) = Server::with_faults(db, &[("cleanup.interval_seconds", "1")]);
    let (client, user) = (Spec::confidential().create(&server), User::new(&server));
    let request = client.request().set("scope", "openid offline_access");
    let browser = Browser::new(&server);
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    let access = tokens.text("access_token");
    faults.clock_is_off(10 * 365 * 24 * HOUR);
    let begin = Instant::now();
    while audit(&server, "kind = 'clock_jump'").is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(30), "nobody noticed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    match db {
        Db::Sqlite => assert_eq!(client.introspect(&access).await.json()["active"], false, "it is followed at once"),
        // PostgreSQL's clock tells that it is wrong.
        Db::Postgres => assert_eq!(client.introspect(&access).await.status, 503),
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    faults.clear();
    until_ready_is(&server, 200).await;
    // The clock is believed again within a second of looking at it; what was thrown away would never be back.
    let begin = Instant::now();
    while client.introspect(&access).await.json()["active"] != true {
        assert!(begin.elapsed() < Duration::from_secs(30), "something was thrown away");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let refreshed = client.refresh(&tokens.text("refresh_token")).await;
    assert_tokens(&refreshed);
}

both![r_040_set_back, r_040_set_forward_and_back];
