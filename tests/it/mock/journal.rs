//! The journal, to assert on and to look at.

use serde_json::{Value, json};

use super::*;

async fn read(mock: &Mock, query: &str) -> Value {
    let answer = mock.get(&format!("/mock/journal?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Fails if an entry lacks what came in, what came of it, or why; or shows a password.
async fn an_entry_tells_what_and_why() {
    let mock = Mock::start(CI);
    let wrong = mock.request("POST", "/oauth2/token").basic_auth("ci", Some("wrong"));
    Answer::of(wrong.form(&[("grant_type", "client_credentials"), ("password", "hush")])).await;
    let journal = read(&mock, "path=/oauth2/token&status=401&method=POST").await;
    let entry = &journal["entries"][0];
    assert_eq!((journal["count"].as_u64(), entry["sequence"].as_u64()), (Some(1), Some(1)), "{journal}");
    assert_eq!(entry["matched"], "POST /oauth2/token");
    assert!(entry["refused"].as_str().is_some_and(|why| why.starts_with("invalid_client: ")), "{entry}");
    assert_eq!(
        (entry["client_id"].as_str(), entry["place"].as_str(), entry["issuer"].as_str()),
        (Some("ci"), Some("issuer"), Some(""))
    );
    assert_eq!(entry["request"]["body"], "grant_type=client_credentials&password=***");
    assert!(entry["request"]["headers"]["authorization"].as_str().is_some_and(|value| value.starts_with("Basic ")));
    assert!(entry["response"]["body"].as_str().is_some_and(|body| body.contains("invalid_client")), "{entry}");
    assert!(
        entry["response"]["headers"]["www-authenticate"].is_string() && entry["duration_ms"].is_number(),
        "{entry}"
    );
    assert!(!journal.to_string().contains("hush"));

    let token = ci_token(&mock).await;
    Answer::of(mock.request("GET", "/orders").bearer_auth(&token)).await;
    let entry = read(&mock, "place=api").await["entries"][0].clone();
    assert_eq!((entry["status"].as_u64(), &entry["claims"]), (Some(404), &claims_of(&token)), "{entry}");
}

/// Fails if rules that had their way, or nearly, are not told.
async fn rules_are_told() {
    let mock = Mock::start("");
    mock.send(
        "PUT",
        "/mock/rules",
        &json!([
            {"id": "posts", "match": {"path": "/orders", "method": "POST"}, "then": {"status": 500}},
            {"id": "once", "times": 1, "match": {"path": "/orders"}, "then": {"status": 503}},
        ]),
    )
    .await;
    mock.get("/orders").await;
    mock.get("/orders").await;
    let journal = read(&mock, "path=/orders").await;
    let (first, second) = (&journal["entries"][0], &journal["entries"][1]);
    assert_eq!((&first["rules"], &first["matched"]), (&json!(["once"]), &json!("a rule")), "{first}");
    assert_eq!(first["near"], json!([{"what": "rule posts", "why": "the method is GET, not POST"}]));
    assert_eq!(second["near"][1], json!({"what": "rule once", "why": "it was for 1 and is used up"}), "{second}");
    assert_eq!(read(&mock, "rule=once").await["count"], 1);
}

/// Fails if a filter lets others through, a wait ends before or long after what it waits for, or numbers begin anew.
async fn the_journal_is_asked_and_waited_for() {
    let mock = Mock::start("");
    for path in ["/a", "/b", "/b"] {
        mock.get(path).await;
    }
    assert_eq!(read(&mock, "path=/b").await["count"], 2);
    assert_eq!(read(&mock, "after=2").await["entries"][0]["sequence"], 3);
    assert_eq!(read(&mock, "limit=1").await["entries"][0]["sequence"], 3, "the newest");
    let (waited, _) = tokio::join!(read(&mock, "after=3&path=/c&wait=10"), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        mock.get("/d").await;
        mock.get("/c").await
    });
    assert_eq!((&waited["entries"][0]["path"], &waited["count"]), (&json!("/c"), &json!(1)), "{waited}");
    let began = std::time::Instant::now();
    assert_eq!(read(&mock, "path=/never&wait=1").await["count"], 0);
    assert!((1.0..8.0).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
    let one = mock.get("/mock/journal/1").await;
    assert_eq!(one.json()["path"], "/a");
    assert_eq!(mock.send("DELETE", "/mock/journal", &json!(null)).await.status, 204);
    assert_eq!(mock.get("/mock/journal/1").await.status, 404);
    mock.get("/e").await;
    assert_eq!(read(&mock, "").await["entries"][0]["sequence"], 6);
    let wrong = mock.get("/mock/journal?stauts=401").await;
    assert!(wrong.status == 400 && wrong.text("detail").contains("did you mean status"), "{wrong:?}");
}

/// Fails if who asks for JSON gets a page, or a browser gets none, or the page is open to scripts of elsewhere.
async fn a_page_for_people_and_json_for_programs() {
    let mock = Mock::start("");
    mock.get("/orders?text=%3Cb%3E").await;
    let page = Answer::of(mock.request("GET", "/mock/journal").header("Accept", "text/html,*/*;q=0.8")).await;
    assert!(page.is_html() && page.words().contains("/orders"), "{page:?}");
    let policy = page.header_or_empty("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for request in [
        mock.request("GET", "/mock/journal"),
        mock.request("GET", "/mock/journal").header("Accept", "application/json"),
        mock.request("GET", "/mock/journal?format=json").header("Accept", "text/html"),
    ] {
        assert_eq!(Answer::of(request).await.json()["count"], 1);
    }
}

/// Fails if a page does not show a new request by itself, loses the filter, or sticks out on a phone.
async fn a_browser_follows() {
    let mock = Mock::start(
        "[[issuers]]\npath = \"acme\"\n[[rules]]\nid = \"down\"\nmatch = { path = \"/payments\" }\nthen = { status = 503, body = { error = \"down\" } }\n",
    );
    mock.get("/acme/.well-known/openid-configuration").await;
    let screenshots = target().join("screenshots").display().to_string();
    run_script(
        "node/browser.mjs",
        &[("ISSUER", &mock.base), ("SCENARIO", "mockJournal"), ("SCREENSHOTS", &screenshots)],
    );
}

once![
    an_entry_tells_what_and_why,
    rules_are_told,
    the_journal_is_asked_and_waited_for,
    a_page_for_people_and_json_for_programs,
    a_browser_follows,
];
