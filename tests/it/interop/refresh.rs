//! A used refresh token, within `refresh_retry_seconds` and after.

use tokio::task::JoinSet;

use super::*;
use crate::security::live_leaves;

async fn family(server: &Server, client: &Client) -> Family {
    Family::new(client, &Browser::new(server), &User::new(server)).await
}

async fn refresh(client: &Client, token: &str) -> Family {
    Family::read(&client.refresh(token).await)
}

/// Makes every use so far of this client's refresh tokens as old as the window, and more.
fn let_the_window_pass(server: &Server, client: &Client) {
    server.database.execute(&format!(
        "UPDATE refresh_tokens SET consumed_at = consumed_at - 31 \
         WHERE grant_id IN (SELECT id FROM grants WHERE client_id = '{}')",
        client.id
    ));
}

/// What an app with parallel requests does: one of them refreshes and uses the answer while the others still hold the old
/// token. Each gets the live token, whatever was used since.
async fn f02_the_live_successor(server: Shared) {
    for client in [Client::confidential(server), Client::public(server)] {
        let one = family(server, &client).await;
        let two = refresh(&client, &one.refresh).await;
        assert_eq!(client.userinfo(&two.access).await.status, 200);
        if client.auth != Auth::None {
            assert_active(&client.introspect(&two.access).await);
        }
        let again = client.refresh(&one.refresh).await;
        assert_audit(server, &again, "refresh_retried");
        let again = Family::read(&again);
        assert_eq!(again.refresh, two.refresh, "the live token");
        assert_ne!(again.access, two.access);

        // A used, B used, and A again: what lives is C, and then D.
        let three = refresh(&client, &two.refresh).await;
        assert_eq!(refresh(&client, &one.refresh).await.refresh, three.refresh);
        let four = refresh(&client, &three.refresh).await;
        for old in [&one, &two, &three] {
            let again = refresh(&client, &old.refresh).await;
            assert_eq!(again.refresh, four.refresh);
            assert_eq!(client.userinfo(&again.access).await.status, 200);
        }
        assert_eq!(live_leaves(server, &client), 1, "one branch");
    }
}

/// After the window the used token is a stolen one; the window is that of the token that comes, not of the last use.
async fn f02_after_the_window(server: Shared) {
    let client = Client::confidential(server);
    let one = family(server, &client).await;
    let two = refresh(&client, &one.refresh).await;
    let_the_window_pass(server, &client);
    let three = refresh(&client, &two.refresh).await;
    assert_eq!(refresh(&client, &two.refresh).await.refresh, three.refresh);
    let late = client.refresh(&one.refresh).await;
    assert_ig(&late);
    assert_audit(server, &late, "refresh_reuse");
    assert_ig(&client.refresh(&three.refresh).await);
    for family in [&one, &two, &three] {
        assert_inactive(&client.introspect(&family.access).await);
    }
}

/// The window opens nothing to anybody else, and nothing that has ended.
async fn f02_only_its_own_client_and_family(server: Shared) {
    let (client, other) = (Client::confidential(server), Client::confidential(server));
    let one = family(server, &client).await;
    let two = refresh(&client, &one.refresh).await;
    let three = refresh(&client, &two.refresh).await;
    assert_ig(&other.refresh(&one.refresh).await);
    assert_active(&client.introspect(&three.access).await);
    let wrong = Client { secret: Some(random(32)), ..client.clone() };
    assert_ic(&wrong.refresh(&one.refresh).await);
    // A refresh asks for less and stays within the family's scope, a retry likewise.
    let narrow = |scope: &'static str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*one.refresh), ("scope", scope)];
        let (client, form) = (client.clone(), form.map(|(name, value)| (name, value.to_owned())));
        async move {
            let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            client.token(&form).await
        }
    };
    assert_eq!(narrow("openid").await.json()["scope"], "openid");
    assert_j(&narrow("openid admin").await, 400, "invalid_scope");
    assert_eq!(client.revoke(&one.refresh).await.status, 200);
    assert_ig(&client.refresh(&one.refresh).await);
    assert_ig(&client.refresh(&three.refresh).await);
}

/// Requests of one app in parallel, each refreshing with whatever token it knows and using the answer at once: none of them
/// is refused and the family has one live token at the end. On PostgreSQL by two nodes.
async fn f02_parallel_clients(db: Db) {
    let server = Server::start(db, &[]);
    let client = Client::confidential(&server);
    let node = (db == Db::Postgres).then(|| server.another_node());
    let there = node.as_ref().map_or_else(|| client.clone(), |node| client.at(node));
    let one = family(&server, &client).await;
    let known = std::sync::Arc::new(std::sync::Mutex::new(one.refresh));
    let mut calls = JoinSet::new();
    for n in 0..6 {
        let (client, known) = (if n % 2 == 0 { client.clone() } else { there.clone() }, known.clone());
        calls.spawn(async move {
            for _ in 0..6 {
                let token = known.lock().expect("unpoisoned").clone();
                let next = refresh(&client, &token).await;
                assert_active(&client.introspect(&next.access).await);
                *known.lock().expect("unpoisoned") = next.refresh;
            }
        });
    }
    calls.join_all().await;
    assert_eq!(live_leaves(&server, &client), 1, "one branch");
    let last = known.lock().expect("unpoisoned").clone();
    assert_tokens(&client.refresh(&last).await);
    assert!(audit(&server, "kind = 'refresh_reuse'").is_empty(), "nothing looked like a theft");
}

both![f02_the_live_successor, f02_after_the_window, f02_only_its_own_client_and_family, f02_parallel_clients,];
