//! 4 Revocation: what ends with what, and that a 200 is the truth.

use std::time::{Duration, Instant};

use serde_json::json;

use super::held::{Held, at_once};
use crate::harness::*;

async fn d_010_who_may_revoke(server: Shared) {
    let held = Held::new(server).await;
    let form = |extra: &[(&'static str, &str)]| {
        let mut form = vec![("token", held.access.clone())];
        form.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        http().post(server.url("/oauth2/revoke")).form(&form)
    };
    assert_ic(&Answer::of(form(&[])).await);
    assert_ic(&Answer::of(form(&[("client_id", &held.client.id)])).await);
    assert_ic(&Answer::of(form(&[]).basic_auth(&held.client.id, Some("wrong"))).await);
    // Another client is told no, and the token goes on.
    for stranger in [Client::confidential(server), Client::public(server)] {
        for token in [&held.access, &held.refresh] {
            assert_j(&stranger.revoke(token).await, 400, "unauthorized_client");
        }
    }
    assert!(held.is_active(&held.access).await && held.is_active(&held.refresh).await, "still there");
    // A public client revokes its own.
    let own = Held::by(server, Client::public(server)).await;
    let done = own.client.revoke(&own.access).await;
    assert_eq!((done.status, done.body.as_str()), (200, ""), "{done:?}");
    assert_j(&own.client.userinfo(&own.access).await, 401, "invalid_token");
}

async fn d_011_a_refresh_token(server: Shared) {
    let held = Held::new(server).await;
    // A second grant of the same person to the same client.
    let request = held.client.request();
    let code = Browser::new(server).grant(&held.user, &request).await.code();
    let sibling = held.client.redeem(&request, &code).await;
    let next = held.client.refresh(&held.refresh).await;
    assert_tokens(&next);
    let done = held.client.revoke(&next.text("refresh_token")).await;
    assert_eq!((done.status, done.body.as_str()), (200, ""), "{done:?}");
    assert_audit(server, &done, "token_revoked");
    for token in [&held.access, &next.text("access_token")] {
        assert_revoked(&held.client, token).await;
    }
    assert_ig(&held.client.refresh(&next.text("refresh_token")).await);
    assert!(held.is_active(&sibling.text("access_token")).await, "the other grant goes on");
    assert_tokens(&held.client.refresh(&sibling.text("refresh_token")).await);
}

/// The choice: an access token alone ends, and its family goes on.
async fn d_012_an_access_token(server: Shared) {
    let held = Held::new(server).await;
    let done = held.client.revoke(&held.access).await;
    assert_eq!((done.status, done.body.as_str()), (200, ""), "{done:?}");
    assert_revoked(&held.client, &held.access).await;
    assert_tokens(&held.client.refresh(&held.refresh).await);
}

async fn d_013_what_is_no_token(db: Db) {
    let server = Server::start(db, &[("tokens.access_token_seconds", "1")]);
    let held = Held::new(&server).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for token in [&held.access, &held.id, "garbage", "a.b.c", "lwrt_", "lwrt_garbage", "-", "😀"] {
        let done = held.client.revoke(token).await;
        assert_eq!((done.status, done.body.as_str()), (200, ""), "{token}: {done:?}");
    }
    assert_tokens(&held.client.refresh(&held.refresh).await);
    assert_j(&held.client.post("/oauth2/revoke", &[]).await, 400, "invalid_request");
    let twice = held.client.post("/oauth2/revoke", &[("token", "a"), ("token", "a")]).await;
    assert_j(&twice, 400, "invalid_request");
}

async fn d_014_a_database_that_cannot(db: Db) {
    let server = Server::start(db, &[("database.timeout_seconds", "1")]);
    let held = Held::new(&server).await;
    let blocked = server.database.block();
    let begin = Instant::now();
    for token in [&held.access, &held.refresh] {
        let answer = held.client.revoke(token).await;
        assert_j(&answer, 503, "temporarily_unavailable");
        let wait: u64 = answer.header_or_empty("retry-after").parse().expect("Retry-After");
        assert!((1..=10).contains(&wait), "{answer:?}");
    }
    assert!(begin.elapsed() < Duration::from_secs(12), "refused after {:?}", begin.elapsed());
    drop(blocked);
    // It was not revoked, and it was not said so. Now it is.
    let mut done = held.client.revoke(&held.refresh).await;
    let begin = Instant::now();
    while done.status == 503 && begin.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        done = held.client.revoke(&held.refresh).await;
    }
    assert_eq!(done.status, 200, "{done:?}");
    assert_revoked(&held.client, &held.access).await;
}

/// JWTs can be revoked here, at introspection and at our own endpoints: nothing says otherwise.
async fn d_015_jwts_too(server: Shared) {
    let held = Held::new(server).await;
    assert_eq!(held.access.split('.').count(), 3, "a JWT");
    // Seen and remembered as verified before it is revoked.
    assert_eq!(held.client.userinfo(&held.access).await.status, 200);
    assert_eq!(held.client.revoke(&held.access).await.status, 200);
    held.refused(&held.access).await;
}

async fn d_016_again_and_at_once(server: Shared) {
    let held = Held::new(server).await;
    let post = |path: &str| {
        let request = http().post(server.url(path)).basic_auth(&held.client.id, held.client.secret.as_deref());
        request.form(&[("token", &held.access)])
    };
    let mixed = (0..60).map(|n| post(if n % 2 == 0 { "/oauth2/revoke" } else { "/oauth2/introspect" }));
    for answer in at_once(mixed).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let after = at_once((0..40).map(|_| post("/oauth2/introspect"))).await;
    assert!(after.iter().all(|answer| answer.json() == json!({"active": false})), "used after a 200");
    let revoked = audit(server, &format!("kind = 'token_revoked' AND client_id = '{}'", held.client.id));
    assert_eq!(revoked.len(), 1, "revoked once: {revoked:?}");
}

both![
    d_010_who_may_revoke,
    d_011_a_refresh_token,
    d_012_an_access_token,
    d_013_what_is_no_token,
    d_014_a_database_that_cannot,
    d_015_jwts_too,
    d_016_again_and_at_once,
];
