//! S6, A3: how a server is stopped, and what other signals do.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::harness::*;

const CC: &[(&str, &str)] = &[("grant_type", "client_credentials")];

/// A connection that is kept.
struct Kept(TcpStream);

impl Kept {
    fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        Self(stream)
    }

    /// The head of an answer, in lower case.
    fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        self.0.write_all(request.as_bytes()).expect("a request");
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            assert_eq!(self.0.read(&mut byte).expect("an answer"), 1, "{}", String::from_utf8_lossy(&head));
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut body = vec![0; length.parse().expect("a number")];
        self.0.read_exact(&mut body).expect("the body");
        head
    }

    fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

async fn until_draining(server: &Server) {
    let begin = Instant::now();
    while Answer::of(http().get(server.url("/readyz"))).await.status != 503 {
        assert!(begin.elapsed() < Duration::from_secs(10), "still ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Fails if a proxy could take a connection for one that lasts while the server is about to end.
async fn s06_connections_end_with_their_answer(db: Db) {
    let server = Server::start(db, &[("server.shutdown_delay_seconds", "4")]);
    let (mut busy, mut idle) = (Kept::new(&server), Kept::new(&server));
    for connection in [&mut busy, &mut idle] {
        assert!(!connection.get("/livez").contains("connection: close"), "it is kept");
    }
    let refused = "/nothing";
    assert!(!busy.get(refused).contains("connection: close"), "so it is after a refusal");
    server.signal("TERM");
    until_draining(&server).await;
    assert!(busy.get(refused).contains("\r\nconnection: close"), "the proxy is told");
    assert!(busy.is_closed());
    for path in ["/livez", "/readyz", "/.well-known/jwks.json", "/login"] {
        let mut fresh = Kept::new(&server);
        assert!(fresh.get(path).contains("\r\nconnection: close") && fresh.is_closed(), "{path}");
    }
    assert!(idle.is_closed(), "nobody waits for an idle connection");
    let status = server.stop_within(Duration::from_secs(20));
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

/// Fails if a client that sends its body drop by drop decides when the server ends, or if the defaults exceed the 30 seconds that
/// Kubernetes waits.
async fn s06_the_time_to_stop_is_what_the_settings_say(db: Db) {
    let server = Server::start(db, &[("server.shutdown_timeout_seconds", "1")]);
    let (_, defaults) = server.words(&["config", "template"]);
    let seconds = |key: &str| -> u64 {
        let line = defaults.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.expect(key).parse().expect("a number")
    };
    let (delay, longest) = (seconds("shutdown_delay_seconds"), seconds("shutdown_timeout_seconds"));
    assert!(delay + longest + 3 < 30, "{delay} + {longest}");
    let mut dripping = TcpStream::connect(server.address()).expect("a connection");
    let head = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 10000\r\n\r\n";
    dripping.write_all(head.as_bytes()).expect("the head");
    let stopped = Arc::new(AtomicBool::new(false));
    let seen = stopped.clone();
    let drip = std::thread::spawn(move || {
        while !seen.load(Ordering::Relaxed) && dripping.write_all(b"a").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    std::thread::sleep(Duration::from_millis(300));
    let status = server.stop_within(Duration::from_secs(12));
    stopped.store(true, Ordering::Relaxed);
    drip.join().expect("the client");
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.log());
}

/// nginx before several nodes, with connections that it keeps. It ends with the test.
struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    fn start(dir: &std::path::Path, nodes: &[&Server]) -> Self {
        let (port, dir) = (free_port(), dir.display());
        // Each request tries a node that is down; otherwise the first to go would be avoided for ten seconds, and with the second
        // there would be none left.
        let nodes: String =
            nodes.iter().map(|node| format!("server 127.0.0.1:{} max_fails=0;", node.address().1)).collect();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {dir}/nginx-{kind};"))
            .collect();
        let config = format!(
            "daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr error;
             events {{ worker_connections 512; }}
             http {{ access_log off; {temporary}
               upstream latchway {{ {nodes} keepalive 32; }}
               server {{ listen 127.0.0.1:{port};
                 location / {{ proxy_pass http://latchway; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}"
        );
        let path = format!("{dir}/nginx.conf");
        std::fs::write(&path, config).expect("a configuration");
        let mut command = Command::new("nginx");
        command.args(["-c", &path, "-e", "stderr"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("nginx, which scripts/test installs");
        started(child.id());
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "nginx does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { child, port }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        ended(self.child.id());
    }
}

/// Fails if a restart behind a proxy that keeps its connections costs a request.
async fn s06_rolling_restarts_behind_nginx() {
    let first = Server::start(Db::Postgres, &[("server.shutdown_delay_seconds", "1")]);
    let second = first.another_node();
    let client = Spec::confidential().create(&first);
    let nginx = Nginx::start(&first.dir, &[&first, &second]);
    let url = format!("http://127.0.0.1:{}/oauth2/token", nginx.port);
    let (done, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    // The clients have a thread of their own, because starting and stopping a node holds this one up.
    let clients = std::thread::spawn({
        let (done, served) = (done.clone(), served.clone());
        move || through_proxy(&url, &client, &done, &served)
    });
    for restart in 0..6 {
        let node = [&first, &second][restart % 2];
        let before = served.load(Ordering::Relaxed);
        let begin = Instant::now();
        while served.load(Ordering::Relaxed) < before + 100 {
            assert!(begin.elapsed() < Duration::from_secs(60), "nothing is served");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(node.stop(), "restart {restart}");
        node.spawn();
    }
    done.store(true, Ordering::Relaxed);
    let failed = clients.join().expect("the clients");
    assert!(failed.is_empty(), "{} of {}: {failed:?}", failed.len(), served.load(Ordering::Relaxed));
}

/// Twelve clients that ask for tokens until it is enough; returns what they got instead.
fn through_proxy(url: &str, client: &Client, done: &AtomicBool, served: &AtomicU64) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let ask = async || {
            let proxied = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
            let mut failed = Vec::new();
            while !done.load(Ordering::Relaxed) {
                match proxied.post(url).basic_auth(&client.id, client.secret.as_deref()).form(CC).send().await {
                    Ok(answer) if answer.status() == 200 => _ = served.fetch_add(1, Ordering::Relaxed),
                    Ok(answer) => failed.push(answer.status().to_string()),
                    Err(error) => failed.push(error.to_string()),
                }
            }
            failed
        };
        let all: [Vec<String>; 12] =
            tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask(), ask()).into();
        all.concat()
    })
}

/// Fails if a signal that is meant for others, such as that of a terminal that was closed, cuts off requests.
async fn a03_signals(db: Db) {
    let server = Server::start(db, &[]);
    for name in ["HUP", "USR1", "USR2"] {
        server.signal(name);
        server.logged(&format!("\"SIG{name}\""));
        assert_eq!(Answer::of(http().get(server.url("/livez"))).await.status, 200, "{name}");
    }
    let body = "grant_type=nonsense&client_id=x";
    let mut slow = TcpStream::connect(server.address()).expect("a connection");
    let head = format!(
        "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n{}",
        body.len(),
        &body[..10]
    );
    slow.write_all(head.as_bytes()).expect("the first half");
    // A connection that was not accepted yet may end without an answer: this says that the server has the request.
    let mut interim = [0; 25];
    slow.read_exact(&mut interim).expect("an interim answer");
    assert_eq!(interim, *b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("QUIT");
    server.logged("stopping");
    slow.write_all(&body.as_bytes()[10..]).expect("the second half");
    let mut answer = [0; 64];
    let length = slow.read(&mut answer).expect("an answer");
    assert!(answer[..length].starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer[..length]));
    drop(slow);
    let begin = Instant::now();
    while server.is_alive() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

both![s06_connections_end_with_their_answer, s06_the_time_to_stop_is_what_the_settings_say, a03_signals];

mod postgres_alone {
    use crate::harness::*;

    #[test]
    fn s06_rolling_restarts_behind_nginx() {
        run(Db::Postgres, |_: Db| super::s06_rolling_restarts_behind_nginx());
    }
}
