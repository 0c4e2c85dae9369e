//! S2, S3, S5: a node that cannot know the time, or has not the keys, says so and makes nothing.

use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const NEW: &str = "YW5vdGhlciBrZXksIG9mIDMyIGJ5dGVzLCBmb3IgaXQ";

/// Fails if a node with a wrong clock answers anything that depends on it, or makes a key.
async fn s03_a_wrong_clock_knows_nothing(db: Db) {
    let (server, faults) = Server::with_faults(db, &[]);
    let (client, app) = (machine(&server), Client::confidential(&server));
    let token = client.token(CC).await.text("access_token");
    let keys = server.database.rows("signing_keys", "1 = 1").len();
    server.stop();
    // SQLite has no clock that could tell that one is ahead.
    for off in if db == Db::Sqlite { &[-HOUR][..] } else { &[HOUR, -HOUR] } {
        faults.clock_is_off(*off);
        server.launch();
        until_alive(&server).await;
        for _ in 0..3 {
            for answer in [client.introspect(&token).await, client.token(CC).await, client.revoke(&token).await] {
                assert_unavailable(&answer);
            }
            let page = Browser::new(&server).authorize(&app.request()).await;
            assert!(page.status == 503 && page.location().is_none(), "{page:?}");
            assert_eq!(status_of(&server, "/readyz").await, 503);
            assert_eq!(status_of(&server, "/.well-known/jwks.json").await, 200);
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        assert_eq!(server.database.rows("signing_keys", "1 = 1").len(), keys, "a key was made by a wrong clock");
        assert!(audit(&server, "kind = 'key_created'").len() == keys, "a key was made by a wrong clock");
        faults.clear();
        until_ready_is(&server, 200).await;
        assert_eq!(client.introspect(&token).await.json()["active"], true, "{off}");
        server.stop();
    }
    if db == Db::Sqlite {
        // Who knows better says so, once.
        faults.clock_is_off(-HOUR);
        let server = server.with_flags(&["--yes-the-clock-is-right"]);
        server.spawn();
        assert_eq!(client.token(CC).await.status, 200);
    }
}

/// Fails if a key is made while another is published to follow, or if nothing signs after the active one was retired.
async fn s03_a_published_key_is_enough(db: Db) {
    let server = Server::start(db, &[]);
    let client = machine(&server);
    let first = client.token(CC).await;
    let active = header_of(&first.text("access_token"))["kid"].as_str().expect("a kid").to_owned();
    let next = server.cli(&["keys", "rotate"])["kid"].as_str().expect("a kid").to_owned();
    let keys = server.database.rows("signing_keys", "1 = 1").len();
    server.cli(&["keys", "retire", &active, "--yes"]);
    let begin = Instant::now();
    loop {
        let token = client.token(CC).await;
        if token.status == 200 && header_of(&token.text("access_token"))["kid"] == next.as_str() {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the next key does not sign: {token:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(server.database.rows("signing_keys", "1 = 1").len(), keys, "another key was made");
}

/// Fails if a node that cannot open a key calls its tokens dead, or stays ready.
async fn s05_a_key_that_cannot_be_opened() {
    let old = Server::start(Db::Postgres, &[]);
    let client = machine(&old);
    let before = client.token(CC).await.text("access_token");
    let new = old.node(&[("keys.encryption_key", NEW), ("keys.previous_encryption_key", ENCRYPTION_KEY)]);
    new.spawn();
    new.cli(&["keys", "reseal"]);
    new.cli(&["keys", "rotate", "--now"]);
    let at_new = client.at(&new);
    let begin = Instant::now();
    let kid = |token: &str| header_of(token)["kid"].as_str().expect("a kid").to_owned();
    let fresh = loop {
        let token = at_new.token(CC).await.text("access_token");
        if kid(&token) != kid(&before) {
            break token;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the new key does not sign");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // At once, and when the node has found out.
    for _ in 0..2 {
        for token in [&before, &fresh] {
            let answer = client.introspect(token).await;
            match answer.status {
                200 => assert_eq!(answer.json()["active"], true, "told from ignorance:\n{}", old.log()),
                _ => assert_unavailable(&answer),
            }
        }
        until_ready_is(&old, 503).await;
    }
    assert_unavailable(&client.token(CC).await);
    assert!(old.log().contains("cannot be opened"), "{}", old.log());
    old.stop();
    let said = old.refuses_to_start();
    assert!(said.contains("encryption_key"), "{said}");
}

fn counts(server: &Server) -> Vec<i64> {
    ["access_tokens", "grants", "sessions", "audit_events"]
        .iter()
        .map(|table| server.database.number(&format!("SELECT count(*) FROM {table}")))
        .collect()
}

/// Fails if a command deletes or signs by a clock that the server would not believe.
async fn s02_no_command_believes_any_clock(db: Db) {
    let server = Server::start(db, &[]);
    let faults = Faults::new(&server.dir);
    let (client, user) = (machine(&server), User::new(&server));
    assert_eq!(client.token(CC).await.status, 200);
    let app = Client::confidential(&server);
    let request = app.request();
    let code = Browser::new(&server).grant(&user, &request).await.code();
    assert_tokens(&app.redeem(&request, &code).await);
    let before = counts(&server);
    for off in [HOUR, -HOUR, 400 * DAY, -400 * DAY] {
        for args in [&["cleanup"][..], &["keys", "rotate"], &["restore-point", "--yes"]] {
            let refused = server.try_cli_at(&faults, off, args).expect_err("a wrong clock is believed").output;
            assert!(refused.contains("clock"), "{refused}");
        }
    }
    assert_eq!(counts(&server), before);
    server.cli(&["cleanup"]);
    // Where no server notes the time, a day is forgiven, and more is asked about.
    server.stop();
    if db == Db::Sqlite {
        let before = counts(&server);
        for off in [-HOUR, 400 * DAY] {
            server.try_cli_at(&faults, off, &["cleanup"]).expect_err("a wrong clock is believed");
        }
        assert_eq!(counts(&server), before);
        let report =
            server.try_cli_at(&faults, 400 * DAY, &["cleanup", "--yes-the-clock-is-right"]).expect("vouched for");
        assert!(report["rows"].as_u64() > Some(0), "{report}");
    }
    // What is gone by a clock is told, and nothing is claimed that cannot be known.
    let (_, said) = server.words(&["audit", "verify"]);
    assert!(!said.contains("Nothing was changed") && said.contains("--expect"), "{said}");
    let receipt =
        server.cli(&["audit", "verify"])["last_checkpoint"]["receipt"].as_str().expect("a receipt").to_owned();
    let (ok, said) = server.words(&["audit", "verify", "--expect", &receipt]);
    assert!(ok && said.contains("the checkpoint that was noted is in it"), "{said}");
    if db == Db::Sqlite {
        assert!(said.contains("were removed, last at"), "{said}");
    }
}

both![s02_no_command_believes_any_clock, s03_a_wrong_clock_knows_nothing, s03_a_published_key_is_enough];

mod once {
    use super::*;

    #[test]
    fn s05_a_key_that_cannot_be_opened() {
        run(Db::Postgres, |_: Db| super::s05_a_key_that_cannot_be_opened());
    }
}
