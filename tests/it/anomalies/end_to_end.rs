//! Real attacks on a running server: the event, the metric, the post, and what is done.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::webhook::{Receiver, SECRET};
use crate::harness::*;
use crate::security::Held;

const PROXY: (&str, &str) = ("server.trusted_proxies", "127.0.0.0/8");
const ATTACKER: &str = "198.51.100.7";
const HOME: &str = "203.0.113.4";

/// A login from wherever the trusted proxy says.
async fn login(server: &Server, from: &str, username: &str, password: &str) -> Answer {
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    let form = page.form("/login").with("username", username).with("password", password);
    let request = browser.request(Method::POST, &form.action).header("Sec-Fetch-Site", "same-origin");
    let request = request.header("Content-Type", "application/x-www-form-urlencoded").header("X-Forwarded-For", from);
    Answer::of(request.body(form.encoded())).await
}

async fn get(server: &Server, from: &str, path: &str) -> u16 {
    Answer::of(http().get(server.url(path)).header("X-Forwarded-For", from)).await.status
}

/// A refresh from somewhere; the new refresh token, if it was given.
async fn refresh(server: &Server, held: &Held, token: &str, from: &str) -> (u16, String) {
    let request = http().post(server.url("/oauth2/token")).header("X-Forwarded-For", from);
    let request = request.basic_auth(&held.client.id, held.client.secret.as_deref());
    let answer = Answer::of(request.form(&[("grant_type", "refresh_token"), ("refresh_token", token)])).await;
    let next = answer.json()["refresh_token"].as_str().unwrap_or_default().to_owned();
    (answer.status, next)
}

/// The detail of the first event of that kind, which must come soon.
async fn told(server: &Server, kind: &str) -> Value {
    let begin = Instant::now();
    loop {
        if let Some(event) = audit(server, &format!("kind = '{kind}' ORDER BY id")).first() {
            return serde_json::from_str(event["detail"].as_str().expect("a detail")).expect("JSON");
        }
        assert!(begin.elapsed() < Duration::from_secs(25), "no {kind}:\n{}", server.log());
        sleep(Duration::from_millis(100)).await;
    }
}

async fn metrics(server: &Server) -> String {
    Answer::of(http().get(server.metrics_url())).await.body
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(10), "{what}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// F-008: told, counted, posted, and the address is blocked for a while, which spares everybody else.
async fn f_008_spraying_is_told_and_blocked(db: Db) {
    let receiver = Receiver::new(&["503 Service Unavailable".to_owned()]);
    let config = [
        PROXY,
        ("anomalies.password_spraying_accounts", "4"),
        ("anomalies.password_spraying_reactions", "block_address"),
        ("anomalies.reaction_seconds", "6"),
        ("anomalies.webhook_url", receiver.url.as_str()),
        ("anomalies.webhook_secret", SECRET),
    ];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    for n in 0..4 {
        assert_eq!(login(&server, ATTACKER, &format!("name{n}"), "Winter2026!").await.status, 422);
    }
    let detail = told(&server, "anomaly_password_spraying").await;
    assert_eq!((&detail["subject_kind"], &detail["subject"]), (&"network".into(), &"198.51.100.0/24".into()));
    assert_eq!((&detail["count"], &detail["threshold"], &detail["severity"]), (&4.into(), &4.into(), &"medium".into()));
    assert_eq!(detail["addresses"], serde_json::json!([ATTACKER]));
    assert!(detail["reason"].as_str().is_some_and(|reason| reason.contains("4 accounts")), "{detail}");
    let begin = Instant::now();
    eventually("the attacker is blocked", async || get(&server, ATTACKER, "/login").await == 429).await;
    assert!(begin.elapsed() < Duration::from_secs(2), "within a second, and one for the machine");
    let refused = Answer::of(http().post(server.url("/oauth2/token")).header("X-Forwarded-For", ATTACKER)).await;
    assert_j(&refused, 429, "slow_down");
    assert!(refused.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| (1..=6).contains(&s)), "{refused:?}");
    assert_eq!(get(&server, ATTACKER, "/.well-known/jwks.json").await, 200, "public keys are for everybody");
    assert_eq!(get(&server, ATTACKER, "/livez").await, 200);
    assert_eq!(get(&server, "198.51.100.8", "/login").await, 200, "a neighbour has done nothing");
    assert_eq!(login(&server, HOME, &user.username, &user.password).await.status, 303);
    let done = told(&server, "anomaly_reaction").await;
    assert!(done["done"][0].as_str().is_some_and(|done| done.starts_with("block 198.51.100.7/32 until ")), "{done}");
    assert!(metrics(&server).await.contains(r#"latchway_anomalies_total{rule="password_spraying"} 1"#));
    // The receiver failed once, and got it again.
    eventually("the finding is posted again", async || receiver.posted().len() >= 2).await;
    let posted = receiver.posted();
    assert_eq!(posted[0].id, posted[1].id);
    for post in &posted {
        assert!(post.is_signed(SECRET, now()) && !post.is_signed("another secret", now()), "{post:?}");
        let body = post.json();
        assert_eq!((&body["type"], &body["rule"]), (&"anomaly".into(), &"password_spraying".into()));
        assert_eq!((&body["issuer"], &body["id"]), (&server.issuer.clone().into(), &post.id.clone().into()));
        assert_eq!(body["reactions"], serde_json::json!(["block_address"]));
    }
    // It ends by itself.
    eventually("the block ends", async || get(&server, ATTACKER, "/login").await == 200).await;
    assert_eq!(audit(&server, "kind = 'anomaly_password_spraying'").len(), 1, "told once");
    let trail = format!("{:?}", audit(&server, "1 = 1"));
    assert!(!trail.contains("Winter2026!") && !trail.contains("name0"), "{trail}");
    assert!(!server.log().contains(SECRET) && !server.log().contains("of=latchway"), "neither is for the log");
}

/// Fails if a finding, which is signed for one receiver, goes wherever that sends it.
async fn a_redirected_finding_goes_nowhere(db: Db) {
    let elsewhere = Receiver::new(&[]);
    let receiver = Receiver::new(&[format!("307 Temporary Redirect\r\nLocation: {}", elsewhere.url)]);
    let config = [
        PROXY,
        ("anomalies.password_spraying_accounts", "4"),
        ("anomalies.webhook_url", receiver.url.as_str()),
        ("anomalies.webhook_secret", SECRET),
    ];
    let server = Server::start(db, &config);
    for n in 0..4 {
        login(&server, ATTACKER, &format!("name{n}"), "Winter2026!").await;
    }
    let failed = r#"latchway_webhook_deliveries_total{outcome="failed"} 1"#;
    eventually("it is given up", async || metrics(&server).await.contains(failed)).await;
    assert_eq!((receiver.posted().len(), elsewhere.posted().len()), (1, 0));
}

/// F-008: each address tries one account.
async fn f_008_stuffing_is_told(db: Db) {
    let config =
        [PROXY, ("anomalies.credential_stuffing_accounts", "6"), ("anomalies.credential_stuffing_networks", "6")];
    let server = Server::start(db, &config);
    for n in 0..7 {
        login(&server, &format!("198.51.{n}.7"), &format!("leaked{n}"), "one of a list").await;
    }
    let detail = told(&server, "anomaly_credential_stuffing").await;
    assert_eq!((&detail["subject_kind"], &detail["severity"]), (&"everybody".into(), &"high".into()));
    assert!(metrics(&server).await.contains(r#"latchway_anomalies_total{rule="credential_stuffing"} 1"#));
    // Nobody in particular did it, and nothing is done to anybody.
    assert_eq!(get(&server, "198.51.1.7", "/login").await, 200);
}

async fn brute_force_slows_down(db: Db) {
    let config = [
        PROXY,
        ("anomalies.brute_force_account_failures", "5"),
        ("anomalies.brute_force_account_reactions", "slow_down"),
        ("anomalies.brute_force_client_secrets", "4"),
        ("limits.slowed", "2/1h"),
    ];
    let server = Server::start(db, &config);
    let (user, client) = (User::new(&server), Client::confidential(&server));
    for n in 0..5 {
        login(&server, ATTACKER, &user.username, &format!("guess{n}")).await;
    }
    let detail = told(&server, "anomaly_brute_force_account").await;
    let hash = audit(&server, "kind = 'login_failed'")[0]["subject_hash"].clone();
    assert_eq!((&detail["subject_kind"], &detail["subject"]), (&"account".into(), &hash));
    eventually("the attacker is slowed down", async || get(&server, ATTACKER, "/login").await == 429).await;
    assert_eq!(get(&server, HOME, "/login").await, 200);
    for n in 0..12 {
        let wrong = http().post(server.url("/oauth2/token")).header("X-Forwarded-For", HOME);
        let wrong = wrong.basic_auth(&client.id, Some(format!("guess {n}")));
        assert_ic(&Answer::of(wrong.form(&[("grant_type", "client_credentials")])).await);
    }
    let detail = told(&server, "anomaly_brute_force_client").await;
    assert_eq!((&detail["subject_kind"], &detail["subject"]), (&"client".into(), &client.id.clone().into()));
    assert_eq!(audit(&server, "kind = 'anomaly_reaction'").len(), 1, "for this rule none is configured");
}

/// A token that was used twice: the family is ended in any case, and here its person has to log in again.
async fn a_reused_token_ends_sessions(db: Db) {
    let config = [("tokens.refresh_retry_seconds", "0"), ("anomalies.token_reuse_reactions", "fresh_login")];
    let server = Server::start(db, &config);
    let (held, other) = (Held::new(&server).await, Held::new(&server).await);
    assert_eq!(refresh(&server, &held, &held.refresh, HOME).await.0, 200);
    assert_eq!(refresh(&server, &held, &held.refresh, HOME).await.0, 400);
    let detail = told(&server, "anomaly_token_reuse").await;
    assert_eq!((&detail["subject_kind"], &detail["severity"]), (&"family".into(), &"high".into()));
    told(&server, "anomaly_reaction").await;
    assert_eq!(held.browser.get("/account").await.header("location"), Some("/login"));
    assert_eq!(other.browser.get("/account").await.status, 200, "nobody else");
}

/// A refresh token that leaves its server's network takes its family with it, if that is wanted.
async fn a_family_that_moves(db: Db) {
    let config = [
        PROXY,
        ("anomalies.new_network_uses", "4"),
        ("anomalies.new_network_days", "0"),
        ("anomalies.new_network_moves", "0"),
        ("anomalies.new_network_reactions", "revoke_family"),
    ];
    let server = Server::start(db, &config);
    let held = Held::new(&server).await;
    let mut token = held.refresh.clone();
    // The code was redeemed from this machine: the first refresh is where the app's server lives, and known from then on.
    for _ in 0..2 {
        let (status, next) = refresh(&server, &held, &token, "127.0.0.1").await;
        assert_eq!(status, 200);
        token = next;
    }
    for _ in 0..3 {
        let (status, next) = refresh(&server, &held, &token, "127.0.0.2").await;
        assert_eq!(status, 200, "a neighbour in the same network");
        token = next;
    }
    assert!(audit(&server, "kind = 'anomaly_new_network'").is_empty());
    let (status, stolen) = refresh(&server, &held, &token, ATTACKER).await;
    assert_eq!(status, 200, "the token is good");
    let detail = told(&server, "anomaly_new_network").await;
    let reason = detail["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("from 127.0.0.0/24 is used from 198.51.100.0/24"), "{reason}");
    let done = told(&server, "anomaly_reaction").await;
    assert!(done["done"][0].as_str().is_some_and(|done| done.starts_with("revoked family ")), "{done}");
    assert_eq!(refresh(&server, &held, &stolen, ATTACKER).await.0, 400);
}

/// What the command line does is seen too.
async fn many_clients_and_many_errors(db: Db) {
    let config = [
        ("anomalies.client_burst_clients", "3"),
        ("anomalies.error_rate_errors", "6"),
        ("anomalies.error_rate_reactions", "slow_down"),
        ("limits.slowed", "1/1h"),
    ];
    let server = Server::start(db, &config);
    let client = Client::confidential(&server);
    let other = Client::confidential(&server);
    Client::confidential(&server);
    let detail = told(&server, "anomaly_client_burst").await;
    assert_eq!(detail["count"], 3);
    for n in 0..6 {
        let code = n.to_string();
        let form = [("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", &*client.redirect)];
        assert_ig(&client.token(&form).await);
    }
    let detail = told(&server, "anomaly_error_rate").await;
    assert_eq!((&detail["subject"], &detail["severity"]), (&client.id.clone().into(), &"low".into()));
    told(&server, "anomaly_reaction").await;
    let token = async |client: &Client| client.token(&[("grant_type", "client_credentials")]).await.status;
    eventually("the client is slowed down", async || token(&client).await == 429).await;
    assert_eq!(token(&other).await, 200);
}

/// Neither this machine nor a trusted proxy is ever restrained, and a switched off engine tells nothing.
async fn whom_nothing_happens_to(db: Db) {
    let config = [
        ("anomalies.password_spraying_accounts", "3"),
        ("anomalies.password_spraying_reactions", "block_address,slow_down"),
    ];
    let server = Server::start(db, &config);
    for n in 0..4 {
        login(&server, "ignored", &format!("name{n}"), "x").await;
    }
    told(&server, "anomaly_password_spraying").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(Browser::new(&server).get("/login").await.status, 200);
    assert!(server.database.rows("restraints", "1 = 1").is_empty());
    drop(server);
    let server = Server::start(db, &[("anomalies.enabled", "false"), ("anomalies.password_spraying_accounts", "3")]);
    for n in 0..4 {
        login(&server, "ignored", &format!("name{n}"), "x").await;
    }
    sleep(Duration::from_secs(3)).await;
    assert!(audit(&server, "kind LIKE 'anomaly%'").is_empty());
}

/// One node watches for all; a block holds on all; when the watcher dies another goes on, and tells nothing twice. On SQLite
/// it is the one server, started again.
async fn another_takes_over(db: Db) {
    let config = [
        PROXY,
        ("anomalies.password_spraying_accounts", "4"),
        ("anomalies.password_spraying_reactions", "block_address"),
    ];
    let first = Server::start(db, &config);
    eventually("somebody watches", async || first.log().contains("this node watches")).await;
    let other = (db == Db::Postgres).then(|| first.another_node());
    let second = other.as_ref().unwrap_or(&first);
    for n in 0..4 {
        login(second, ATTACKER, &format!("name{n}"), "x").await;
    }
    told(&first, "anomaly_password_spraying").await;
    for node in [&first, second] {
        eventually("blocked on each node", async || get(node, ATTACKER, "/login").await == 429).await;
    }
    first.crash();
    if db == Db::Sqlite {
        first.spawn();
    }
    let watches = async || second.log().matches("this node watches").count() == if db == Db::Sqlite { 2 } else { 1 };
    let begin = Instant::now();
    while !watches().await {
        assert!(begin.elapsed() < Duration::from_secs(20), "nobody took over:\n{}", second.log());
        sleep(Duration::from_millis(100)).await;
    }
    for n in 0..4 {
        login(second, "192.0.2.7", &format!("other{n}"), "x").await;
    }
    eventually("the next attack is told", async || audit(second, "kind = 'anomaly_password_spraying'").len() == 2)
        .await;
    sleep(Duration::from_secs(2)).await;
    let told = audit(second, "kind = 'anomaly_password_spraying'");
    assert_eq!(told.len(), 2, "each once: {told:?}");
}

both![
    f_008_spraying_is_told_and_blocked,
    a_redirected_finding_goes_nowhere,
    f_008_stuffing_is_told,
    brute_force_slows_down,
    a_reused_token_ends_sessions,
    a_family_that_moves,
    many_clients_and_many_errors,
    whom_nothing_happens_to,
    another_takes_over,
];
