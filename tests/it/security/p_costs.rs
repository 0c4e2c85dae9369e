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

/// What comes next on a connection, as text.
async fn read_some(stream: &mut TcpStream) -> String {
    let mut text = [0; 2048];
    let length = stream.read(&mut text).await.expect("an answer");
    String::from_utf8_lossy(&text[..length]).into_owned()
}

/// Whether 127.0.0.66 gets an answer.
async fn served(server: &Server, request: &[u8]) -> bool {
    let mut stream = connect(server, "127.0.0.66").await;
    let _written = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

/// Fails if one address can hold all connections, idle or with half a request, or if others pay for it.
async fn p04_connections_of_one_address(db: Db) {
    let config =
        [("server.max_connections_per_address", "8"), ("server.max_connections", "16"), ("server.workers", "1")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let secret = client.secret.clone().expect("a secret");
    let token = async || {
        let request = at("127.0.0.9").post(server.url("/oauth2/token")).basic_auth(&client.id, Some(&secret));
        Answer::of(request.form(&[("grant_type", "client_credentials")])).await
    };
    let get = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // The first of an address are kept after an answer, so that they wait in the midst of their second request; the rest are not.
    let mut held = Vec::new();
    for n in 0..8 {
        let mut stream = connect(&server, "127.0.0.66").await;
        if n < 4 {
            stream.write_all(get).await.expect("written");
            let answer = read_some(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("connection: close"), "{answer}");
            stream.write_all(b"GET /livez HT").await.expect("written");
        }
        held.push(stream);
    }
    // Whatever it does beyond its share, it gets an end at once, and nothing that it sent is done.
    let revoke = b"POST /oauth2/revoke HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\ntoken=x";
    for sent in [&b""[..], b"POST /oauth2/rev", revoke].repeat(4) {
        let mut stream = connect(&server, "127.0.0.66").await;
        // The server may have closed it before.
        let _written = stream.write_all(sent).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
    for _ in 0..3 {
        assert_tokens(&token().await);
    }
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    let refused = metrics.lines().find(|line| line.starts_with("latchway_connections_refused_total "));
    assert_eq!(refused, Some("latchway_connections_refused_total 12"));
    // One that is kept ends by its answer, as it began in the second half of the share; then there is room for another.
    let mut last = held.pop().expect("eight");
    last.write_all(get).await.expect("written");
    let mut answer = String::new();
    last.read_to_string(&mut answer).await.expect("an answer, and then the end");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    let begin = std::time::Instant::now();
    while !served(&server, get).await {
        assert!(begin.elapsed() < std::time::Duration::from_secs(30), "the place is not free again");
    }
    // A proxy on this machine, and this machine itself, may have all of them.
    let local = futures_join((0..9).map(|_| Answer::of(at("127.0.0.1").get(server.url("/livez"))))).await;
    assert!(local.iter().all(|answer| answer.status == 200));
    drop(held);
}

/// Fails if one address takes all places of requests under way.
async fn p04_requests_of_one_address(db: Db) {
    // The test may say of which client each request is.
    let server = Server::start(db, &[("server.trusted_proxies", "127.0.0.0/8"), ("server.max_requests", "64")]);
    let client = Client::confidential(&server);
    let secret = client.secret.clone().expect("a secret");
    let post = |path: &str, from: &'static str, form: &[(&str, &str)]| {
        let request = http().post(server.url(path)).basic_auth(&client.id, Some(&secret));
        Answer::of(request.header("X-Forwarded-For", from).form(form))
    };
    let grant = [("grant_type", "client_credentials")];
    let token = post("/oauth2/token", "203.0.113.9", &grant).await.text("access_token");
    let lock = server.database.block();
    let mut tokens = tokio::task::JoinSet::new();
    for _ in 0..60 {
        tokens.spawn(post("/oauth2/token", "203.0.113.66", &grant));
    }
    // Its quarter is 16, of which tokens may be twelve.
    for _ in 0..48 {
        let answer = tokens.join_next().await.expect("48 are too many").expect("an answer");
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    let mut others = tokio::task::JoinSet::new();
    for from in ["203.0.113.9", "2001:db8::9"] {
        others.spawn(post("/oauth2/token", from, &grant));
        let page = http().get(client.request().url()).header("X-Forwarded-For", from);
        assert_eq!(Answer::of(page).await.status, 303, "a login from {from}");
    }
    // Whoever shares the address with it still asks for what is there.
    let asked = post("/oauth2/introspect", "203.0.113.66", &[("token", token.as_str())]).await;
    assert_eq!(asked.json()["active"], true, "{asked:?}");
    drop(lock);
    for answer in tokens.join_all().await.iter().chain(&others.join_all().await) {
        assert_tokens(answer);
    }
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

both![
    p04_bodies_that_do_not_come,
    p04_connections_of_one_address,
    p04_requests_of_one_address,
    p18_origins,
    p20_probes_share_an_answer
];
