//! How a mock begins, and what it refuses.

use serde_json::{Value, json};

use super::*;

/// Fails if a seed does not make the same keys and people again, or another seed makes them, too.
async fn a_seed_makes_the_same_again() {
    let (one, again, other) = (Mock::start("seed = 5"), Mock::start("seed = 5"), Mock::start("seed = 6"));
    let keys = async |mock: &Mock| mock.get("/.well-known/jwks.json").await.json();
    assert_eq!(keys(&one).await, keys(&again).await);
    assert_ne!(keys(&one).await, keys(&other).await);
    for key in keys(&one).await["keys"].as_array().expect("keys") {
        assert!(key["kid"].as_str().is_some_and(|kid| kid.starts_with("mock-")), "{key}");
    }
    let people = |mock: &Mock| mock.told["issuers"][0]["personas"].clone();
    assert_eq!(people(&one), people(&again));
    assert_ne!(people(&one)[0]["sub"], people(&other)[0]["sub"]);
}

/// Fails if the mock starts where it could be taken for a real server, or shows itself to others.
async fn a_mock_is_never_production() {
    for (config, environment, says) in [
        ("listen = \"0.0.0.0:0\"", &[][..], "loopback"),
        ("[database]\nurl = \"sqlite:///var/lib/latchway.db\"", &[], "never runs on one"),
        ("[server]\nissuer = \"https://id.example\"", &[], "never runs on one"),
        ("", &[("LATCHWAY__DATABASE__URL", "postgres://id@db/latchway")], "LATCHWAY__DATABASE__URL"),
        ("", &[("LATCHWAY_CONFIG", "/etc/latchway.toml")], "LATCHWAY_CONFIG"),
        ("sead = 1", &[], "did you mean `seed`"),
    ] {
        let log = Mock::try_start(config, &[], &[], environment).err().unwrap_or_else(|| panic!("{config} started"));
        assert!(log.contains(says), "{config}: {log}");
    }
    let log = Mock::try_start("", &[], &["--data", "/tmp/x"], &[]).err().expect("--data is refused");
    assert!(log.contains("never opens a real database"), "{log}");
    let mock = Mock::start("");
    for path in ["/login", "/mock", "/orders", "/oauth2/token"] {
        let elsewhere = Answer::of(mock.request("GET", path).header("Host", "login.evil.example")).await;
        assert_eq!(elsewhere.status, 421, "{elsewhere:?}");
    }
    for path in ["/login", "/setup?token=x", "/api/docs", "/device", "/logged-out", "/oauth2/authorize", "/"] {
        let page = mock.browser().open(path).await;
        assert!(page.words().contains("Nobody here is who they say"), "{path}: {page:?}");
    }
    for path in ["/mock", "/mock/journal"] {
        let page = Answer::of(mock.request("GET", path).header("Accept", "text/html")).await;
        assert!(page.words().contains("Nobody here is who they say"), "{path}: {page:?}");
    }
}

/// Fails if a page of this machine is kept out, or one of elsewhere is let in.
async fn pages_of_this_machine_are_let_in() {
    let mock = Mock::start("");
    let preflight = |origin: &str| {
        let request = mock.request("OPTIONS", "/oauth2/token").header("Origin", origin);
        request
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization, x-mock-run")
    };
    let allowed = Answer::of(preflight("http://localhost:5173")).await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("http://localhost:5173"), "{allowed:?}");
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization, x-mock-run"));
    let foreign = Answer::of(preflight("https://evil.example")).await;
    assert_eq!(foreign.header("access-control-allow-origin"), None, "{foreign:?}");
    let reads =
        Answer::of(mock.request("GET", "/.well-known/openid-configuration").header("Origin", "http://[::1]:3000"));
    assert_eq!(reads.await.header("access-control-allow-origin"), Some("http://[::1]:3000"));
    let driven = mock.request("GET", "/mock").header("Origin", "https://evil.example");
    assert_eq!(Answer::of(driven).await.status, 403);
}

/// Fails if issuers below a path mix up their names, their people or their sessions.
async fn issuers_live_below_paths() {
    let mock =
        Mock::start("[[issuers]]\npath = \"acme\"\nname = \"Acme\"\n[[issuers.personas]]\nusername = \"carol\"\n");
    for (path, issuer) in [("", mock.base.clone()), ("/acme", mock.url("/acme")), ("/later", mock.url("/later"))] {
        let metadata = mock.get(&format!("{path}/.well-known/openid-configuration")).await.json();
        assert_eq!(metadata["issuer"], issuer, "{metadata}");
        let prefix = path.trim_start_matches('/');
        let rfc8414 = mock.get(&format!("/.well-known/oauth-authorization-server/{prefix}")).await;
        if !prefix.is_empty() {
            assert_eq!(rfc8414.json()["issuer"], issuer, "{rfc8414:?}");
        }
        let kid = |document: Value| document["keys"][0]["x"].clone();
        let keys = kid(mock.get(&format!("{path}/.well-known/jwks.json")).await.json());
        let main = kid(mock.get("/.well-known/jwks.json").await.json());
        assert_eq!(keys == main, path.is_empty());
    }
    let browser = mock.browser();
    let page = browser.open("/acme/login").await;
    assert!(page.words().contains("Acme"), "{page:?}");
    let form = page.form("/acme/login").with("username", "carol").with("password", "carol");
    let account = browser.submit(&form).await;
    assert!(account.url.path() == "/acme/account" && account.words().contains("Carol"), "{account:?}");
    let main = browser.open("/account").await;
    assert!(main.has_form("/login"), "logged in at Acme alone: {main:?}");
    assert_eq!(mock.get("/unknown/login").await.status, 404);
    assert_eq!(mock.send("POST", "/nobody/login", &json!({})).await.status, 404);
}

once![
    a_seed_makes_the_same_again,
    a_mock_is_never_production,
    pages_of_this_machine_are_let_in,
    issuers_live_below_paths
];
