//! 7 HTTP: bytes that no client sends, and clients that send almost none.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::*;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// What comes back on one connection, and whether the server closed it. `patience` bounds the wait.
fn exchange(server: &Server, bytes: &[u8], patience: Duration) -> (String, bool) {
    let mut stream = TcpStream::connect(server.address()).expect("the server takes connections");
    stream.set_read_timeout(Some(patience)).expect("a timeout");
    let _ = stream.write_all(bytes);
    read_to_end(&mut stream)
}

fn read_to_end(stream: &mut TcpStream) -> (String, bool) {
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (String::from_utf8_lossy(&answer).into_owned(), true),
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) => {
                let closed = error.kind() == std::io::ErrorKind::ConnectionReset;
                return (String::from_utf8_lossy(&answer).into_owned(), closed);
            }
        }
    }
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count() + text.matches("HTTP/1.0 ").count()
}

/// A request for one thing in which another is hidden, for a server that takes the other length.
async fn g_001_ambiguous_lengths(server: Shared) {
    let hidden = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = |head: &str, body: &str| {
        format!("POST /oauth2/token HTTP/1.1\r\nHost: a\r\n{FORM}\r\n{head}\r\n\r\n{body}{hidden}").into_bytes()
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("CL and TE", post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        ("TE and CL", post("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n")),
        ("TE twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n")),
        ("TE list", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n")),
        ("TE xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        ("TE \\x0bchunked", post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n")),
        ("TE identity", post("Transfer-Encoding: identity", "0\r\n\r\n")),
        ("two CL", post("Content-Length: 5\r\nContent-Length: 6", "a=b&c")),
        ("CL +5", post("Content-Length: +5", "a=b&c")),
        ("CL 0x5", post("Content-Length: 0x5", "a=b&c")),
        ("CL 5,5", post("Content-Length: 5, 5", "a=b&c")),
        ("CL -1", post("Content-Length: -1", "")),
        ("CL empty", post("Content-Length: ", "")),
        ("CL huge", post("Content-Length: 99999999999999999999999", "a=b")),
        ("space before colon", post("Content-Length : 5", "a=b&c")),
        ("obs-fold", post("X-A: b\r\n folded: c\r\nContent-Length: 5", "a=b&c")),
        ("bare CR", post("X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 5", "a=b&c")),
        ("NUL in a value", post("X-A: b\0c\r\nContent-Length: 5", "a=b&c")),
        ("no name", post(": b\r\nContent-Length: 5", "a=b&c")),
        ("chunk size overflow", post("Transfer-Encoding: chunked", "10000000000000005\r\na=b&c\r\n0\r\n\r\n")),
        ("chunk size with sign", post("Transfer-Encoding: chunked", "+5\r\na=b&c\r\n0\r\n\r\n")),
        ("chunk without its end", post("Transfer-Encoding: chunked", "5\r\na=b&cX\r\n0\r\n\r\n")),
        ("HTTP/1.0 and TE", {
            let head = format!("POST /oauth2/token HTTP/1.0\r\nHost: a\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n");
            format!("{head}Connection: keep-alive\r\n\r\n0\r\n\r\n{hidden}").into_bytes()
        }),
        ("HTTP/2.0", b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /livez\r\n\r\n".to_vec()),
        ("two spaces", b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        ("rubbish", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec()),
    ];
    for (what, bytes) in cases {
        let (text, closed) = exchange(server, &bytes, Duration::from_secs(3));
        assert!(text.is_empty() || text[9..].starts_with("400"), "{what}: {text}");
        assert!(closed, "{what}: the connection stays open after {text}");
        assert!(answers(&text) <= 1, "{what}: two answers: {text}");
    }
    assert!(server.is_alive());
}

/// Spellings that leave no doubt about the length may be taken, as long as they mean one request.
async fn g_001_one_meaning_one_answer(server: Shared) {
    let close = "Host: a\r\nConnection: close";
    for (what, bytes) in [
        ("LF only", "GET /livez HTTP/1.1\nHost: a\nConnection: close\n\n".to_owned()),
        ("chunk extension", {
            let head =
                format!("POST /oauth2/token HTTP/1.1\r\n{close}\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n");
            format!("{head}5;ext=\"1\"\r\na=b&c\r\n0\r\n\r\n")
        }),
        ("equal CL", format!("POST /oauth2/token HTTP/1.1\r\n{close}\r\n{FORM}\r\nContent-Length: 05\r\n\r\na=b&c")),
    ] {
        let (text, closed) = exchange(server, bytes.as_bytes(), Duration::from_secs(3));
        assert!(closed && answers(&text) == 1, "{what}: {text}");
    }
}

async fn g_002_large_heads(server: Shared) {
    let close = "Host: a\r\nConnection: close\r\n";
    let many: String = (0..100).map(|n| format!("X-{n}: a\r\n")).collect();
    let large = |bytes: usize| format!("X-Large: {}\r\n", "a".repeat(bytes));
    let get = |target: &str, headers: &str| format!("GET {target} HTTP/1.1\r\n{close}{headers}\r\n").into_bytes();
    for (what, bytes, statuses) in [
        ("97 headers", get("/livez", &many), &[400, 431][..]),
        ("a block of 40 KiB", get("/livez", &(large(20_000) + &large(20_000))), &[431]),
        ("a block of 200 KiB", get("/livez", &large(200_000)), &[400, 431, 0]),
        ("a URL of 20 KiB", get(&format!("/oauth2/authorize?state={}", "a".repeat(20_000)), ""), &[414]),
        ("a URL of 64 KiB", get(&format!("/{}", "a".repeat(65_536)), ""), &[414, 400, 431]),
        (
            "a method of 1 KiB",
            format!("{} / HTTP/1.1\r\n{close}\r\n", "A".repeat(1_024)).into_bytes(),
            &[400, 404, 405],
        ),
    ] {
        let begin = Instant::now();
        let answer = server.raw(&bytes);
        assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
        assert!(begin.elapsed() < Duration::from_secs(5), "{what} took {:?}", begin.elapsed());
    }
    // What fits passes.
    assert_eq!(server.raw(&get("/livez", &large(16_000))).status, 200);
    assert_eq!(server.raw(&get(&format!("/livez?{}", "a".repeat(8_192)), "")).status, 200);
}

async fn g_003_endless_chunks(db: Db) {
    let server = Server::start(db, &[("server.request_timeout_seconds", "5")]);
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a timeout");
    let head = format!("POST /oauth2/token HTTP/1.1\r\nHost: a\r\n{FORM}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let chunk = format!("400\r\n{}\r\n", "a".repeat(1_024));
    let sent = (0..4_096).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
    let (text, closed) = read_to_end(&mut stream);
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 413"), "{text}");
    assert!(closed, "the connection is closed, after {sent} KiB");
    assert_eq!(server.raw_get(b"/livez").status, 200);
}

/// One header line each half second, for ever: the head must be there after five seconds.
async fn g_004_a_slow_head(server: Shared) {
    let begin = Instant::now();
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n").expect("sent");
    let (mut text, mut closed) = (String::new(), false);
    while !closed && begin.elapsed() < Duration::from_secs(15) {
        closed = stream.write_all(b"X-A: b\r\n").is_err();
        let (more, ended) = read_to_end(&mut stream);
        text.push_str(&more);
        closed |= ended;
    }
    assert!(closed, "still open after {:?}", begin.elapsed());
    assert!(begin.elapsed() > Duration::from_secs(3), "closed after {:?}", begin.elapsed());
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
}

async fn g_004_a_slow_body(db: Db) {
    let server = Server::start(db, &[("server.request_timeout_seconds", "2")]);
    for head in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(server.address()).expect("connected");
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        let head = format!("POST /oauth2/token HTTP/1.1\r\nHost: a\r\n{FORM}\r\n{head}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
        let (mut text, mut closed, mut answered) = (String::new(), false, None);
        while !closed && begin.elapsed() < Duration::from_secs(12) {
            let piece: &[u8] = if head.contains("chunked") { b"1\r\na\r\n" } else { b"a" };
            let _ = stream.write_all(piece);
            let (more, ended) = read_to_end(&mut stream);
            text.push_str(&more);
            closed = ended;
            answered = answered.or_else(|| (!text.is_empty()).then(|| begin.elapsed()));
        }
        assert!(answered.is_some_and(|after| after < Duration::from_secs(5)), "answered after {answered:?}");
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
        assert!(text.to_lowercase().contains("x-content-type-options: nosniff"), "G-018: {text}");
        assert!(closed, "still open after {:?}", begin.elapsed());
    }
}

/// Connections that say nothing cost nobody anything, and none stays for long.
async fn g_004_idle_connections(db: Db) {
    let server = Server::start(db, &[]);
    let idle: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(server.address()).expect("connected")).collect();
    let begin = Instant::now();
    assert_eq!(server.raw_get(b"/livez").status, 200);
    assert!(begin.elapsed() < Duration::from_secs(2), "health took {:?}", begin.elapsed());
    // One after an answer, one that never asked.
    let mut kept = TcpStream::connect(server.address()).expect("connected");
    kept.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    let begin = Instant::now();
    for mut stream in [kept, idle[0].try_clone().expect("a handle")] {
        stream.set_read_timeout(Some(Duration::from_secs(25))).expect("a timeout");
        let (text, closed) = read_to_end(&mut stream);
        assert!(closed, "still open after {:?}: {text}", begin.elapsed());
        assert!(answers(&text) <= 1, "{text}");
    }
    assert!(begin.elapsed() < Duration::from_secs(22), "closed after {:?}", begin.elapsed());
}

/// Nobody speaks HTTP/2 here: the proxy in front of it may. The preface is refused like any rubbish.
async fn g_005_no_http2(server: Shared) {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let (text, closed) = exchange(server, preface, Duration::from_secs(8));
    assert!(closed && !text.starts_with("\0"), "{text}");
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 400") || text.starts_with("HTTP/1.1 505"), "{text}");
    let upgrade = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let (text, _) = exchange(server, upgrade.as_bytes(), Duration::from_secs(2));
    assert!(!text.starts_with("HTTP/1.1 101") && answers(&text) == 1, "{text}");
}

async fn g_013_other_protocols(server: Shared) {
    let (host, port) = server.address();
    for (what, head, statuses) in [
        ("TRACE", "TRACE / HTTP/1.1".to_owned(), &[405][..]),
        ("CONNECT", format!("CONNECT {host}:{port} HTTP/1.1"), &[400, 405]),
        ("absolute form", format!("GET http://{host}:{port}/livez HTTP/1.1"), &[400]),
        ("OPTIONS *", "OPTIONS * HTTP/1.1".to_owned(), &[400, 404, 405]),
        ("a method of one's own", "HACK /login HTTP/1.1".to_owned(), &[400, 405]),
        ("websocket", "GET /livez HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==".to_owned(), &[200]),
    ] {
        let connection = if what == "websocket" { "Upgrade" } else { "close" };
        let bytes = format!("{head}\r\nHost: {host}:{port}\r\nX-Secret: echo-me\r\nConnection: {connection}\r\n\r\n");
        let answer = server.raw(bytes.as_bytes());
        assert!(statuses.contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
        assert!(!answer.text.contains("echo-me"), "{what} echoes: {}", answer.text);
    }
}

both![
    g_001_ambiguous_lengths,
    g_001_one_meaning_one_answer,
    g_002_large_heads,
    g_003_endless_chunks,
    g_004_a_slow_head,
    g_004_a_slow_body,
    g_004_idle_connections,
    g_005_no_http2,
    g_013_other_protocols,
];
