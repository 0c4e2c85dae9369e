//! Reset, snapshots, and runs that do not see each other.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "/account";

async fn is_logged_in(browser: &Browser) -> bool {
    !browser.open(ACCOUNT).await.has_form("/login")
}

async fn log_in(browser: &Browser) {
    let page = browser.open(ACCOUNT).await;
    browser.submit(&page.form("/login").with("username", "alice").with("password", "alice")).await;
    assert!(is_logged_in(browser).await);
}

/// Fails if anything of before is left: a session, a token, a rule, the time, the journal.
async fn a_reset_leaves_nothing() {
    let mock = Mock::start(&format!(
        "{CI}[[rules]]\nid = \"first\"\nmatch = {{ path = \"/x\" }}\ntimes = 1\nthen = {{ status = 503 }}\n"
    ));
    let browser = mock.browser();
    log_in(&browser).await;
    let token = ci_token(&mock).await;
    assert!(is_active(&mock, &token).await);
    assert_eq!((mock.get("/x").await.status, mock.get("/x").await.status), (503, 404));
    mock.send("PUT", "/mock/rules", &json!([{"match": {"path": "/y"}, "then": {"status": 500}}])).await;
    mock.send("PUT", "/mock/profile", &json!({"name": "auth-down"})).await;
    mock.send("PUT", "/mock/clock", &json!({"advance": "1h"})).await;
    let jwks = mock.get("/.well-known/jwks.json").await;
    assert_eq!(jwks.status, 503);
    assert_eq!(mock.send("POST", "/mock/reset", &json!(null)).await.status, 204);
    assert_eq!(mock.get("/mock/journal").await.json()["count"], 0);
    assert_eq!(mock.get("/mock/clock").await.json()["ahead_seconds"], 0);
    assert!(!is_active(&mock, &token).await, "the token was of another life");
    assert!(!is_logged_in(&browser).await);
    assert_eq!(mock.get("/y").await.status, 404);
    assert_eq!(
        (mock.get("/x").await.status, mock.get("/x").await.status),
        (503, 404),
        "the first rules are as at the start"
    );
    log_in(&browser).await;
}

/// Fails if a restored world differs from what it was, or remembers what came after.
async fn a_snapshot_is_brought_back() {
    let mock = Mock::start(CI);
    let browser = mock.browser();
    log_in(&browser).await;
    let before = ci_token(&mock).await;
    mock.send("PUT", "/mock/rules", &json!([{"id": "kept", "match": {"path": "/x"}, "then": {"status": 503}}])).await;
    mock.send("PUT", "/mock/clock", &json!({"frozen": "2031-05-05T05:05:05Z"})).await;
    log_in(&mock.browser()).await;
    let young = ci_token(&mock).await;
    let taken = mock.send("PUT", "/mock/snapshots/mid", &json!(null)).await;
    assert_eq!((taken.status, taken.text("taken_at")), (200, "2031-05-05T05:05:05.000Z".to_owned()), "{taken:?}");
    assert_eq!(mock.get("/mock/snapshots").await.json()["snapshots"][0]["name"], "mid");

    mock.send("PUT", "/mock/clock", &json!({"resume": true})).await;
    mock.send("DELETE", "/mock/rules", &json!(null)).await;
    let after = ci_token(&mock).await;
    assert!(is_active(&mock, &after).await && is_active(&mock, &before).await);
    for _ in 0..2 {
        // Twice: what is brought back is a copy, and the snapshot stays as it was.
        assert_eq!(mock.send("POST", "/mock/snapshots/mid/restore", &json!(null)).await.status, 204);
        assert_eq!(mock.get("/mock/clock").await.json()["now"], "2031-05-05T05:05:05.000Z");
        assert_eq!(mock.get("/x").await.status, 503);
        assert!(is_active(&mock, &young).await, "it was there");
        assert!(!is_active(&mock, &after).await, "it came later");
        mock.send("DELETE", "/mock/rules", &json!(null)).await;
        revoke(&mock, &young).await;
        assert!(!is_active(&mock, &young).await);
    }
    assert_eq!(mock.send("DELETE", "/mock/snapshots/mid", &json!(null)).await.status, 204);
    assert_eq!(mock.send("POST", "/mock/snapshots/mid/restore", &json!(null)).await.status, 404);
    assert_eq!(mock.send("PUT", "/mock/snapshots/a%20b", &json!(null)).await.status, 400);
}

/// Fails if a run sees another's time, rules, sessions, tokens or journal.
async fn runs_do_not_see_each_other() {
    let mock = Mock::start(CI);
    let of = |run: &str, request: RequestBuilder| request.header("X-Mock-Run", run.to_owned());
    let put = async |run: &str, path: &str, body: Value| {
        let request = mock.request("PUT", path).header("Content-Type", "application/json").body(body.to_string());
        assert_eq!(Answer::of(of(run, request)).await.status, 200);
    };
    let get = async |run: &str, path: &str| Answer::of(of(run, mock.request("GET", path))).await;
    put("a", "/mock/clock", json!({"frozen": "2040-01-01T00:00:00Z"})).await;
    put("b", "/mock/rules", json!([{"match": {"path": "/x"}, "then": {"status": 503}}])).await;
    assert_eq!(get("b", "/mock/clock").await.json()["ahead_seconds"], 0);
    assert_eq!(
        (get("a", "/x").await.status, get("b", "/x").await.status, mock.get("/x").await.status),
        (404, 503, 404)
    );
    let token = async |run: &str| {
        let request = mock.request("POST", "/oauth2/token").basic_auth("ci", Some("secret"));
        Answer::of(of(run, request.form(&[("grant_type", "client_credentials")]))).await.text("access_token")
    };
    let active = async |run: &str, token: &str| {
        let request = mock.request("POST", "/oauth2/introspect").basic_auth("ci", Some("secret"));
        Answer::of(of(run, request.form(&[("token", token)]))).await.json()["active"] == true
    };
    let (a, b) = (token("a").await, token("b").await);
    assert_eq!(claims_of(&a)["iat"], 2_208_988_800_i64);
    assert!(active("a", &a).await && active("b", &b).await);
    assert!(!active("a", &b).await && !active("b", &a).await);
    assert_eq!(get("a", "/mock/journal?path=/oauth2/token").await.json()["count"], 1);
    assert_eq!(mock.get("/mock/journal?path=/oauth2/token").await.json()["count"], 0);
    assert_eq!(mock.get("/mock/journal?run=b&path=/x").await.json()["count"], 1, "browsers name the run in the URL");
    let runs = mock.get("/mock/runs").await.json();
    let names: Vec<_> = runs["runs"].as_array().expect("runs").iter().map(|run| run["run"].clone()).collect();
    assert_eq!(names, ["", "a", "b"]);
    assert_eq!(mock.send("DELETE", "/mock/runs/a", &json!(null)).await.status, 204);
    assert_eq!(mock.send("DELETE", "/mock/runs/a", &json!(null)).await.status, 404);
    assert_eq!(get("a", "/mock/clock").await.json()["ahead_seconds"], 0, "a begins anew");
    assert!(active("b", &b).await);
    assert_eq!(get("a b", "/x").await.status, 400);
}

/// Fails if a page of elsewhere can drive a developer's mock.
async fn a_page_of_elsewhere_drives_nothing() {
    let mock = Mock::start("");
    let paths = [
        ("PUT", "/mock/rules"),
        ("POST", "/mock/rules"),
        ("DELETE", "/mock/rules"),
        ("PUT", "/mock/profile"),
        ("PUT", "/mock/clock"),
        ("POST", "/mock/reset"),
        ("DELETE", "/mock/journal"),
        ("PUT", "/mock/snapshots/x"),
        ("POST", "/mock/snapshots/x/restore"),
        ("DELETE", "/mock/runs/x"),
    ];
    for (method, path) in paths {
        for (name, value) in [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]
        {
            let request =
                mock.request(method, path).header(name, value).header("Content-Type", "text/plain").body("[]");
            assert_eq!(Answer::of(request).await.status, 403, "{method} {path} {name}: {value}");
        }
        let own = mock.request(method, path).header("Origin", "http://localhost:5173").body("[]");
        assert_ne!(Answer::of(own).await.status, 403, "{method} {path}");
    }
    let told = mock.get("/mock").await.json();
    for (_, path) in paths {
        let listed = told["control"].as_array().expect("a list").iter().any(|entry| {
            let known = entry["path"].as_str().unwrap_or_default();
            known.split_once('{').map_or(known == path, |(folder, _)| path.starts_with(folder))
        });
        assert!(listed, "GET /mock lists {path}: {told}");
    }
    let rebound = mock.request("PUT", "/mock/rules").header("Host", "mock.evil.example").body("[]");
    assert_eq!(Answer::of(rebound).await.status, 421);
}

once![
    a_reset_leaves_nothing,
    a_snapshot_is_brought_back,
    runs_do_not_see_each_other,
    a_page_of_elsewhere_drives_nothing,
];
