//! more comes than can be done.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::harness::*;

/// Fails if whoever is too many waits, if what ends access is turned away before what gives it, or if it does not end.
async fn r_060_too_much_at_once(db: Db) {
    let server = Server::start(db, &[("server.max_requests", "16")]);
    let client = Spec::confidential().create(&server);
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    let lock = server.database.block();
    let mut tokens = JoinSet::new();
    for _ in 0..40 {
        let client = client.clone();
        tokens.spawn(async move {
            let begin = Instant::now();
            (client.token(&[("grant_type", "client_credentials")]).await, begin.elapsed())
        });
    }
    let (mut shed, mut slowest) = (0, Duration::ZERO);
    while shed < 28 {
        let (answer, waited) = tokens.join_next().await.expect("28 are too many").expect("an answer");
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        (shed, slowest) = (shed + 1, slowest.max(waited));
    }
    // Twelve wait for the lock. That is half of all and more: no page, and still room for what is urgent.
    assert!(slowest < Duration::from_secs(1), "refusing took {slowest:?}");
    assert_eq!(Browser::new(&server).authorize(&client.request()).await.status, 503, "a login may wait");
    assert_eq!(client.introspect(&token).await.json()["active"], true);
    for path in ["/livez", "/readyz", "/.well-known/jwks.json", "/.well-known/openid-configuration"] {
        assert_eq!(Answer::of(http().get(server.url(path))).await.status, 200, "{path}");
    }
    drop(lock);
    tokens.join_all().await;
    let begin = Instant::now();
    while client.token(&[("grant_type", "client_credentials")]).await.status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(5), "it does not recover");
    }
    assert_eq!(Browser::new(&server).authorize(&client.request()).await.status, 303);
}

both![r_060_too_much_at_once];
