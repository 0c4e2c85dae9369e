//! what secures the secrets is changed while serving.

use crate::harness::*;

const NEW: &str = "YW5vdGhlciBrZXksIG9mIDMyIGJ5dGVzLCBmb3IgaXQ";

/// Fails if a token is lost on the way from one encryption key to the next, or if the old one is needed at its end.
async fn r_042_the_encryption_key_is_changed(db: Db) {
    let server = Server::start(db, &[]);
    let client = Spec::confidential().create(&server);
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    let jwks = Answer::of(http().get(server.url("/.well-known/jwks.json"))).await.json();

    let both = server.node(&[("keys.encryption_key", NEW), ("keys.previous_encryption_key", ENCRYPTION_KEY)]);
    let alone = server.node(&[("keys.encryption_key", NEW)]);
    let refused = alone.try_cli(&["keys", "rotate"], "").expect_err("nothing opens with the new key alone yet");
    assert!(refused.output.contains("encryption_key is another one"), "{}", refused.output);
    // SQLite is for one server: there it is restarted, here it is joined.
    if db == Db::Sqlite {
        server.stop();
    }
    both.spawn();
    let at_both = client.at(&both);
    assert_eq!(at_both.introspect(&token).await.json()["active"], true);
    let meanwhile = at_both.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    assert_eq!(both.cli(&["keys", "reseal"])["resealed"], jwks["keys"].as_array().expect("keys").len());
    assert_eq!(both.cli(&["keys", "reseal"])["resealed"], 0, "there is nothing left");
    both.stop();
    alone.spawn();
    let at_last = client.at(&alone);
    for token in [&token, &meanwhile] {
        assert_eq!(at_last.introspect(token).await.json()["active"], true);
    }
    assert_eq!(Answer::of(http().get(alone.url("/.well-known/jwks.json"))).await.json(), jwks);
}

both![r_042_the_encryption_key_is_changed];
