//! 10.14 to 10.18: what the HTTP server, the crypto, the database and the password hash leave to us.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::family::Family;
use crate::harness::*;

/// What anybody can write into a header makes no address of ours and no caller's address.
async fn t_10_14_forwarded_headers(server: Shared) {
    let client = Client::confidential(server);
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/login", "/account"] {
        let plain = Answer::of(http().get(server.url(path))).await;
        let forged = http()
            .get(server.url(path))
            .header("Forwarded", "for=192.0.2.7;host=evil.example;proto=https")
            .header("X-Forwarded-Host", "evil.example")
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Port", "444")
            .header("X-Forwarded-For", "192.0.2.7")
            .header("X-Original-URL", "/evil");
        let forged = Answer::of(forged).await;
        assert_eq!((plain.status, plain.location()), (forged.status, forged.location()), "{forged:?}");
        let whole = format!("{forged:?}");
        assert!(!whole.contains("evil") && !whole.contains("192.0.2.7"), "{whole}");
    }
    let wrong = http().post(server.url("/oauth2/token")).header("Authorization", basic(&client.id, "wrong"));
    let wrong = wrong.header("X-Forwarded-For", "192.0.2.7").header("Forwarded", "for=192.0.2.7");
    let answer = Answer::of(wrong.form(&[("grant_type", "client_credentials")])).await;
    assert_ic(&answer);
    let id = answer.header("x-request-id").expect("a request id");
    let events = audit(server, &format!("request_id = '{id}'"));
    assert_eq!(events[0]["address"], "127.0.0.1", "{events:?}");
}

/// A body that never ends is waited for no longer than the configuration says.
async fn t_10_15_slow_and_large_bodies(db: Db) {
    let server = Server::start(db, &[("server.request_timeout_seconds", "2")]);
    let begin = Instant::now();
    let mut stream = TcpStream::connect(server.address()).expect("the server takes connections");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let head = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 1000\r\n\r\ngrant_type=";
    stream.write_all(head.as_bytes()).expect("the head");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(begin.elapsed() < Duration::from_secs(10), "after {:?}: {answer}", begin.elapsed());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");

    let client = Client::confidential(&server);
    let large = "x".repeat(100_000);
    let form = [("grant_type", "client_credentials"), ("x", &*large)];
    assert_j(&client.token(&form).await, 413, "payload_too_large");
    assert_tokens(&client.token(&form[..1]).await);
}

/// Each algorithm signs, which would panic without its backend; `nbf` is looked at; `exp` as text is no time.
async fn t_10_16_signatures_and_times(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    for alg in ["RS256", "ES256", "EdDSA", "PS256"] {
        let client = Spec::confidential().flags(&["--id-token-alg", alg]).create(server);
        let family = Family::new(&client, &browser, &user).await;
        assert_eq!(header_of(&family.id_token)["alg"], alg);
    }
    let client = Spec::confidential().auth(Auth::PrivateKeyJwt).create(server);
    for (name, value) in [("nbf", json!(now() + 300)), ("exp", json!((now() + 60).to_string()))] {
        let mut claims = client.assertion_claims();
        claims[name] = value;
        let assertion = client.assertion(&claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &*assertion),
        ];
        assert_ic(&Answer::of(http().post(server.url("/oauth2/token")).form(&form)).await);
    }
}

/// Many writers at once, each of which reads before it writes: none is told that the database is busy.
async fn t_10_17_many_writers(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let mut families = Vec::new();
    for _ in 0..8 {
        families.push(Family::new(&client, &browser, &user).await);
    }
    let mut calls = JoinSet::new();
    for family in families {
        let refreshing = client.clone();
        calls.spawn(async move {
            let mut token = family.refresh;
            for _ in 0..6 {
                token = Family::read(&refreshing.refresh(&token).await).refresh;
            }
        });
        let issuing = client.clone();
        calls.spawn(async move {
            for _ in 0..6 {
                assert_tokens(&issuing.token(&[("grant_type", "client_credentials")]).await);
            }
        });
    }
    calls.join_all().await;
}

/// The most memory that a process ever had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Whoever hangs up leaves a hash behind that is still being computed, and that still counts.
async fn t_10_18_abandoned_logins(db: Db) {
    let config = [("passwords.memory_kib", "65536"), ("passwords.max_parallel", "1"), ("passwords.queue", "64")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    assert_eq!(browser.get("/account").await.status, 200);
    let before = peak(server.pid());
    for n in 0..12 {
        let browser = Browser::new(&server);
        let page = browser.open("/login").await;
        let form = page.form("/login").with("username", &format!("nobody{n}")).with("password", "wrong horse");
        let (body, cookies) = (form.encoded(), browser.jar().header("/login").expect("a cookie"));
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\nSec-Fetch-Site: same-origin\r\n\
             Cookie: {cookies}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(server.address()).expect("the server takes connections");
        stream.write_all(head.as_bytes()).expect("a request");
        // Long enough to be read, too short for a hash.
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    let page = Browser::new(&server);
    let login = page.open("/login").await;
    let after = page.login(&login, &user).await;
    assert!(!after.has_form("/login"), "a person still gets in: {after:?}");
    let grown = peak(server.pid()) - before;
    assert!(grown < 100_000, "more than one hash of 64 MiB at once: {grown} KiB");
}

both![
    t_10_14_forwarded_headers,
    t_10_15_slow_and_large_bodies,
    t_10_16_signatures_and_times,
    t_10_17_many_writers,
    t_10_18_abandoned_logins,
];
