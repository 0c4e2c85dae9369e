//! What a request may cost whom: findings P4, P18 and P20.

use std::net::SocketAddr;

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::*;

/// A connection from one of this machine's many addresses.
async fn connect(server: &Server, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(from.parse().expect("an address"), 0)).expect("a loopback address");
    let (host, port) = server.address();
    let to = format!("{host}:{port}").parse().expect("an address");
    socket.connect(to).await.expect("a connection")
}

/// A client from one of this machine's many addresses.
fn at(address: &str) -> reqwest::Client {
    let builder = reqwest::Client::builder().local_address(Some(address.parse().expect("an address")));
    builder.redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

/// Fails if bodies that do not come take places among the requests that are worked on.
async fn p04_bodies_that_do_not_come(db: Db) {
    let config = [("server.max_requests", "64"), ("server.max_unread_bodies_per_address", "100")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let secret = client.secret.clone().expect("a secret");
    let token = async || {
        let request = at("127.0.0.9").post(server.url("/oauth2/token")).basic_auth(&client.id, Some(&secret));
        Answer::of(request.form(&[("grant_type", "client_credentials")])).await
    };
    assert_tokens(&token().await);
    let head = |length: &str| format!("POST /oauth2/revoke HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n");
    let mut pending = Vec::new();
    for n in 0..80 {
        let mut stream = connect(&server, "127.0.0.66").await;
        // Half of them tell no length.
        let begin = if n % 2 == 0 {
            head("Content-Length: 10") + "t"
        } else {
            head("Transfer-Encoding: chunked") + "1\r\nt\r\n"
        };
        stream.write_all(begin.as_bytes()).await.expect("written");
        pending.push(stream);
    }
    for _ in 0..3 {
        assert_tokens(&token().await);
    }
    let page = Answer::of(at("127.0.0.9").get(server.url("/login"))).await;
    assert_eq!(page.status, 200, "{page:?}");
    // One address has so many and no more; others have their own.
    let begin = head("Content-Length: 10") + "t";
    let mut answers = Vec::new();
    for _ in 0..30 {
        let mut stream = connect(&server, "127.0.0.66").await;
        stream.write_all(begin.as_bytes()).await.expect("written");
        answers.push(stream);
    }
    let mut refused = 0;
    for stream in &mut answers {
        let mut text = [0; 1024];
        let length = stream.read(&mut text).await.expect("an answer, at the latest when the body is overdue");
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        refused += usize::from(text.starts_with("HTTP/1.1 503"));
        assert!(text.starts_with("HTTP/1.1 503") || text.starts_with("HTTP/1.1 408"), "{text}");
    }
    assert!(refused >= 10, "{refused} of 30 beyond the hundred");
    // A body that does not come in five seconds is not waited for, and its connection ends.
    for stream in &mut pending {
        let mut text = Vec::new();
        stream.read_to_end(&mut text).await.expect("an answer, and then the end");
        assert!(text.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&text));
    }
    // One that comes in pieces within its time is taken.
    let mut stream = connect(&server, "127.0.0.66").await;
    let body = format!("token=x&client_id={}", client.id);
    let length = format!("Content-Length: {}\r\nContent-Type: application/x-www-form-urlencoded", body.len());
    stream.write_all(head(&length).as_bytes()).await.expect("written");
    for part in body.as_bytes().chunks(7) {
        stream.flush().await.expect("flushed");
        stream.write_all(part).await.expect("written");
    }
    let mut text = [0; 512];
    let length = stream.read(&mut text).await.expect("an answer");
    assert!(text[..length].starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&text[..length]));
}

/// Fails if an `Origin` makes the server read more than the redirect URIs of apps in the browser, or before its limits.
async fn p18_origins(db: Db) {
    let server = Server::start(db, &[("limits.token_per_address", "3/1h")]);
    let spa = Spec::public().redirect("https://spa.example/cb").create(&server);
    Spec::confidential().redirect("https://backend.example/cb").create(&server);
    let send = async |origin: &str| {
        let request = http().request(Method::POST, server.url("/oauth2/token")).header("Origin", origin);
        Answer::of(request.form(&[("client_id", &spa.id)])).await
    };
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    assert_eq!(allowed(&send("https://spa.example").await).as_deref(), Some("https://spa.example"));
    assert_eq!(allowed(&send("https://backend.example").await), None, "no app in a browser");
    server.cli(&["client", "disable", &spa.id]);
    let begin = std::time::Instant::now();
    while allowed(&preflight(&server, "https://spa.example").await).is_some() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(30), "a disabled app's origin is still allowed");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn preflight(server: &Server, origin: &str) -> Answer {
    let request = http().request(Method::OPTIONS, server.url("/oauth2/revoke")).header("Origin", origin);
    Answer::of(request.header("Access-Control-Request-Method", "POST")).await
}

/// What everybody may ask is answered from memory for a moment: of many at once the database is asked by one.
async fn p20_probes_share_an_answer(db: Db) {
    let server = Server::start(db, &[]);
    let reads = async || {
        let metrics = Answer::of(http().get(server.metrics_url())).await.body;
        let name = "latchway_database_seconds_count{work=\"metadata.scopes\"} ";
        metrics.lines().find_map(|line| line.strip_prefix(name)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let before = reads().await;
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/readyz"] {
        let many = (0..60).map(|_| Answer::of(http().get(server.url(path))));
        assert!(futures_join(many).await.iter().all(|answer| answer.status == 200), "{path}");
    }
    // SQLite answers on the thread that asks, in microseconds, and tells of no reads.
    if db == Db::Postgres {
        let asked = reads().await - before;
        assert!((1..60).contains(&asked), "the database was asked {asked} times for 120 requests");
    }
}

async fn futures_join<F: Future<Output = Answer> + Send + 'static>(futures: impl Iterator<Item = F>) -> Vec<Answer> {
    let mut set = tokio::task::JoinSet::new();
    futures.for_each(|future| drop(set.spawn(future)));
    set.join_all().await
}

both![p04_bodies_that_do_not_come, p18_origins, p20_probes_share_an_answer];
