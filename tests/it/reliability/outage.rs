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

async fn is_ready(server: &Server) -> bool {
    Answer::of(http().get(server.url("/readyz"))).await.status == 200
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Fails if balancers and the log are not told that another session holds a whole table that requests read, or if they are
/// told so of a lock that only writes wait for.
async fn a08_a_locked_table() {
    let server = Server::start(Db::Postgres, &[]);
    let client = Spec::confidential().create(&server);
    let before = client.token(CC).await.text("access_token");
    for table in ["clients", "access_tokens", "audit_events"] {
        let lock = server.database.hold(&format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
        until("no request fails", async || client.token(CC).await.status == 503).await;
        until("balancers are not told", async || !is_ready(&server).await).await;
        assert_unavailable(&client.token(CC).await);
        assert!(!is_ready(&server).await, "{table}: it does not flap");
        assert_eq!(Answer::of(http().get(server.url("/.well-known/jwks.json"))).await.status, 200);
        drop(lock);
        until("it does not find back", async || is_ready(&server).await).await;
        until("tokens are not issued again", async || client.token(CC).await.status == 200).await;
    }
    let log = server.logged("the database has no locked tables any more");
    assert_eq!(log.matches("the database has a locked table").count(), 3, "once each: {log}");
    // Introspection goes on here, so that a balancer that looked elsewhere would lose something.
    let lock = server.database.block();
    for _ in 0..2 {
        assert_unavailable(&client.token(CC).await);
        assert!(is_ready(&server).await);
        assert_eq!(client.introspect(&before).await.json()["active"], true);
    }
    drop(lock);
}

mod postgres {
    use super::*;

    #[test]
    fn a08_a_locked_table() {
        run(Db::Postgres, |_: Db| super::a08_a_locked_table());
    }

    #[test]
    fn r_020_the_database_is_gone() {
        run(Db::Postgres, |_: Db| super::r_020_the_database_is_gone());
    }

    #[test]
    fn r_023_a_lock_held_by_another() {
        run(Db::Postgres, |_: Db| super::r_023_a_lock_held_by_another());
    }
}
