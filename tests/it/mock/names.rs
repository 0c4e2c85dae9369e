//! The names under which a mock and its issuers answer, and what a page of another site can set off.

use serde_json::json;

use super::*;

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A request to the same mock by another name of this machine.
fn by_name(mock: &Mock, method: &str, path: &str, name: &str) -> reqwest::RequestBuilder {
    let port = mock.base.rsplit(':').next().expect("a port").to_owned();
    mock.request(method, path).header("Host", format!("{name}:{port}"))
}

/// Fails if an issuer has another identifier than the one its client asked for (OpenID Connect Discovery 1.0 §4.3).
async fn b105_the_issuer_is_the_name_that_was_asked() {
    let mock = Mock::start("");
    let port = mock.base.rsplit(':').next().expect("a port").to_owned();
    for (name, path) in
        [("localhost", ""), ("LOCALHOST", ""), ("app.localhost", ""), ("[::1]", ""), ("localhost", "/acme")]
    {
        let issuer = format!("http://{}:{port}{path}", name.to_lowercase());
        let told = Answer::of(by_name(&mock, "GET", &format!("{path}{DISCOVERY}"), name)).await.json();
        assert_eq!(told["issuer"], issuer, "{name}{path}");
        for member in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
            assert!(
                told[member].as_str().is_some_and(|url| url.starts_with(&format!("{issuer}/"))),
                "{member}: {told}"
            );
        }
    }
    let told = mock.get(DISCOVERY).await.json();
    assert_eq!(told["issuer"], mock.base);
}

/// Fails if a token of one name is not good at the API behind the mock, at introspection, and at userinfo.
async fn b105_a_token_of_each_name_is_good() {
    let config = "[[api.routes]]\nmethod = \"GET\"\npath = \"/orders\"\nrequires = { scope = \"orders:read\" }\n";
    let mock = Mock::start(config);
    let port = mock.base.rsplit(':').next().expect("a port").to_owned();
    let issuer = format!("http://localhost:{port}");
    let form = [("grant_type", "client_credentials"), ("scope", "orders:read")];
    let ask = || by_name(&mock, "POST", "/oauth2/token", "localhost").basic_auth("ci", Some("x")).form(&form);
    let issued = Answer::of(ask()).await.text("access_token");
    let wanted = json!({"sub": "alice", "scope": "openid orders:read"});
    let made = Answer::of(by_name(&mock, "POST", "/mock/token", "localhost").json(&wanted)).await.text("access_token");
    for token in [&issued, &made] {
        assert_eq!(claims_of(token)["iss"], issuer);
        for name in ["localhost", "127.0.0.1"] {
            let answer = Answer::of(by_name(&mock, "GET", "/orders", name).bearer_auth(token)).await;
            assert_eq!(answer.status, 204, "{name}: {answer:?}");
        }
        let request = by_name(&mock, "POST", "/oauth2/introspect", "localhost").basic_auth("api", Some("x"));
        let told = Answer::of(request.form(&[("token", token)])).await.json();
        assert_eq!((&told["active"], &told["iss"]), (&json!(true), &json!(issuer)), "{told}");
    }
    let rule = json!([{"times": 1, "match": {"path": "/.well-known/jwks.json"}, "then": "rotate_keys"}]);
    assert!(mock.send("PUT", "/mock/rules", &rule).await.status < 300);
    mock.get("/.well-known/jwks.json").await;
    let after = Answer::of(ask()).await.text("access_token");
    assert_ne!(header_of(&after)["kid"], header_of(&issued)["kid"], "every name signs with the new keys");
    for token in [&issued, &after] {
        let answer = Answer::of(by_name(&mock, "GET", "/orders", "localhost").bearer_auth(token)).await;
        assert_eq!(answer.status, 204, "{answer:?}");
    }
}

/// Fails if an issuer below more than one segment, or below one with a dot, is none.
async fn b107_issuers_of_any_depth() {
    let mock = Mock::start("");
    for path in ["/realms/demo", "/tenant/v2.0", "/a/b/c/d"] {
        let told = mock.get(&format!("{path}{DISCOVERY}")).await;
        assert_eq!(told.json()["issuer"], mock.url(path), "{told:?}");
        let told = mock.get(&format!("/.well-known/oauth-authorization-server{path}")).await;
        assert_eq!(told.json()["issuer"], mock.url(path), "{told:?}");
        let token = mock.token(&json!({"issuer": path.trim_start_matches('/'), "sub": "alice"})).await;
        assert_eq!(claims_of(&token)["iss"], mock.url(path));
        let browser = mock.browser();
        let page = browser.open(&format!("{path}/account")).await;
        let form = page.form(&format!("{path}/login"));
        browser.submit(&form.with("username", "alice").with("password", "alice")).await;
        assert!(
            !browser.open(&format!("{path}/account")).await.has_form(&format!("{path}/login")),
            "{path}: not logged in"
        );
        assert!(browser.open("/account").await.has_form("/login"), "{path}: the main issuer knows nothing of it");
    }
    for path in ["/a//b", "/a%2Fb"] {
        assert_ne!(mock.get(&format!("{path}{DISCOVERY}")).await.status, 200, "{path}");
    }
}

/// Fails if a page of another site takes up places of runs or issuers.
async fn p19_pages_of_other_sites_begin_nothing() {
    let mock = Mock::start("");
    let runs = async || {
        let told = mock.get("/mock/runs").await.json();
        told["runs"].as_array().expect("a list").iter().map(|run| run["run"].clone()).collect::<Vec<_>>()
    };
    let before = runs().await;
    for (number, path) in
        ["/mock?mock_run=evil", "/static/style.css?mock_run=evil", "/evil/.well-known/jwks.json"].iter().enumerate()
    {
        let request = mock.request("GET", &format!("{path}{number}")).header("Sec-Fetch-Site", "cross-site");
        let answer = Answer::of(request.header("Sec-Fetch-Mode", "no-cors")).await;
        assert!(answer.status == 403 || answer.status == 404, "{path}: {answer:?}");
    }
    let request = mock.request("GET", DISCOVERY).header("Sec-Fetch-Site", "cross-site").header("X-Mock-Run", "evil");
    assert_eq!(Answer::of(request).await.status, 403);
    assert_eq!(runs().await, before);
    let issuers = mock.request("GET", "/mock").header("Accept", "application/json");
    assert_eq!(Answer::of(issuers).await.json()["issuers"].as_array().map(Vec::len), Some(1));
    // A link to what is there already works from everywhere.
    let navigation = mock.request("GET", "/login").header("Sec-Fetch-Site", "cross-site");
    assert_eq!(Answer::of(navigation.header("Sec-Fetch-Mode", "navigate")).await.status, 200);
}

/// Fails if a token with claims of its own is worth less than any other.
async fn a_token_with_own_claims_counts_like_any_other() {
    let mock = Mock::start("");
    let wanted = json!({
        "sub": "alice", "scope": "openid profile", "audience": [mock.base.clone()],
        "claims": {"tenant": "t1", "name": "Alice Other", "scope": "openid profile orders:read"},
    });
    let token = mock.token(&wanted).await;
    let userinfo = Answer::of(mock.request("GET", "/oauth2/userinfo").bearer_auth(&token)).await;
    assert_eq!(
        (userinfo.status, &userinfo.json()["tenant"], &userinfo.json()["name"]),
        (200, &json!("t1"), &json!("Alice Other"))
    );
    let introspect = async || {
        let request = mock.request("POST", "/oauth2/introspect").basic_auth("any-api", Some("x"));
        Answer::of(request.form(&[("token", token.as_str())])).await.json()
    };
    let told = introspect().await;
    assert_eq!((&told["active"], &told["tenant"]), (&json!(true), &json!("t1")), "{told}");
    assert!(told["scope"].as_str().is_some_and(|scope| scope.contains("orders:read")), "{told}");
    let revoke =
        mock.request("POST", "/oauth2/revoke").form(&[("token", token.as_str()), ("client_id", "mock-client")]);
    assert_eq!(Answer::of(revoke).await.status, 200);
    assert_eq!(introspect().await, json!({"active": false}));
}

once![
    b105_the_issuer_is_the_name_that_was_asked,
    b105_a_token_of_each_name_is_good,
    b107_issuers_of_any_depth,
    p19_pages_of_other_sites_begin_nothing,
    a_token_with_own_claims_counts_like_any_other,
];
