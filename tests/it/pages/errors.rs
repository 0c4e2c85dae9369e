//! Error pages: what a developer is told, what the log and the trail keep, and where a person goes on.

use crate::harness::*;

/// The line of the log that has all of these; it may be read a moment after the answer.
async fn logged(server: &Server, parts: &[&str]) -> String {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let log = server.log();
        if let Some(line) = log.lines().find(|line| parts.iter().all(|part| line.contains(part))) {
            return line.to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "{parts:?} is not in the log");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn facts(page: &Answer) -> String {
    page.select("dl.facts").join("\n")
}

/// Fails if a wrong redirect URI is refused without a word of what was sent: on the page, in the log, in the trail.
async fn u06_a_redirect_uri_is_shown_as_it_was_sent(db: Db) {
    let server = Server::start(db, &[]);
    let client = Spec::confidential().redirect("https://notes.example/callback").create(&server);
    let sent = "https://notes.example/Callback?tenant=a&code=s3cr3t-c0de";
    let page = Browser::new(&server).get(&client.request().set("redirect_uri", sent).url()).await;
    assert_eq!(page.status, 400, "{page:?}");
    assert!(!page.headers.contains_key("location"));
    let shown = facts(&page);
    for told in [client.id.as_str(), "https://notes.example/Callback?tenant=a&amp;code=s3cr3t-c0de"] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
    assert!(
        !shown.contains("https://notes.example/callback"),
        "in production nobody is told what is registered: {shown}"
    );
    let kept = "https://notes.example/Callback?tenant=a&code=…";
    let id = page.header("x-request-id").expect("an id").to_owned();
    let rows = audit(&server, &format!("kind = 'redirect_uri_mismatch' AND request_id = '{id}'"));
    assert_eq!(rows.len(), 1, "{rows:?}");
    let detail: serde_json::Value = serde_json::from_str(rows[0]["detail"].as_str().expect("a detail")).expect("JSON");
    assert_eq!(detail["redirect_uri"], kept);
    logged(&server, &[&id, "refused", kept, &client.id]).await;
    assert!(!server.log().contains("s3cr3t-c0de"), "a code in the log");

    // Each character is seen, and none of it is markup.
    for (sent, told) in [
        ("https://notes.example/\u{200b}callback", "https://notes.example/\\u{200b}callback"),
        (
            "https://notes.example/<script>alert(1)</script>",
            "https://notes.example/&lt;script&gt;alert(1)&lt;/script&gt;",
        ),
    ] {
        let page = Browser::new(&server).get(&client.request().set("redirect_uri", sent).url()).await;
        assert_own_page(&page);
        assert!(facts(&page).contains(told), "{told} in {page:?}");
    }
    let twice = client.request().add("redirect_uri", "https://other.example/").url();
    let page = Browser::new(&server).get(&twice).await;
    assert!(page.words().contains("redirect_uri is given more than once"), "{page:?}");
}

/// Fails if a developer is not told what is registered, how it differs, and what adds what was sent.
async fn u06_development_mode_has_the_remedy(db: Db) {
    let server = Server::start_dev(db);
    let client = Spec::confidential().redirect("https://notes.example/callback").create(&server);
    let mut request = client.request().set("redirect_uri", "https://notes.example/Callback?a=b&c=d");
    let page = Browser::new(&server).get(&request.url()).await;
    let words = page.words();
    for told in [
        "Registered https://notes.example/callback",
        "differs in the path, the query, from https://notes.example/callback",
        &format!(
            "latchway client update {} --redirect-uri https://notes.example/callback \
             'https://notes.example/Callback?a=b&c=d'",
            client.id
        ),
    ] {
        assert!(words.contains(told), "{told} in {words}");
    }
    // The command does what it says.
    server.cli(&[
        "client",
        "update",
        &client.id,
        "--redirect-uri",
        "https://notes.example/callback",
        "https://notes.example/Callback?a=b&c=d",
    ]);
    let page = Browser::new(&server).open(&request.url()).await;
    assert!(page.has_form("/login"), "{page:?}");
    request = request.set("redirect_uri", "https://notes.example/*");
    let words = Browser::new(&server).get(&request.url()).await.words();
    assert!(words.contains("it cannot be registered") && !words.contains("client update"), "{words}");
}

/// Fails if an app that forgot its id is told that it is unknown, or what was sent is not said.
async fn u06_a_missing_client_id_is_missing(server: Shared) {
    let browser = Browser::new(server);
    for (query, sentence) in [
        ("", "client_id is missing"),
        ("?client_id=", "client_id is missing"),
        ("?client_id=a&client_id=b", "client_id is given more than once"),
        ("?client_id=nobody-here", "client_id names no active client"),
    ] {
        let page = browser.get(&format!("/oauth2/authorize{query}")).await;
        assert_eq!(page.status, 400, "{page:?}");
        assert!(page.words().contains(sentence), "{sentence}: {}", page.words());
        assert_eq!(page.words().contains("nobody-here"), query.contains("nobody-here"), "{page:?}");
        let id = page.header("x-request-id").expect("an id").to_owned();
        logged(server, &[&id, sentence]).await;
    }
}

/// Fails if a refusal that the browser carries back leaves no reason here.
async fn u06_redirected_refusals_have_their_reason(server: Shared) {
    let client = Client::public(server);
    for (request, reason) in [
        (client.request().set("response_type", "token"), "response_type must be code"),
        (client.request().without("code_challenge").without("code_challenge_method"), "code_challenge is missing"),
        (client.request().set("scope", "not:mine"), "scope"),
        (client.request().set("prompt", "none"), "prompt=none forbids to ask"),
    ] {
        let answer = Browser::new(server).get(&request.url()).await;
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert!(answer.redirect().param("error").is_some(), "{answer:?}");
        logged(server, &[&id, "refused", reason, &client.id]).await;
        let rows = audit(server, &format!("request_id = '{id}'"));
        assert!(
            rows.iter().any(|row| row["detail"].as_str().is_some_and(|detail| detail.contains(reason))),
            "{rows:?}"
        );
    }
}

/// Fails if a person stands before a closed door: without a way on, or without an address to write to.
async fn u06_pages_lead_on(db: Db) {
    let config =
        [("server.support_email", "support@example.com"), ("server.help_url", "https://help.example/login?a=b&c=d")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    let forged = browser.post(&browser.get("/account").await.form("/logout").with("csrf", "x")).await;
    assert_eq!(forged.status, 403);
    assert_eq!(forged.select(".actions a[href='/account']").len(), 1, "{forged:?}");
    assert_eq!(forged.select("a#support[href='mailto:support@example.com']").len(), 1, "{forged:?}");
    let login = Browser::new(&server).get("/login").await;
    assert_eq!(login.select("a#help[href='https://help.example/login?a=b&c=d'][rel~=noopener]").len(), 1, "{login:?}");

    // A typed address of the logout asks, and ends nothing by itself.
    let asked = browser.get("/logout").await;
    assert_eq!(asked.status, 200, "{asked:?}");
    assert_own_page(&asked);
    assert_eq!(browser.get("/account").await.status, 200, "still logged in");
    let out = browser.submit(&asked.form("/logout")).await;
    assert!(out.words().contains("You are logged out"), "{out:?}");
    assert_eq!(browser.get("/logout").await.header("location"), Some("/logged-out"));
}

both![
    u06_a_redirect_uri_is_shown_as_it_was_sent,
    u06_development_mode_has_the_remedy,
    u06_a_missing_client_id_is_missing,
    u06_redirected_refusals_have_their_reason,
    u06_pages_lead_on,
];
