//! the database is gone, or held by somebody else.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::harness::*;

const CC: &[(&str, &str)] = &[("grant_type", "client_credentials")];

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("Retry-After");
    assert!((1..=10).contains(&seconds), "Retry-After: {seconds}");
    assert!(!answer.body.contains("access_token\":") && !answer.body.contains("\"active\""), "{answer:?}");
}

/// Fails if anybody waits for a database that is gone, if a token is called live or dead from ignorance, or if the server
/// does not find back by itself.
async fn r_020_the_database_is_gone() {
    for gone in [Line::Cut, Line::Silent] {
        let (server, proxy) = Server::behind_proxy(&[]);
        let client = Spec::confidential().create(&server);
        let token = client.token(CC).await.text("access_token");
        assert_eq!(client.introspect(&token).await.json()["active"], true);
        proxy.set(gone);

        // Whoever comes first may have to wait until it shows.
        let mut first = JoinSet::new();
        for _ in 0..30 {
            let client = client.clone();
            first.spawn(async move {
                let begin = Instant::now();
                (client.token(CC).await, begin.elapsed())
            });
        }
        while let Some(answered) = first.join_next().await {
            let (answer, waited) = answered.expect("an answer");
            assert_unavailable(&answer);
            assert!(waited < Duration::from_millis(2500), "{gone:?}: the first waited {waited:?}");
        }
        let begin = Instant::now();
        for answer in [client.token(CC).await, client.introspect(&token).await, client.revoke(&token).await] {
            assert_unavailable(&answer);
        }
        let authorize = Browser::new(&server).authorize(&client.request()).await;
        assert_eq!(authorize.status, 503, "{authorize:?}");
        assert!(authorize.is_html() && authorize.location().is_none(), "a page of its own, and no redirect");
        for (path, status) in [
            ("/livez", 200),
            ("/readyz", 503),
            ("/.well-known/jwks.json", 200),
            ("/.well-known/openid-configuration", 200),
        ] {
            assert_eq!(Answer::of(http().get(server.url(path))).await.status, status, "{path}");
        }
        assert!(begin.elapsed() < Duration::from_secs(2), "{gone:?}: it takes {:?} to say so", begin.elapsed());

        proxy.set(Line::Passes);
        let back = Instant::now();
        while client.token(CC).await.status != 200 {
            assert!(back.elapsed() < Duration::from_secs(2), "{gone:?}: not back:\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(client.introspect(&token).await.json()["active"], true, "nothing was revoked meanwhile");
        assert_eq!(Answer::of(http().get(server.url("/readyz"))).await.status, 200);
    }
}

/// Fails if those who wait for a lock keep everybody else from the database, or wait for ever.
async fn r_023_a_lock_held_by_another() {
    let server = Server::start(Db::Postgres, &[]);
    let client = Spec::confidential().create(&server);
    let user = User::new(&server);
    let token = client.token(CC).await.text("access_token");
    let mut codes = Vec::new();
    for _ in 0..12 {
        let request = client.request();
        let code = Browser::of(&server, &user).await.grant(&user, &request).await.code();
        codes.push((request, code));
    }
    let lock = server.database.block();
    let mut held = JoinSet::new();
    for (request, code) in codes {
        let client = client.clone();
        held.spawn(async move {
            let begin = Instant::now();
            (client.redeem(&request, &code).await, begin.elapsed())
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for _ in 0..10 {
        let begin = Instant::now();
        assert_eq!(client.introspect(&token).await.json()["active"], true);
        assert_eq!(Browser::new(&server).authorize(&client.request()).await.status, 303, "logins begin");
        assert!(begin.elapsed() < Duration::from_secs(1), "others wait {:?}", begin.elapsed());
    }
    while let Some(answered) = held.join_next().await {
        let (answer, waited) = answered.expect("an answer");
        assert_unavailable(&answer);
        assert!(waited < Duration::from_secs(6), "{waited:?}");
    }
    drop(lock);
    let begin = Instant::now();
    while client.token(CC).await.status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(2), "not back:\n{}", server.log());
    }
}

mod postgres {
    use super::*;

    #[test]
    fn r_020_the_database_is_gone() {
        run(Db::Postgres, |_: Db| super::r_020_the_database_is_gone());
    }

    #[test]
    fn r_023_a_lock_held_by_another() {
        run(Db::Postgres, |_: Db| super::r_023_a_lock_held_by_another());
    }
}
