//! 7 and 9 Rate limits: by whom they count, what they say, and that they hold over all nodes.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use tokio::time::sleep;

use super::held::at_once;
use crate::harness::*;

const PROXY: (&str, &str) = ("server.trusted_proxies", "127.0.0.0/8");

/// A request for a path, from wherever the trusted proxy says.
fn from(server: &Server, method: Method, path: &str, address: &str) -> RequestBuilder {
    http().request(method, server.url(path)).header("X-Forwarded-For", address)
}

async fn get(server: &Server, path: &str, address: &str) -> Answer {
    Answer::of(from(server, Method::GET, path, address)).await
}

/// A client that shows a secret.
fn proof(server: &Server, client: &str, secret: &str, address: &str) -> RequestBuilder {
    let request = from(server, Method::POST, "/oauth2/token", address).basic_auth(client, Some(secret));
    request.form(&[("grant_type", "client_credentials")])
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header_or_empty("retry-after").parse().unwrap_or_else(|_| panic!("Retry-After in seconds: {answer:?}"))
}

async fn g_019_a_group_of_paths(db: Db) {
    let config = [PROXY, ("limits.pages_per_address", "3/1h"), ("limits.token_per_address", "2/1h")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    for path in ["/login", "/account", "/nothing"] {
        assert!(get(&server, path, "192.0.2.1").await.status < 429, "{path}");
    }
    let page = get(&server, "/login", "192.0.2.1").await;
    assert_eq!(page.status, 429, "{page:?}");
    assert_own_page(&page);
    assert!((1_100..=1_201).contains(&retry_after(&page)), "a third of an hour: {page:?}");
    // Elsewhere, and what needs no limit.
    assert_eq!(get(&server, "/login", "192.0.2.2").await.status, 200);
    for path in ["/livez", "/readyz", "/.well-known/jwks.json", "/.well-known/openid-configuration", "/favicon.ico"] {
        assert!(get(&server, path, "192.0.2.1").await.status < 400, "{path}");
    }
    // The token endpoint has its own, and speaks JSON.
    let secret = client.secret.as_deref().expect("a secret");
    for _ in 0..2 {
        assert_tokens(&Answer::of(proof(&server, &client.id, secret, "192.0.2.1")).await);
    }
    let refused = Answer::of(proof(&server, &client.id, secret, "192.0.2.1")).await;
    assert_j(&refused, 429, "slow_down");
    assert!(retry_after(&refused) > 0);
    assert_tokens(&Answer::of(proof(&server, &client.id, secret, "192.0.2.2")).await);
    let metrics = Answer::of(http().get(server.metrics_url())).await.body;
    assert!(metrics.contains("latchway_requests_limited_total{route=\"/oauth2/token\"} 1"), "{metrics}");
}

/// draft-ietf-httpapi-ratelimit-headers: what is left, on success and on refusal.
async fn g_019_what_is_left_is_told(db: Db) {
    let config = [("limits.token_per_address", "3/1m"), ("limits.token_per_client", "2/1h")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let token = async || client.token(&[("grant_type", "client_credentials")]).await;
    let first = token().await;
    assert_eq!(first.header("ratelimit-policy"), Some(r#""token-address";q=3;w=60"#), "{first:?}");
    assert_eq!(first.header("ratelimit"), Some(r#""token-address";r=2;t=20"#), "{first:?}");
    assert_eq!(token().await.header("ratelimit"), Some(r#""token-address";r=1;t=40"#));
    // The client's limit is exceeded first, and that is the one told.
    let refused = token().await;
    assert_j(&refused, 429, "slow_down");
    assert_eq!(refused.header("ratelimit-policy"), Some(r#""token-client";q=2;w=3600"#), "{refused:?}");
    assert_eq!(
        refused.header("ratelimit"),
        Some(format!(r#""token-client";r=0;t={}"#, retry_after(&refused)).as_str())
    );
    // Then the address's.
    let refused = token().await;
    assert_j(&refused, 429, "slow_down");
    assert_eq!(refused.header("ratelimit-policy"), Some(r#""token-address";q=3;w=60"#), "{refused:?}");
    assert_eq!(
        refused.header("ratelimit"),
        Some(format!(r#""token-address";r=0;t={}"#, retry_after(&refused)).as_str())
    );
    let unlimited = Answer::of(http().get(server.url("/livez"))).await;
    assert_eq!(unlimited.header("ratelimit"), None, "{unlimited:?}");
}

async fn g_019_by_client(db: Db) {
    let config = [PROXY, ("limits.token_per_client", "3/1h"), ("limits.routes", "/oauth2/introspect per client 1/1h")];
    let server = Server::start(db, &config);
    let (client, other) = (Client::confidential(&server), Client::confidential(&server));
    let secret = client.secret.as_deref().expect("a secret");
    for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_tokens(&Answer::of(proof(&server, &client.id, secret, address)).await);
    }
    assert_j(&Answer::of(proof(&server, &client.id, secret, "192.0.2.4")).await, 429, "slow_down");
    // Somebody who only names the client uses up nothing.
    for n in 0..5 {
        assert_ic(&Answer::of(proof(&server, &other.id, "wrong", &format!("192.0.2.{n}"))).await);
    }
    let refused = other.introspect("x").await;
    assert_eq!(refused.json(), serde_json::json!({"active": false}));
    assert_j(&other.introspect("x").await, 429, "slow_down");
    assert_tokens(&other.token(&[("grant_type", "client_credentials")]).await);
    // A public client is nobody in particular: each address has its own.
    let public = Client::public(&server);
    let refresh = async |address: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &public.id)];
        Answer::of(from(&server, Method::POST, "/oauth2/token", address).form(&form)).await.status
    };
    for expected in [400, 400, 400, 429] {
        assert_eq!(refresh("192.0.2.1").await, expected);
    }
    assert_eq!(refresh("192.0.2.9").await, 400);
}

/// Nobody chooses the key by which they are counted.
async fn g_007_g_008_whose_limit(db: Db) {
    let server = Server::start(db, &[("limits.pages_per_address", "2/1h")]);
    let statuses = async |server: &Server, addresses: &[&str]| {
        let mut statuses = Vec::new();
        for address in addresses {
            statuses.push(get(server, "/login", address).await.status);
        }
        statuses
    };
    assert_eq!(statuses(&server, &["1.1.1.1", "2.2.2.2", "3.3.3.3"]).await, [200, 200, 429], "no proxy is trusted");
    drop(server);
    let server = Server::start(db, &[PROXY, ("limits.pages_per_address", "2/1h")]);
    let same_network = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:3", "2001:db8:0:1::1"];
    assert_eq!(statuses(&server, &same_network).await, [200, 200, 429, 200], "a /64 is one");
    let spoofed = ["9.9.9.1, 192.0.2.1", "9.9.9.2, 192.0.2.1", "9.9.9.3, 192.0.2.1", "192.0.2.2"];
    assert_eq!(statuses(&server, &spoofed).await, [200, 200, 429, 200], "the hop that the proxy saw");
    let spellings = ["::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7:4711"];
    assert_eq!(statuses(&server, &spellings).await, [200, 200, 429]);
}

/// Of a hundred wrong secrets at once, over all nodes, no more are told so than the limit allows; then not even the right
/// one helps from there, on any node.
async fn r_007_a_hundred_wrong_secrets(db: Db) {
    let config = [PROXY, ("limits.client_auth_failures", "5")];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let secret = client.secret.clone().expect("a secret");
    let others: Vec<Server> = (0..if db == Db::Postgres { 3 } else { 0 }).map(|_| server.another_node()).collect();
    let nodes: Vec<&Server> = std::iter::once(&server).chain(&others).collect();
    let guess = |n: usize| proof(nodes[n % nodes.len()], &client.id, &format!("guess {n}"), "192.0.2.1");
    let answers = at_once((0..100).map(guess)).await;
    let told = answers.iter().filter(|answer| answer.status == 401).count();
    let slowed = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((told, slowed), (5, 95), "{answers:?}");
    assert_eq!(audit(&server, "kind = 'client_auth_failed'").len(), 5);
    sleep(Duration::from_secs(1)).await;
    for node in &nodes {
        let refused = Answer::of(proof(node, &client.id, &secret, "192.0.2.1")).await;
        assert_j(&refused, 429, "slow_down");
        assert!((1..=60).contains(&retry_after(&refused)), "{refused:?}");
        assert_tokens(&Answer::of(proof(node, &client.id, &secret, "192.0.2.2")).await);
    }
    assert_eq!(server.database.rows("throttles", "kind = 'client_auth' AND full_until IS NOT NULL").len(), 1);
    // As long as secrets are right, nothing of all this is written.
    let before = server.database.rows("throttles", "1 = 1");
    let other = Client::confidential(&server);
    for _ in 0..5 {
        assert_tokens(&other.token(&[("grant_type", "client_credentials")]).await);
    }
    assert_eq!(server.database.rows("throttles", "1 = 1"), before);
}

/// Clients that somebody makes up leave neither rows nor records without end, and keep no client out that there is.
async fn g_016_made_up_clients(db: Db) {
    let server = Server::start(db, &[PROXY, ("limits.unknown_client_failures_per_address", "10/1m")]);
    let client = Client::confidential(&server);
    let guess = |n: usize| proof(&server, &format!("made-up-{n}"), "x", "192.0.2.1");
    let answers = at_once((0..60).map(guess)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 50);
    assert_eq!(server.database.rows("throttles", "1 = 1").len(), 1);
    assert_eq!(server.database.rows("restraints", "1 = 1").len(), 0);
    assert_eq!(audit(&server, "kind = 'client_auth_failed'").len(), 10);
    let right = proof(&server, &client.id, client.secret.as_deref().expect("a secret"), "192.0.2.1");
    assert_tokens(&Answer::of(right).await);
}

/// Whoever runs the server sees who is restrained, and why, and can end it.
async fn g_019_an_operator_lifts_it(db: Db) {
    let server =
        Server::start(db, &[PROXY, ("limits.client_auth_failures", "2"), ("limits.client_auth_window_seconds", "600")]);
    let client = Client::confidential(&server);
    let right = || proof(&server, &client.id, client.secret.as_deref().expect("a secret"), "192.0.2.1");
    for _ in 0..2 {
        assert_ic(&Answer::of(proof(&server, &client.id, "wrong", "192.0.2.1")).await);
    }
    assert_eq!(Answer::of(right()).await.status, 429);
    let listed = server.cli(&["restraint", "list"]);
    let subject = format!("{} 192.0.2.1/32", client.id);
    assert_eq!(
        (&listed[0]["kind"], &listed[0]["subject"]),
        (&"client_auth".into(), &subject.clone().into()),
        "{listed}"
    );
    assert_eq!(listed[0]["reason"], "2 wrong secrets or assertions of this client");
    assert_eq!(server.cli(&["restraint", "lift", &subject])["subject"], subject.as_str());
    assert!(server.try_cli(&["restraint", "lift", &subject], "").is_err(), "it is lifted");
    assert_eq!(audit(&server, "kind = 'restraint_lifted'").len(), 1);
    let begin = Instant::now();
    while Answer::of(right()).await.status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(20), "it is lifted within a second");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.cli(&["restraint", "list"]), serde_json::json!([]));
}

async fn g_019_one_time_links(db: Db) {
    let server = Server::start(db, &[PROXY, ("limits.link_failures_per_address", "4/1m")]);
    let guess = async |n: usize, address: &str| get(&server, &format!("/setup?token={n}"), address).await;
    for n in 0..4 {
        assert_eq!(guess(n, "192.0.2.1").await.status, 410);
    }
    let refused = guess(4, "192.0.2.1").await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert!((1..=60).contains(&retry_after(&refused)), "{refused:?}");
    assert_eq!(guess(5, "192.0.2.2").await.status, 410);
}

/// Without the database nobody's failures are counted, so that nobody is told whether a secret was right; what everybody
/// may know is still told.
async fn g_019_without_the_counters(db: Db) {
    let server = Server::start(db, &[("database.timeout_seconds", "1")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    server.database.execute("ALTER TABLE throttles RENAME TO lost");
    let wrong = Answer::of(proof(&server, &client.id, "wrong", "192.0.2.1")).await;
    assert_j(&wrong, 503, "temporarily_unavailable");
    let form = page.form("/login").with("username", &user.username).with("password", &user.password);
    let refused = browser.post(&form).await;
    assert_eq!(refused.status, 503, "the right password too: {refused:?}");
    assert_eq!(Answer::of(http().get(server.url("/.well-known/jwks.json"))).await.status, 200);
    server.database.execute("ALTER TABLE lost RENAME TO throttles");
    assert_eq!(browser.post(&form).await.status, 303);
}

both![
    g_019_a_group_of_paths,
    g_019_what_is_left_is_told,
    g_019_by_client,
    g_007_g_008_whose_limit,
    r_007_a_hundred_wrong_secrets,
    g_016_made_up_clients,
    g_019_an_operator_lifts_it,
    g_019_one_time_links,
    g_019_without_the_counters,
];
