//! What an operator relies on: metrics, readiness, a graceful stop, cleanup, the command line beside a running server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::*;

fn get(address: (&str, u16), path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n\r\n", address.0, address.1);
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

async fn metrics_have_a_listener_of_their_own(db: Db) {
    let port = free_port();
    let server = Server::start(db, &[("server.metrics_listen", &format!("127.0.0.1:{port}"))]);
    let client = Spec::confidential().create(&server);
    client.token(&[("grant_type", "password")]).await;
    let metrics = get(("127.0.0.1", port), "/metrics");
    assert!(metrics.contains("latchway_token_requests_total{grant=\"other\",outcome=\"failure\"} 1"), "{metrics}");
    assert!(metrics.contains("latchway_http_request_seconds_bucket{route=\"/oauth2/token\""), "{metrics}");
    assert!(!metrics.contains(&client.id), "a label names a client");
    assert!(get(server.address(), "/metrics").starts_with("HTTP/1.1 404"), "the public listener serves metrics");
}

/// Fails if readiness does not fall at once, if the request under way is cut, or if the process does not end.
async fn a_stop_lets_requests_end(db: Db) {
    let server = Server::start(db, &[("server.shutdown_delay_seconds", "2")]);
    let body = "grant_type=nonsense&client_id=x";
    let mut slow = TcpStream::connect(server.address()).expect("a connection");
    let head = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{}",
        server.address().1,
        body.len(),
        &body[..10]
    );
    slow.write_all(head.as_bytes()).expect("the first half");
    let pid = server.pid().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    // Within the delay it says no, and still takes connections to say so.
    let begin = Instant::now();
    while !get(server.address(), "/readyz").starts_with("HTTP/1.1 503") {
        assert!(begin.elapsed() < Duration::from_secs(7), "still ready while stopping");
        std::thread::sleep(Duration::from_millis(50));
    }
    while TcpStream::connect(server.address()).is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it still takes connections");
        std::thread::sleep(Duration::from_millis(100));
    }
    slow.write_all(&body.as_bytes()[10..]).expect("the second half");
    let mut answer = [0; 64];
    let length = slow.read(&mut answer).expect("an answer");
    assert!(answer[..length].starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer[..length]));
    drop(slow);
    let begin = Instant::now();
    while server.is_alive() && begin.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!server.is_alive(), "it does not end");
}

async fn expired_rows_go_while_serving(db: Db) {
    let lifetimes = [
        ("cleanup.interval_seconds", "1"),
        ("cleanup.batch", "10"),
        ("tokens.access_token_seconds", "1"),
        ("tokens.clock_skew_seconds", "0"),
    ];
    let server = Server::start(db, &lifetimes);
    let client = Spec::confidential().grants(&["client_credentials"]).scope("read").create(&server);
    for _ in 0..35 {
        assert_eq!(client.token(&[("grant_type", "client_credentials")]).await.status, 200);
    }
    let begin = Instant::now();
    while !server.database.rows("access_tokens", "1 = 1").is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "expired tokens stay");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(server.database.rows("audit_events", "kind = 'token_issued'").len(), 35, "the audit trail was cut");
    assert_eq!(client.token(&[("grant_type", "client_credentials")]).await.status, 200);
}

async fn every_refusal_is_logged_once_under_its_request_id(db: Db) {
    let server = Server::start(db, &[("log.level", "info")]);
    let client = Spec::confidential().create(&server);
    let answer = client.token(&[("grant_type", "password")]).await;
    let id = answer.header("x-request-id").expect("a request id").to_owned();
    let log = server.logged(&id);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(&id)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line: serde_json::Value = serde_json::from_str(lines[0]).expect("a line of JSON");
    assert_eq!((&line["code"], &line["status"]), (&"unsupported_grant_type".into(), &400.into()));
}

async fn the_command_line_works_beside_the_server(server: Shared) {
    let user = User::new(server);
    let client = Spec::confidential().create(server);
    for args in [
        &["client", "list"][..],
        &["client", "show", &client.id],
        &["client", "update", &client.id, "--name", "Renamed"],
        &["client", "rotate-secret", &client.id, "--overlap", "60"],
        &["user", "list"],
        &["scope", "set", "cli:test", "--title", "Test the command line"],
        &["scope", "list"],
        &["scope", "delete", "cli:test"],
        &["keys", "list"],
        &["cleanup"],
        &["migrate"],
        &["config", "check"],
        &["config", "print"],
        &["version"],
        &["user", "disable", &user.username],
        &["user", "enable", &user.username],
        &["client", "disable", &client.id],
        &["client", "delete", &client.id],
    ] {
        server.cli(args);
    }
    assert!(server.try_cli(&["client", "show", &client.id], "").is_err(), "a deleted client is shown");
    assert!(
        server.try_cli(&["client", "create", "--name", "x", "--redirect-uri", "http://evil.example/"], "").is_err()
    );
}

both![
    metrics_have_a_listener_of_their_own,
    a_stop_lets_requests_end,
    expired_rows_go_while_serving,
    every_refusal_is_logged_once_under_its_request_id,
    the_command_line_works_beside_the_server,
];
