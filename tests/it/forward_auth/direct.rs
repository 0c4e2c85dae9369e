//! The questions of a proxy, asked without one.

use serde_json::json;

use super::{ENDPOINT, GATE, House, cookies, told};
use crate::harness::*;

const API: &str = "https://orders.example";

fn program(server: &Server) -> Client {
    Spec::confidential().grants(&["client_credentials"]).scope("orders:read orders:write").audience(GATE).create(server)
}

/// Keys that pass the gate.
fn of_client(server: &Server, client: &Client, scope: &str, flags: &[&str]) -> Key {
    Key::of_client(server, client, scope, &[&["--audience", GATE], flags].concat())
}

fn of_person(server: &Server, user: &User, scope: &str) -> Key {
    Key::of_person(server, user, scope, &["--audience", GATE])
}

async fn machine_token(client: &Client) -> String {
    client.token(&[("grant_type", "client_credentials"), ("scope", "orders:read")]).await.text("access_token")
}

/// An app's token for a person, with their browser.
async fn person_token(server: &Server, user: &User, scope: &str) -> (Browser, String) {
    let client = Spec::confidential().scope(scope).audience(GATE).create(server);
    let (browser, request) = (Browser::new(server), client.request());
    let code = browser.grant(user, &request).await.code();
    (browser, client.redeem(&request, &code).await.text("access_token"))
}

/// Fails if a credential is not understood, or tells the app something wrong of its bearer.
async fn every_credential_passes(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let (client, user) = (program(server), User::new(server));
    let token = machine_token(&client).await;
    let bearer = Answer::of(house.ask("").bearer_auth(&token)).await;
    assert_eq!(told(&bearer), ["", &client.id, &client.id, "orders:read", "", "bearer"]);

    let (browser, token) = person_token(server, &user, "openid orders:read").await;
    let by_person = Answer::of(house.ask("").bearer_auth(&token)).await;
    let [username, subject, client_id, scope, roles, method] = told(&by_person);
    assert_eq!([username, subject, roles, method], [&user.username, &user.id, "", "bearer"]);
    assert!(client_id.starts_with("lwc_") && scope == "openid orders:read", "{by_person:?}");

    let key = of_client(server, &client, "orders:read", &[]);
    let wanted = ["", &client.id, &client.id, "orders:read", "", "api_key"];
    assert_eq!(told(&Answer::of(house.ask("").header("X-API-Key", &key.text)).await), wanted);
    assert_eq!(told(&Answer::of(house.ask("").bearer_auth(&key.text)).await), wanted);
    let own = of_person(server, &user, "orders:read");
    let by_key = Answer::of(house.ask("").header("X-API-Key", &own.text)).await;
    assert_eq!(told(&by_key), [user.username.as_str(), &user.id, "", "orders:read", "", "api_key"]);

    let session = house.ask("").header("Cookie", cookies(&browser));
    let by_session = Answer::of(session).await;
    assert_eq!(told(&by_session), [user.username.as_str(), &user.id, "", "", "user", "session"]);
    // HEAD is asked like GET.
    let head = http().head(server.url(ENDPOINT)).header("X-API-Key", &key.text);
    assert_eq!(told(&Answer::of(head).await), wanted);
    // The access token of a first-party app, in its cookie; one that has ended says nothing of the session beside it.
    let access = house.ask("").header("Cookie", format!("latchway_access={token}"));
    assert_eq!(told(&Answer::of(access).await)[5], "bearer");
    let both = house.ask("").header("Cookie", format!("latchway_access=a.b.c; {}", cookies(&browser)));
    assert_eq!(told(&Answer::of(both).await)[5], "session");
    // A name in another script arrives in ASCII.
    let zoe = User::named(server, "zoë");
    let key = of_person(server, &zoe, "orders:read");
    assert_eq!(told(&Answer::of(house.ask("").header("X-API-Key", &key.text)).await)[0], "zo%C3%AB");
}

/// Fails if something passes that is no credential, or one that is none is overlooked for another that is one.
async fn a_bad_credential_is_never_overlooked(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let (client, user) = (program(server), User::new(server));
    let (token, key) = (machine_token(&client).await, of_client(server, &client, "orders:read", &[]));
    let session = cookies(&Browser::of(server, &user).await);
    let ask = || house.ask("").header("Cookie", &session);
    assert_eq!(Answer::of(ask()).await.status, 204);
    let mut typo = key.text.clone();
    typo.replace_range(40..41, if &typo[40..41] == "x" { "y" } else { "x" });
    let bad = vec![
        ask().bearer_auth("garbage"),
        ask().bearer_auth(""),
        ask().bearer_auth(format!("{token}x")),
        ask().bearer_auth(&typo),
        ask().header("Authorization", "Bearer"),
        ask().header("Authorization", "Basic YTpi"),
        ask().header("Authorization", format!("DPoP {token}")),
        ask().header("Authorization", reqwest::header::HeaderValue::from_bytes(b"Bearer \xff").expect("a value")),
        ask().header("X-API-Key", ""),
        ask().header("X-API-Key", &typo),
        ask().header("X-API-Key", &token),
        ask().header("X-API-Key", format!("{}, {}", key.text, key.text)),
        ask().header("X-API-Key", reqwest::header::HeaderValue::from_bytes(b"lw_\xff").expect("a value")),
        ask().header("X-API-Key", &key.text).header("X-API-Key", &key.text),
        ask().header("X-API-Key", &key.text).bearer_auth(&token),
        ask().bearer_auth(&token).bearer_auth(&token),
        house.ask("").header("Cookie", format!("{session}; {session}")),
        house.ask("").header("Cookie", "latchway_session=x; latchway_gate=y; latchway_access=z"),
        house.ask("").header("Cookie", format!("latchway_session={}", key.text)),
        house.ask("").header("Cookie", format!("latchway_access={}", key.text)),
    ];
    for (index, request) in bad.into_iter().enumerate() {
        let answer = Answer::of(request).await;
        assert_j(&answer, 401, "invalid_token");
        assert!(answer.header_or_empty("www-authenticate").starts_with("Bearer realm="), "{index}: {answer:?}");
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("x-auth-")), "{index}: {answer:?}");
    }
    let nothing = Answer::of(house.ask("")).await;
    assert_eq!(nothing.header("www-authenticate"), Some("Bearer realm=\"latchway\""), "RFC 6750 section 3.1");
    for path in ["?access_token=", "?token=", "?api_key="] {
        let answer = Answer::of(house.ask(&format!("{path}{}", key.text))).await;
        assert_j(&answer, 400, "invalid_request");
    }
}

/// Fails if a demand is not met and the request passes, or if a mistyped demand is one that everybody meets.
async fn demands_are_met_or_refused(db: Db) {
    let house = House::with(db, &[("gatekeeper.session_scope", "orders:read")]);
    let server = &house.server;
    let client = Spec::confidential()
        .grants(&["client_credentials"])
        .scope("a b orders:read")
        .audience(API)
        .audience(GATE)
        .create(server);
    let key = |audience: &str, scope: &str| Key::of_client(server, &client, scope, &["--audience", audience]);
    let (ab, for_api) = (key(GATE, "a b"), key(API, "a"));
    let user = User::new(server);
    let admin = User::new(server);
    server.database.execute(&format!("UPDATE users SET role = 'admin' WHERE username = '{}'", admin.username));
    let (of_user, of_admin) = (of_person(server, &user, "orders:read"), of_person(server, &admin, "orders:read"));
    let browser = Browser::of(server, &user).await;
    let with_key = |query: &str, key: &Key| house.ask(query).header("X-API-Key", &key.text);
    let with_session = |query: &str| house.ask(query).header("Cookie", cookies(&browser));
    let own = url::form_urlencoded::byte_serialize(server.issuer.as_bytes()).collect::<String>();
    for (request, status) in [
        (with_key("?scope=a", &ab), 204),
        (with_key("?scope=a%20b", &ab), 204),
        (with_key("?scope=a+b&scope=a", &ab), 204),
        (with_key("?scope=a&scope=b&scope=c", &ab), 403),
        (with_key("?scope=c", &ab), 403),
        (with_key("?scope=A", &ab), 403),
        (with_key("?role=user", &ab), 403),
        (with_key("?role=user", &of_user), 403),
        (with_key("?role=admin", &of_admin), 403),
        (with_key("", &of_admin), 204),
        (with_key("", &for_api), 401),
        (with_key(&format!("?audience={API}"), &for_api), 204),
        (with_key(&format!("?audience={API}/"), &for_api), 401),
        (with_key(&format!("?audience={API}"), &ab), 401),
        (with_key(&format!("?audience={GATE}"), &ab), 204),
        (with_key(&format!("?audience={own}"), &ab), 400),
        (with_session(&format!("?audience={API}")), 204),
        (with_session("?scope=orders:read&role=user"), 204),
        (with_session("?method=session"), 204),
        (with_session("?method=bearer&method=session"), 204),
        (with_session("?method=bearer"), 403),
        (with_session(&format!("?client={}", client.id)), 403),
        (with_key("?method=api_key", &ab), 204),
        (with_key("?method=session", &ab), 403),
        (with_key(&format!("?client=other&client={}", client.id), &ab), 204),
        (with_key("?client=other", &ab), 403),
        (with_session("?scope=orders:write"), 403),
        (with_session("?role=admin"), 403),
        (with_session("?max_age=60"), 204),
        (with_key("?max_age=60", &of_user), 401),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        match status {
            204 => _ = told(&answer),
            403 => assert!(["insufficient_scope", "forbidden"].contains(&answer.text("error").as_str()), "{answer:?}"),
            _ => {}
        }
    }
    let refused = Answer::of(with_key("?scope=a+c", &ab)).await;
    let challenge = refused.header_or_empty("www-authenticate");
    assert!(challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"a c\""), "{challenge}");
    let stale = Answer::of(with_key("?max_age=60", &of_user)).await;
    assert_j(&stale, 401, "insufficient_user_authentication");
    assert!(stale.header_or_empty("www-authenticate").contains("max_age=\"60\""), "{stale:?}");

    for query in [
        "?scpe=a",
        "?role=root",
        "?role=",
        "?scope=",
        "?scope",
        "?scope=+",
        "?scope=a&scope=",
        "?audience=",
        "?method=",
        "?method=cookie",
        "?client=",
        "?max_age=",
        "?max_age=-1",
        "?max_age=1e3",
        "?max_age=+60",
        "?max_age=99999999999999999999",
        "?role=user&role=admin",
        "?max_age=1&max_age=2",
        "?audience=a&audience=b",
        "?redirect=1",
        "?redirect=302&redirect=302",
        "?scope=%22",
        "?scope=%zz",
        "?=x",
    ] {
        let answer = Answer::of(with_key(query, &of_admin)).await;
        assert_j(&answer, 400, "invalid_request");
    }
}

/// Fails if what was ended still opens anything.
async fn i_4_what_has_ended_opens_nothing(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let (client, user) = (program(server), User::new(server));
    let (token, key) = (machine_token(&client).await, of_client(server, &client, "orders:read", &[]));
    let own = of_person(server, &user, "orders:read");
    let browser = Browser::of(server, &user).await;
    let session = cookies(&browser);
    let requests = || {
        [
            house.ask("").bearer_auth(&token),
            house.ask("").header("X-API-Key", &key.text),
            house.ask("").header("X-API-Key", &own.text),
            house.ask("").header("Cookie", &session),
        ]
    };
    for request in requests() {
        assert_eq!(Answer::of(request).await.status, 204);
    }
    client.revoke(&token).await;
    client.revoke(&key.text).await;
    server.cli(&["api-key", "revoke", &own.id]);
    browser.submit(&browser.get("/account").await.form("/logout")).await;
    for request in requests() {
        assert_j(&Answer::of(request).await, 401, "invalid_token");
    }
    let refused = audit(server, "kind = 'api_key_refused'");
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(!json!(refused).to_string().contains("lw_"), "{refused:?}");
}

async fn a_key_has_its_rate_and_its_networks(db: Db) {
    let house = House::new(db);
    let client = program(&house.server);
    let limited = of_client(&house.server, &client, "orders:read", &["--rate-limit", "2"]);
    for _ in 0..2 {
        assert_eq!(Answer::of(house.ask("").header("X-API-Key", &limited.text)).await.status, 204);
    }
    let refused = Answer::of(house.ask("").header("X-API-Key", &limited.text)).await;
    assert_j(&refused, 429, "slow_down");
    assert!(refused.header_or_empty("retry-after").parse::<u64>().is_ok_and(|wait| wait <= 31), "{refused:?}");
    let bound = of_client(&house.server, &client, "orders:read", &["--network", "127.0.0.0/8"]);
    assert_eq!(Answer::of(house.ask("").header("X-API-Key", &bound.text)).await.status, 204);
    let elsewhere = house.ask("").header("X-API-Key", &bound.text).header("X-Forwarded-For", "203.0.113.9");
    assert_j(&Answer::of(elsewhere).await, 401, "invalid_token");
}

/// D-006: fails if somebody can go on guessing at a key, or can keep its program out from elsewhere by that.
async fn d_006_guessing_at_a_key(db: Db) {
    let house = House::with(db, &[("limits.api_key_failures_per_address", "5/1m")]);
    let client = program(&house.server);
    let old = of_client(&house.server, &client, "orders:read", &[]);
    let new = Key::read(&house.server.cli(&["api-key", "rotate", &old.id, "--overlap", "0"]));
    let from =
        |key: &Key, address: &str| house.ask("").header("X-API-Key", &key.text).header("X-Forwarded-For", address);
    for _ in 0..5 {
        assert_j(&Answer::of(from(&old, "203.0.113.5")).await, 401, "invalid_token");
    }
    let refused = Answer::of(from(&old, "203.0.113.5")).await;
    assert_j(&refused, 429, "slow_down");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    assert_eq!(Answer::of(from(&new, "203.0.113.5")).await.status, 429, "also with the right one");
    assert_eq!(Answer::of(from(&new, "198.51.100.5")).await.status, 204, "from elsewhere");
    assert_eq!(audit(&house.server, "kind = 'api_key_refused'").len(), 1);
    // A typo is no guess: it costs nobody anything.
    let mut typo = new.text.clone();
    typo.replace_range(40..41, if &typo[40..41] == "x" { "y" } else { "x" });
    for _ in 0..10 {
        assert_j(&Answer::of(house.ask("").header("X-API-Key", &typo)).await, 401, "invalid_token");
    }
}

/// G-007: fails if a peer that is no trusted proxy is believed anything.
async fn g_007_strangers_are_not_believed(db: Db) {
    let origin = format!("http://localhost:{}", free_port());
    let house = House::at(db, &origin, &[("server.trusted_proxies", "10.0.0.0/8")]);
    let client = program(&house.server);
    let bound = of_client(&house.server, &client, "orders:read", &["--network", "203.0.113.0/24"]);
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Client-IP", "X_Forwarded_For", "True-Client-IP"] {
        let value = if name == "Forwarded" { "for=203.0.113.5" } else { "203.0.113.5" };
        let answer = Answer::of(house.ask("").header("X-API-Key", &bound.text).header(name, value)).await;
        assert_j(&answer, 401, "invalid_token");
    }
    let page = Answer::of(house.page("", "/")).await;
    assert_j(&page, 401, "invalid_token");
    assert!(page.header("x-auth-login").is_none() && page.header("set-cookie").is_none(), "{page:?}");
    let redirect = Answer::of(house.page("?redirect=302", "/")).await;
    assert_j(&redirect, 401, "invalid_token");
    // Nor that a request changes nothing.
    let browser = Browser::of(&house.server, &User::new(&house.server)).await;
    let cross = house.ask("").header("Cookie", cookies(&browser)).header("Sec-Fetch-Site", "cross-site");
    assert_j(&Answer::of(cross).await, 403, "forbidden");
    let callback = http().get(house.server.url("/.latchway/callback?ticket=x")).header("X-Original-URL", &house.origin);
    assert_eq!(Answer::of(callback).await.status, 400);
}

/// G-008: fails if an address that a client wrote itself is taken for its own.
async fn g_008_the_last_untrusted_hop_counts(db: Db) {
    let house = House::new(db);
    let client = program(&house.server);
    let bound = of_client(&house.server, &client, "orders:read", &["--network", "203.0.113.0/24"]);
    for (hops, status) in [
        ("203.0.113.5", 204),
        ("203.0.113.5, 10.0.0.1", 204),
        ("198.51.100.1, 203.0.113.5", 204),
        ("198.51.100.1, 203.0.113.5, 10.0.0.1, 10.0.0.2", 204),
        ("203.0.113.5, 198.51.100.1", 401),
        ("203.0.113.5, 198.51.100.1, 10.0.0.1", 401),
        ("203.0.113.5, nonsense", 401),
        ("203.0.113.5, nonsense, 10.0.0.1", 401),
        ("", 401),
    ] {
        let request = house.ask("").header("X-API-Key", &bound.text).header("X-Forwarded-For", hops);
        assert_eq!(Answer::of(request).await.status, status, "{hops}");
    }
    let two = house.ask("").header("X-API-Key", &bound.text);
    let two = two.header("X-Forwarded-For", "203.0.113.5").header("X-Forwarded-For", "198.51.100.1");
    assert_eq!(Answer::of(two).await.status, 401, "the second line is the later hop");
}

/// G-009: fails if another spelling of the path answers otherwise than the path or not at all.
async fn g_009_one_path(db: Db) {
    let house = House::new(db);
    let token = machine_token(&program(&house.server)).await;
    for path in [
        "//api/v1/forward-auth",
        "/api/v1/forward-auth/",
        "/api/v1//forward-auth",
        "/api/./v1/forward-auth",
        "/api/v1/forward-auth;x=1",
        "/API/v1/forward-auth",
        "/api/v1/Forward-Auth",
        "/api/v1%2fforward-auth",
        "/api/v1/forward-auth%2f",
        "/api/v1/x/..;/forward-auth",
        "/api/v1/forward-auth%00",
        "/api/v1/forward-auth.json",
        "/api/v2/forward-auth",
    ] {
        for credential in ["", &format!("Authorization: Bearer {token}\r\n")] {
            let (host, port) = house.server.address();
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{credential}Connection: close\r\n\r\n");
            let answer = house.server.raw(head.as_bytes());
            assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.text);
            assert!(!answer.has_header("x-auth-user") && !answer.has_header("x-auth-login"), "{}", answer.text);
        }
    }
    for method in [reqwest::Method::POST, reqwest::Method::PUT, reqwest::Method::DELETE, reqwest::Method::OPTIONS] {
        let request = http().request(method, house.server.url(ENDPOINT)).bearer_auth(&token);
        assert_j(&Answer::of(request).await, 405, "method_not_allowed");
    }
}

/// Fails if a cookie alone lets another site change something at the app.
async fn another_site_cannot_use_a_cookie(db: Db) {
    let house = House::new(db);
    let server = &house.server;
    let browser = Browser::of(server, &User::new(server)).await;
    let key = of_client(server, &program(server), "orders:read", &[]);
    let ask = |method: &str, headers: &[(&str, &str)]| {
        let request = http().get(server.url(ENDPOINT)).header("X-Original-Method", method);
        let request = request.header("X-Original-URL", format!("{}/", house.origin));
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let (evil, own) = (("Origin", "https://evil.example"), ("Origin", house.origin.as_str()));
    let site = |site: &'static str| ("Sec-Fetch-Site", site);
    let cookie = cookies(&browser);
    for (method, headers, status) in [
        ("GET", vec![site("cross-site")], 204),
        ("HEAD", vec![site("cross-site")], 204),
        ("POST", vec![site("same-origin")], 204),
        ("POST", vec![site("same-origin"), own], 204),
        ("POST", vec![own], 204),
        ("POST", vec![], 204),
        ("POST", vec![site("cross-site"), own], 204),
        ("POST", vec![site("cross-site")], 403),
        ("POST", vec![site("same-site")], 403),
        ("POST", vec![site("cross-site"), evil], 403),
        ("POST", vec![evil], 403),
        ("POST", vec![("Origin", "null")], 403),
        ("POST", vec![site("nonsense")], 403),
        ("post", vec![site("cross-site")], 403),
        ("DELETE", vec![evil], 403),
        ("PATCH", vec![site("cross-site"), evil], 403),
        ("GET", vec![site("cross-site"), evil, ("Sec-Fetch-Mode", "websocket")], 403),
        ("GET", vec![evil, ("Upgrade", "websocket")], 403),
        ("GET", vec![own, ("Upgrade", "websocket")], 204),
    ] {
        let answer = Answer::of(ask(method, &headers).header("Cookie", &cookie)).await;
        assert_eq!(answer.status, status, "{method} {headers:?}: {answer:?}");
        assert!(status == 204 || answer.text("error") == "forbidden", "{answer:?}");
        // No site can make a browser send a header with a credential.
        let by_key = Answer::of(ask(method, &headers).header("X-API-Key", &key.text).header("Cookie", &cookie)).await;
        assert_eq!(by_key.status, 204, "{method} {headers:?}: {by_key:?}");
    }
}

/// Fails if anything passes while nobody can know, or if nobody is told that.
async fn who_cannot_be_known_does_not_pass(db: Db) {
    if db == Db::Sqlite {
        return; // a file does not go away
    }
    let (server, line) = Server::behind_proxy(&[("database.timeout_seconds", "2"), ("gatekeeper.audience", GATE)]);
    let client = program(&server);
    let (token, key) = (machine_token(&client).await, of_client(&server, &client, "orders:read", &[]));
    let browser = Browser::of(&server, &User::new(&server)).await;
    let requests = || {
        let ask = || http().get(server.url(ENDPOINT));
        [ask().bearer_auth(&token), ask().header("X-API-Key", &key.text), ask().header("Cookie", cookies(&browser))]
    };
    for request in requests() {
        assert_eq!(Answer::of(request).await.status, 204);
    }
    line.set(Line::Cut);
    for request in requests() {
        let answer = Answer::of(request).await;
        assert_j(&answer, 503, "temporarily_unavailable");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
    }
}

both![
    every_credential_passes,
    a_bad_credential_is_never_overlooked,
    demands_are_met_or_refused,
    i_4_what_has_ended_opens_nothing,
    a_key_has_its_rate_and_its_networks,
    d_006_guessing_at_a_key,
    g_007_strangers_are_not_believed,
    g_008_the_last_untrusted_hop_counts,
    g_009_one_path,
    another_site_cannot_use_a_cookie,
    who_cannot_be_known_does_not_pass,
];
