//! One spelling of each address and each network, wherever one is written.

use reqwest::Method;
use serde_json::json;

use super::{ENDPOINT, GATE};
use crate::harness::*;

/// B-069: fails if an address in IPv4-mapped IPv6 is another one than the same in IPv4, or if a network is taken that can
/// never match.
async fn b069_each_spelling_of_a_network(db: Db) {
    let config = [("server.trusted_proxies", "::ffff:127.0.0.0/104"), ("gatekeeper.audience", GATE)];
    let server = Server::start(db, &config);
    let spec = Spec::confidential().grants(&["client_credentials"]).scope("orders:read api_keys");
    let client = spec.audience(GATE).create(&server);
    let flags = ["--audience", GATE, "--network", "::ffff:203.0.113.0/120", "--network", "::ffff:198.51.100.7"];
    let key = Key::of_client(&server, &client, "orders:read", &flags);
    let shown = server.cli(&["api-key", "list", "--client", &client.id]);
    assert_eq!(shown[0]["networks"], json!(["203.0.113.0/24", "198.51.100.7/32"]));
    let ask = |key: &Key, address: &str| {
        let request = http().get(server.url(ENDPOINT)).header("X-API-Key", &key.text);
        Answer::of(request.header("X-Forwarded-For", address))
    };
    for (address, status) in [
        ("203.0.113.5", 204),
        ("::ffff:203.0.113.5", 204),
        ("::FFFF:CB00:7105", 204),
        ("[::ffff:203.0.113.5]:4711", 204),
        ("::ffff:198.51.100.7", 204),
        ("198.51.100.8", 401),
        ("::ffff:198.51.100.8", 401),
        ("2001:db8::1", 401),
    ] {
        assert_eq!(ask(&key, address).await.status, status, "{address}");
    }
    for address in ["203.0.113.5", "::ffff:203.0.113.5"] {
        let told = client.post("/oauth2/introspect", &[("token", &key.text), ("address", address)]).await;
        assert_eq!(told.json()["active"], true, "{address}");
    }

    // By the API, by the command line, by the page and in the configuration.
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    let make = |network: &str| {
        let body = json!({"name": "K", "scope": "orders:read", "audience": GATE, "networks": [network]});
        let request = http().request(Method::POST, server.url("/api/v1/api-keys")).bearer_auth(&token);
        Answer::of(request.header("Content-Type", "application/json").body(body.to_string()))
    };
    let made = make("::ffff:10.0.0.0/104").await;
    assert_eq!(made.json()["networks"], json!(["10.0.0.0/8"]), "{made:?}");
    assert_eq!(ask(&Key::read(&made.json()), "10.9.8.7").await.status, 204);
    let refused = make("::ffff:10.0.0.0/8").await;
    assert_j(&refused, 400, "invalid_request");
    assert!(refused.text("error_description").contains("networks"), "{refused:?}");
    let args = ["api-key", "create", "--client", &client.id, "--name", "K", "--scope", "orders:read"];
    let failure = server.try_cli(&[&args[..], &["--network", "::ffff:10.0.0.0/8"]].concat(), "");
    let failure = failure.expect_err("a network that matches nothing");
    assert!(format!("{failure:?}").contains("96 to 128"), "{failure:?}");
    register(&server, "orders:read");
    Spec::api("https://orders.example").create(&server);
    let browser = Browser::of(&server, &User::new(&server)).await;
    let page = browser.get("/account/api-keys").await;
    let form = page.form("/account/api-keys").with("name", "K").with("scope", "orders:read").with("expires", "30d");
    let answer = browser.post(&form.with("networks", "::ffff:10.0.0.0/8")).await;
    assert_eq!((answer.status, answer.select("#networks-error").len()), (422, 1), "{answer:?}");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_latchway"))
        .args(["config", "check", "--data"])
        .arg(&server.dir)
        .env("LATCHWAY__SERVER__TRUSTED_PROXIES", "::ffff:10.0.0.0/8")
        .output()
        .expect("the command runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("trusted_proxies"), "{told}");

    // A restraint is lifted by whichever spelling of its address.
    server.database.execute(
        "INSERT INTO restraints (kind, subject, reason, created_at, expires_at) \
         VALUES ('slow_address', '198.51.100.7/32', 'test', 0, 99999999999)",
    );
    server.cli(&["restraint", "lift", "::ffff:198.51.100.7"]);
    assert!(server.cli(&["restraint", "list"]).as_array().is_some_and(Vec::is_empty));
}

both![b069_each_spelling_of_a_network];
