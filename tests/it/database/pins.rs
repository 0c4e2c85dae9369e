//! S4: one database, one issuer and one encryption key.

use super::*;

const OTHER: &str = "https://other.example";
const NEW: &str = "YW5vdGhlciBrZXksIG9mIDMyIGJ5dGVzLCBmb3IgaXQ";

/// Fails if a node serves under another issuer or with another key than the database has, or if the issuer cannot be
/// changed on purpose, with a word about whom that breaks.
async fn s04_a_database_has_one_issuer(db: Db) {
    let server = Server::start(db, &[]);
    let client = machine(&server);
    assert_eq!(client.token(CC).await.status, 200);
    let moved = server.node(&[("server.issuer", OTHER)]);
    let sealed = server.node(&[("keys.encryption_key", NEW)]);
    if db == Db::Sqlite {
        server.stop();
    }
    let said = moved.refuses_to_start();
    assert!(said.contains(OTHER) && said.contains(&server.issuer) && said.contains("change-issuer"), "{said}");
    let said = sealed.refuses_to_start();
    assert!(said.contains("encryption_key") && said.contains("fingerprint"), "{said}");
    if db == Db::Postgres {
        let refused = moved.try_cli(&["config", "change-issuer", "--yes"], "").expect_err("a server runs").output;
        assert!(refused.contains("stop all of them first"), "{refused}");
        server.stop();
        server.database.execute("UPDATE nodes SET seen_at = seen_at - 120");
    }
    let refused = moved.try_cli(&["config", "change-issuer"], "").expect_err("without --yes").output;
    assert!(refused.contains(&client.id) && refused.contains("\"access_tokens\":1"), "{refused}");
    assert!(moved.refuses_to_start().contains(OTHER), "it was changed without --yes");
    assert_eq!(moved.cli(&["config", "change-issuer", "--yes"])["changed"], true);
    assert_eq!(audit(&server, "kind = 'issuer_changed'").len(), 1);
    moved.spawn();
    moved.stop();
    assert!(server.refuses_to_start().contains("change-issuer"));
}

/// Fails if nodes differ in what clients see and nobody is told, or if such a difference keeps one from starting: settings
/// change by restarting one node after the other.
async fn s04_other_settings_are_told() {
    let server = Server::start(Db::Postgres, &[]);
    let other = server.node(&[("tokens.access_token_seconds", "600"), ("log.level", "info")]);
    other.spawn();
    let begin = Instant::now();
    while !other.log().contains("[tokens] access_token_seconds: 600 here, 900 there") {
        assert!(begin.elapsed() < Duration::from_secs(30), "nobody is told:\n{}", other.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let metrics = Answer::of(http().get(other.metrics_url())).await.body;
    assert!(metrics.contains("latchway_nodes_with_other_settings 1"), "{metrics}");
    assert!(!other.log().contains("[log] level"), "a node's own business is told");
}

/// Fails if `serve --dev` cannot be started on another port.
async fn s04_dev_goes_to_another_port() {
    let server = Server::start_dev(Db::Sqlite);
    server.stop();
    let elsewhere = server.node(&[]);
    elsewhere.spawn();
    assert_eq!(status_of(&elsewhere, "/playground").await, 200);
}

both![s04_a_database_has_one_issuer];

mod once {
    use super::*;

    #[test]
    fn s04_other_settings_are_told() {
        run(Db::Postgres, |_: Db| super::s04_other_settings_are_told());
    }

    #[test]
    fn s04_dev_goes_to_another_port() {
        run(Db::Sqlite, |_: Db| super::s04_dev_goes_to_another_port());
    }
}
