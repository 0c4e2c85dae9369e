//! 2.3 Refresh tokens are used once. An answer that was lost can be asked for again; what was used cannot.
//!
//! The choice for B-051 and B-060: for `[tokens] refresh_retry_seconds` the used token leads to the live token of its
//! family (`interop/refresh.rs`); with `--refresh strict` to the same successor, until anything of that answer is used.
//! With 0 the first use is the only one.

use std::time::Duration;

use tokio::task::JoinSet;

use super::family::{Family, assert_active, assert_inactive, live_leaves};
use crate::harness::*;

/// A server without retries.
fn strict(db: Db) -> Server {
    Server::start(db, &[("tokens.refresh_retry_seconds", "0")])
}

async fn family(server: &Server, client: &Client) -> Family {
    let user = User::new(server);
    Family::new(client, &Browser::new(server), &user).await
}

/// Both tokens of each of these are dead, wherever they are shown. Introspection is not for public clients.
async fn assert_all_dead(client: &Client, families: &[&Family]) {
    for family in families {
        if client.auth != Auth::None {
            assert_inactive(&client.introspect(&family.access).await);
            assert_inactive(&client.introspect(&family.refresh).await);
        }
        assert_eq!(client.userinfo(&family.access).await.status, 401);
        assert_ig(&client.refresh(&family.refresh).await);
    }
}

async fn b_050_reuse_ends_the_family(db: Db) {
    let server = strict(db);
    for client in [Client::confidential(&server), Client::public(&server)] {
        let one = family(&server, &client).await;
        let two = Family::read(&client.refresh(&one.refresh).await);
        let three = Family::read(&client.refresh(&two.refresh).await);
        assert!(one.refresh != two.refresh && two.refresh != three.refresh, "rotated each time");
        let other = family(&server, &client).await;
        let reuse = client.refresh(&one.refresh).await;
        assert_ig(&reuse);
        assert_audit(&server, &reuse, "refresh_reuse");
        assert_all_dead(&client, &[&one, &two, &three]).await;
        // Another login of the same app is another family.
        assert_tokens(&client.refresh(&other.refresh).await);
    }
}

/// Sends one refresh token many times at once.
async fn stampede(client: &Client, refresh_token: &str, count: usize) -> Vec<Answer> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let (client, token) = (client.clone(), refresh_token.to_owned());
        calls.spawn(async move { client.refresh(&token).await });
    }
    calls.join_all().await
}

async fn b_051_a_hundred_at_once(server: Shared) {
    let client = Client::confidential(server);
    let one = family(server, &client).await;
    let answers = stampede(&client, &one.refresh, 100).await;
    let winners: Vec<Family> = answers.iter().map(Family::read).collect();
    assert!(winners.iter().all(|two| two.refresh == winners[0].refresh), "all have the same successor");
    assert_eq!(live_leaves(server, &client), 1, "one branch");
    let three = Family::read(&client.refresh(&winners[0].refresh).await);
    assert_active(&client.introspect(&three.access).await);
    assert_eq!(live_leaves(server, &client), 1, "one branch still");
}

async fn b_051_a_hundred_at_once_without_retries(db: Db) {
    let server = strict(db);
    let client = Client::confidential(&server);
    let one = family(&server, &client).await;
    let answers = stampede(&client, &one.refresh, 100).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!(won.len(), 1, "one wins: {won:?}");
    lost.iter().for_each(assert_ig);
    // Each loser was a reuse, so that not even the winner's branch is left.
    assert_all_dead(&client, &[&Family::read(&won[0])]).await;
}

async fn b_051_on_two_nodes(db: Db) {
    let server = Server::start(db, &[]);
    let client = Client::confidential(&server);
    // SQLite has one node.
    let node = (db == Db::Postgres).then(|| server.another_node());
    let there = node.as_ref().map_or_else(|| client.clone(), |node| client.at(node));
    for _ in 0..5 {
        let one = family(&server, &client).await;
        let before = live_leaves(&server, &client);
        let (here, there) = tokio::join!(stampede(&client, &one.refresh, 10), stampede(&there, &one.refresh, 10));
        let winners: Vec<Family> = here.iter().chain(&there).map(Family::read).collect();
        assert!(winners.iter().all(|two| two.refresh == winners[0].refresh), "all have the same successor");
        assert_eq!(live_leaves(&server, &client), before, "one branch");
    }
}

async fn b_052_revoked_while_refreshing(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let mut refreshed = 0;
    for n in 0..48 {
        let one = Family::new(&client, &browser, &user).await;
        let (minted, revoked) = tokio::join!(client.refresh(&one.refresh), async {
            tokio::time::sleep(Duration::from_micros(n % 12 * 700)).await;
            client.revoke(&one.refresh).await
        });
        assert_eq!(revoked.status, 200, "{revoked:?}");
        if minted.status == 200 {
            refreshed += 1;
            assert_all_dead(&client, &[&Family::read(&minted)]).await;
        } else {
            assert_ig(&minted);
        }
        assert_all_dead(&client, &[&one]).await;
    }
    assert!(refreshed > 0, "the refresh never came first");
}

async fn b_053_reuse_over_a_restart(db: Db) {
    let server = strict(db);
    let client = Client::confidential(&server);
    for crash in [false, true] {
        let one = family(&server, &client).await;
        let two = Family::read(&client.refresh(&one.refresh).await);
        if crash {
            server.crash();
        } else {
            assert!(server.stop(), "stops in time");
        }
        server.spawn();
        assert_ig(&client.refresh(&one.refresh).await);
        assert_all_dead(&client, &[&two]).await;
    }
}

async fn b_060_a_lost_answer(db: Db) {
    let server = Server::start(db, &[("tokens.refresh_retry_seconds", "60")]);
    let client = Client::confidential(&server);
    let one = family(&server, &client).await;
    let lost = Family::read(&client.refresh(&one.refresh).await);
    let again = client.refresh(&one.refresh).await;
    let again_read = Family::read(&again);
    assert_eq!(again_read.refresh, lost.refresh, "the same successor");
    assert_ne!(again_read.access, lost.access);
    assert_audit(&server, &again, "refresh_retried");
    // What was promised once is promised after a crash.
    server.crash();
    server.spawn();
    let third = Family::read(&client.refresh(&one.refresh).await);
    assert_eq!(third.refresh, lost.refresh, "the same successor");
    assert_active(&client.introspect(&third.access).await);
    assert_tokens(&client.refresh(&third.refresh).await);
}

async fn b_060_too_late(db: Db) {
    let server = Server::start(db, &[("tokens.refresh_retry_seconds", "2")]);
    let client = Client::confidential(&server);
    let one = family(&server, &client).await;
    let two = Family::read(&client.refresh(&one.refresh).await);
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    let late = client.refresh(&one.refresh).await;
    assert_ig(&late);
    assert_audit(&server, &late, "refresh_reuse");
    assert_all_dead(&client, &[&two]).await;
}

/// Under the strict policy: whatever of the answer was used, and wherever, it was not lost, so the old token is stolen.
async fn b_061_a_thief_within_the_window(server: Shared) {
    let client = Spec::confidential().flags(&["--refresh", "strict"]).create(server);
    for used in ["userinfo", "introspection of the access token", "refresh"] {
        let one = family(server, &client).await;
        let two = Family::read(&client.refresh(&one.refresh).await);
        let mut all = vec![two];
        match used {
            "userinfo" => assert_eq!(client.userinfo(&all[0].access).await.status, 200),
            "refresh" => all.push(Family::read(&client.refresh(&all[0].refresh).await)),
            _ => assert_active(&client.introspect(&all[0].access).await),
        }
        let stolen = client.refresh(&one.refresh).await;
        assert_ig(&stolen);
        assert_audit(server, &stolen, "refresh_reuse");
        assert_all_dead(&client, &all.iter().collect::<Vec<_>>()).await;
    }
}

both![
    b_050_reuse_ends_the_family,
    b_051_a_hundred_at_once,
    b_051_a_hundred_at_once_without_retries,
    b_051_on_two_nodes,
    b_052_revoked_while_refreshing,
    b_053_reuse_over_a_restart,
    b_060_a_lost_answer,
    b_060_too_late,
    b_061_a_thief_within_the_window,
];
