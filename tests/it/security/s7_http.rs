//! 7 HTTP: headers, paths, origins, limits.

use reqwest::{Method, RequestBuilder};

use super::held::{Held, at_once};
use crate::harness::*;

async fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = http().request(method, server.url(path));
    Answer::of(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

async fn g_003_large_bodies(server: Shared) {
    let client = Client::confidential(server);
    let large = "x".repeat(17 * 1024);
    assert_j(&client.token(&[("grant_type", "client_credentials"), ("scope", &large)]).await, 413, "payload_too_large");
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    let answer = browser.post(&page.form("/login").with("username", &large)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_own_page(&answer);
    // A body that fits passes as far as its meaning goes.
    let fits = "x".repeat(15 * 1024);
    assert_j(&client.token(&[("grant_type", &fits)]).await, 400, "unsupported_grant_type");
    // Compressed bodies are not unpacked: a kilobyte of them would be a megabyte.
    for encoding in ["gzip", "br", "deflate", "zstd"] {
        let request = http().post(server.url("/oauth2/token")).header("Content-Encoding", encoding);
        let request = request.basic_auth(&client.id, client.secret.as_deref());
        let answer = Answer::of(request.form(&[("grant_type", "client_credentials")])).await;
        assert_j(&answer, 415, "unsupported_media_type");
    }
}

async fn g_006_method_override(server: Shared) {
    for headers in [
        [("X-HTTP-Method-Override", "POST"), ("X-Method-Override", "DELETE")],
        [("X-HTTP-Method", "POST"), ("X-Original-Method", "POST")],
    ] {
        let answer = send(server, "GET", "/oauth2/token?_method=POST", &headers).await;
        assert_j(&answer, 405, "method_not_allowed");
        assert_eq!(send(server, "POST", "/livez?_method=GET", &headers).await.status, 405);
    }
    let held = Held::new(server).await;
    let form = held.browser.get("/account").await.form("/logout").with("_method", "GET");
    let url = format!("{}?_method=POST&{}", form.action, form.encoded());
    // Asked by GET it shows a button, and does nothing.
    assert!(held.browser.get(&url).await.has_form("/logout"));
    assert_eq!(held.browser.get("/account").await.status, 200, "still logged in");
}

const FORGED: &[(&str, &str)] = &[
    ("X-Forwarded-For", "198.51.100.77"),
    ("X_Forwarded_For", "198.51.100.77"),
    ("Forwarded", "for=198.51.100.77;host=evil.example;proto=https"),
    ("X-Real-IP", "198.51.100.77"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Uri", "/admin"),
    ("X-Original-URI", "/admin"),
    ("X-Rewrite-URL", "/admin"),
    ("X-SSL-Client-Cert", "x"),
    ("X-SSL-Client-Verify", "SUCCESS"),
];

async fn g_007_forged_proxy_headers(db: Db) {
    let server = Server::start(db, &[("limits.login_failures_per_account", "3")]);
    let user = User::new(&server);
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    let wrong = page.form("/login").with("username", &user.username).with("password", "wrong");
    let attempt = |address: &str| {
        let request = browser.request(Method::POST, &wrong.action).header("Sec-Fetch-Site", "same-origin");
        let request = FORGED
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value.replace("198.51.100.77", address)));
        request.header("Content-Type", "application/x-www-form-urlencoded").body(wrong.encoded())
    };
    for n in 0..6 {
        let answer = Answer::of(attempt(&format!("198.51.100.{n}"))).await;
        assert_eq!(answer.status, if n < 3 { 422 } else { 429 }, "attempt {n}: {answer:?}");
        assert!(!answer.body.contains("evil.example"), "{answer:?}");
    }
    // Nor does an address that cannot be read let anybody past.
    assert_eq!(Answer::of(attempt("\u{fc}\t, rubbish")).await.status, 429);
    for event in audit(&server, "kind IN ('login_failed', 'login_throttled')") {
        assert_eq!(event["address"], "127.0.0.1", "{event}");
    }
    for path in ["/login", "/livez", "/.well-known/openid-configuration"] {
        let (plain, forged) = (send(&server, "GET", path, &[]).await, send(&server, "GET", path, FORGED).await);
        assert_eq!((plain.status, plain.headers.len()), (forged.status, forged.headers.len()), "{path}");
        assert!(!forged.body.contains("evil.example"), "{forged:?}");
    }
    assert_eq!(send(&server, "GET", "/livez", FORGED).await.json()["status"], "ok");
}

async fn g_008_a_chain_of_proxies(db: Db) {
    let server = Server::start(db, &[("server.trusted_proxies", "127.0.0.1/32,10.0.0.0/8")]);
    let client = Client::confidential(&server);
    for (headers, address) in [
        (vec!["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        (vec!["1.2.3.4, 203.0.113.10, 10.0.0.2"], "203.0.113.10"),
        (vec!["127.0.0.1, 10.1.1.1, 203.0.113.11, 10.0.0.2, 10.0.0.3"], "203.0.113.11"),
        (vec!["1.2.3.4", "203.0.113.12"], "203.0.113.12"),
        (vec!["1.2.3.4, nonsense, 203.0.113.13"], "203.0.113.13"),
        (vec!["203.0.113.14, nonsense"], "127.0.0.1"),
        (vec!["1.2.3.4, , 10.0.0.2"], "10.0.0.2"),
        (vec!["2001:db8::7"], "2001:db8::7"),
    ] {
        let request = http().post(server.url("/oauth2/token")).basic_auth(&client.id, Some("wrong"));
        let request = headers.iter().fold(request, |request, value| request.header("X-Forwarded-For", *value));
        let answer = Answer::of(request.form(&[("grant_type", "client_credentials")])).await;
        assert_ic(&answer);
        let id = answer.header_or_empty("x-request-id");
        let events = audit(&server, &format!("kind = 'client_auth_failed' AND request_id = '{id}'"));
        assert_eq!(events[0]["address"], address, "{headers:?}");
    }
}

/// Another spelling of a path is not there, or is that very path with all that guards it.
async fn g_009_spellings_of_paths(server: Shared) {
    for path in [
        "//oauth2/token",
        "/oauth2//token",
        "/oauth2/token/",
        "/./oauth2/token",
        "/oauth2/./token",
        "/x/../oauth2/token",
        "/oauth2/token;x=1",
        "/OAUTH2/TOKEN",
        "/oauth2/Token",
        "/oauth2%2ftoken",
        "/admin/..;/oauth2/token",
        "/oauth2/token%00",
        "/oauth2/token%20",
        "/oauth2/token.json",
        "/oauth2\\token",
        "/oauth2/%2e/token",
    ] {
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let answer = server.raw(head.as_bytes());
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.text);
        assert!(answer.status == 400 || answer.has_header("x-content-type-options"), "{path}: {}", answer.text);
    }
    // An escape that means the same letter: the same answer, or none.
    let head = "POST /oauth2/%74oken HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let answer = server.raw(head.as_bytes());
    assert!([404, 415].contains(&answer.status) && answer.has_header("cache-control"), "{}", answer.text);
    for path in ["//account", "/account/", "/account;x", "/%61ccount", "/ACCOUNT", "/login/../account", "/account%2f"] {
        let answer = server.raw_get(path.as_bytes());
        assert!([303, 400, 404].contains(&answer.status), "{path}: {}", answer.text);
        assert!(answer.status != 303 || answer.text.contains("/login"), "{path}: {}", answer.text);
    }
}

async fn preflight(server: &Server, path: &str, origin: &str) -> Answer {
    let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
    let answer = send(server, "OPTIONS", path, &headers).await;
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer:?}");
    answer
}

async fn g_010_origins(server: Shared) {
    let spa = "https://spa-g010.example";
    let held = Held::by(server, Spec::public().redirect(&format!("{spa}/cb")).create(server)).await;
    let disabled = Spec::public().redirect("https://disabled-g010.example/cb").create(server);
    let confidential = Spec::confidential().redirect("https://server-g010.example/cb").create(server);
    server.cli(&["client", "disable", &disabled.id]);
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    for path in ["/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo"] {
        let answer = preflight(server, path, spa).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some(spa), "{path}: {answer:?}");
        assert!(answer.header_or_empty("vary").contains("Origin"), "{path}: {answer:?}");
        assert!(answer.header_or_empty("access-control-allow-methods").contains("POST"), "{path}: {answer:?}");
        for origin in [
            "null",
            "https://evil.example",
            "https://spa-g010.example.evil",
            "https://xspa-g010.example",
            "http://spa-g010.example",
            "https://spa-g010.example:8443",
            "https://SPA-g010.example",
            "https://spa-g010.example/",
            "*",
            "file://",
            "https://disabled-g010.example",
            "https://server-g010.example",
            &server.issuer,
        ] {
            let answer = preflight(server, path, origin).await;
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path} for {origin}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-methods"), None, "{path} for {origin}: {answer:?}");
            assert!(answer.header_or_empty("vary").contains("Origin"), "{path}: {answer:?}");
        }
    }
    for path in
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"]
    {
        for origin in [spa, "https://evil.example", "null"] {
            let answer = send(server, "GET", path, &[("Origin", origin)]).await;
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}: {answer:?}");
            assert_eq!(answer.header("access-control-allow-credentials"), None, "{path}: {answer:?}");
        }
    }
    let own = ["/", "/login", "/consent", "/account", "/logout", "/oauth2/authorize", "/oauth2/introspect", "/readyz"];
    for path in own {
        assert_eq!(preflight(server, path, spa).await.header("access-control-allow-origin"), None, "{path}");
        let answer = send(server, "GET", path, &[("Origin", spa)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}: {answer:?}");
    }
    // The answer itself is shared too, and so is a refusal, so that the app can read why.
    let with_origin = |request: RequestBuilder| Answer::of(request.header("Origin", spa));
    let token = http().post(server.url("/oauth2/token")).form(&[("client_id", &held.client.id)]);
    let refused = with_origin(token).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (400, Some(spa)), "{refused:?}");
    let info = with_origin(http().get(server.url("/oauth2/userinfo")).bearer_auth(&held.access)).await;
    assert_eq!((info.status, info.header("access-control-allow-origin")), (200, Some(spa)), "{info:?}");
    assert!(confidential.secret.is_some());
}

async fn g_011_caches(server: Shared) {
    let held = Held::new(server).await;
    let browser = &held.browser;
    let request = held.client.request();
    let page = browser.open(&request.url()).await;
    let mut answers = vec![
        browser.get("/").await,
        browser.get("/account").await,
        Browser::new(server).get("/login").await,
        Browser::new(server).get("/account").await,
        browser.get("/logged-out").await,
        browser.get("/nothing").await,
        browser.authorize(&request).await,
        browser.authorize(&request.clone().set("redirect_uri", "https://evil.example")).await,
        held.client.introspect(&held.access).await,
        held.client.userinfo(&held.access).await,
        held.client.userinfo("garbage").await,
        held.client.refresh("garbage").await,
        held.client.revoke("garbage").await,
        browser.get("/livez").await,
        page.clone(),
    ];
    answers.push(browser.post(&page.form("/consent").press("decision", "approve")).await);
    answers.last().expect("the redirect").redirect().code();
    for answer in &answers {
        assert_no_store(answer);
    }
    let links = page.select("link[rel=stylesheet]");
    let asset = links[0].split("href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a stylesheet");
    let answer = browser.get(&asset.replace("&amp;", "&")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cache = answer.header_or_empty("cache-control");
    assert!(cache.contains("immutable") && cache.contains("max-age=31536000"), "{answer:?}");
    assert_eq!(answer.header("set-cookie"), None);
}

async fn g_016_bounded_state(db: Db) {
    let server = Server::start(db, &[("limits.authorize_per_address_per_minute", "1000000")]);
    let client = Client::confidential(&server);
    // A login that nobody has begun waits in the browser.
    let answers = at_once((0..60).map(|_| http().get(client.request().url()))).await;
    for answer in &answers {
        assert_eq!(answer.status, 303, "{answer:?}");
    }
    // Looking at pages stores nothing.
    for _ in 0..30 {
        Browser::new(&server).get("/login").await;
    }
    for table in ["sessions", "throttles", "one_time_links", "codes", "grants", "form_answers"] {
        assert!(server.database.rows(table, "1 = 1").is_empty(), "{table}");
    }
    // And all else goes on.
    assert_j(&client.refresh("garbage").await, 400, "invalid_grant");
}

/// Neither `claims` nor `authorization_details` is offered: whatever their size and depth, they cost nothing.
async fn g_017_amplification(server: Shared) {
    let client = Client::confidential(server);
    let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
    for (name, value) in [("claims", &deep), ("authorization_details", &deep), ("claims", &"{\"a\":".repeat(1_000))] {
        let answer = Browser::new(server).authorize(&client.request().set(name, value)).await;
        assert!(answer.status < 500 && answer.body.len() < 20_000, "{answer:?}");
        assert!(!answer.body.contains("[[[["), "{answer:?}");
    }
    let answer = Browser::new(server).authorize(&client.request().set("claims", &"x".repeat(60_000))).await;
    assert_eq!(answer.status, 414, "{answer:?}");
}

async fn g_018_headers_on_every_refusal(db: Db) {
    let config = [("limits.authorize_per_address_per_minute", "1"), ("database.timeout_seconds", "1")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let held = Held::by(&server, client.clone()).await;
    let mut answers = vec![
        send(&server, "GET", "/nothing", &[]).await,
        send(&server, "GET", "/oauth2/nothing", &[]).await,
        send(&server, "DELETE", "/login", &[]).await,
        send(&server, "GET", "/oauth2/token", &[]).await,
        send(&server, "GET", &format!("/{}", "a".repeat(17_000)), &[]).await,
        client.token(&[("scope", &"x".repeat(20_000))]).await,
        Browser::new(&server).authorize(&client.request()).await,
        send(&server, "OPTIONS", "/oauth2/token", &[]).await,
        held.client.userinfo("garbage").await,
    ];
    let blocked = server.database.block();
    answers.push(held.client.revoke(&held.refresh).await);
    drop(blocked);
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [404, 404, 405, 405, 414, 413, 429, 405, 401, 503], "{answers:?}");
    for answer in &answers {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
        assert!(answer.header_or_empty("content-security-policy").contains("default-src 'none'"), "{answer:?}");
        assert!(answer.header_or_empty("x-request-id").len() >= 16, "{answer:?}");
        assert_no_store(answer);
    }
    for answer in [&answers[2], &answers[3]] {
        assert!(!answer.header_or_empty("allow").is_empty(), "RFC 9110 §15.5.6: {answer:?}");
    }
}

async fn g_019_too_many(db: Db) {
    let config = [
        ("limits.client_auth_failures", "5"),
        ("limits.client_auth_window_seconds", "60"),
        ("limits.authorize_per_address_per_minute", "5"),
    ];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let mut wrong = client.clone();
    wrong.secret = Some("wrong".to_owned());
    for _ in 0..5 {
        assert_ic(&wrong.refresh("garbage").await);
    }
    for refused in [wrong.refresh("garbage").await, client.refresh("garbage").await, wrong.introspect("x").await] {
        assert_j(&refused, 429, "slow_down");
        assert!(
            refused.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| (1..=60).contains(&s)),
            "{refused:?}"
        );
    }
    // By no header is it somebody else, and no other client is kept out.
    let forged = http().post(server.url("/oauth2/token")).basic_auth(&client.id, Some("wrong"));
    let forged = FORGED.iter().fold(forged, |request, (name, value)| request.header(*name, *value));
    assert_eq!(Answer::of(forged.form(&[("grant_type", "client_credentials")])).await.status, 429);
    assert_ig(&Client::confidential(&server).refresh("garbage").await);
    // People get a page.
    let mut last = Browser::new(&server).authorize(&client.request()).await;
    for _ in 0..6 {
        last = Browser::new(&server).authorize(&client.request()).await;
    }
    assert_eq!(last.status, 429, "{last:?}");
    assert_own_page(&last);
    assert!(last.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| s >= 1), "{last:?}");
    assert_eq!(send(&server, "GET", "/.well-known/jwks.json", &[]).await.status, 200, "public keys are for everybody");
}

both![
    g_003_large_bodies,
    g_006_method_override,
    g_007_forged_proxy_headers,
    g_008_a_chain_of_proxies,
    g_009_spellings_of_paths,
    g_010_origins,
    g_011_caches,
    g_016_bounded_state,
    g_017_amplification,
    g_018_headers_on_every_refusal,
    g_019_too_many,
];
