//! the removal of what has expired, at a size that a test can wait for; `scripts/scale` does the rest.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::harness::*;

/// The server's own job stays away: these tests clean by the command line.
const CONFIG: &[(&str, &str)] = &[("cleanup.interval_seconds", "86400")];
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// An expression for the number `i`, and one for a time-ordered key of that many milliseconds, as each database writes
/// it.
fn key(database: &Database, millis: &str) -> String {
    match database {
        Database::Sqlite { .. } => format!("unhex(printf('%012x', {millis}) || hex(randomblob(10)))"),
        Database::Postgres { .. } => format!(
            "decode(lpad(to_hex(({millis})::bigint), 12, '0') || substr(md5(random()::text || i::text), 1, 20), 'hex')"
        ),
    }
}

/// Inserts rows that an expression makes for each `i` from 1 on.
fn fill(database: &Database, table: &str, columns: &str, values: &str, rows: usize) {
    let numbers = match database {
        Database::Sqlite { .. } => {
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})")
        }
        Database::Postgres { .. } => format!("WITH n(i) AS (SELECT generate_series(1, {rows}))"),
    };
    database.execute(&match database {
        Database::Sqlite { .. } => format!("INSERT INTO {table} ({columns}) {numbers} SELECT {values} FROM n"),
        Database::Postgres { .. } => format!("{numbers} INSERT INTO {table} ({columns}) SELECT {values} FROM n"),
    });
}

fn blob(database: &Database, text: &str) -> String {
    match database {
        Database::Sqlite { .. } => format!("CAST({text} AS BLOB)"),
        Database::Postgres { .. } => format!("({text})::bytea"),
    }
}

/// Access tokens of a client that were issued at some time and expired 15 minutes later.
fn fill_tokens(server: &Server, client: &Client, issued_at: i64, rows: usize) {
    let id = key(&server.database, &format!("{issued_at}000 + i"));
    let values = format!("{id}, '{}', 's', 'read', 'a', {issued_at}, {}", client.id, issued_at + 900);
    let columns = "jti, client_id, subject, scope, audience, issued_at, expires_at";
    fill(&server.database, "access_tokens", columns, &values, rows);
}

fn count(server: &Server, table: &str, condition: &str) -> usize {
    server.database.rows(table, condition).len()
}

/// Fails if something goes that a decision needs, if something stays that none needs, if a file grows from round to
/// round, or if SQLite's log does.
async fn r_046_what_has_expired_goes_and_nothing_else(db: Db) {
    let server = Server::start(db, CONFIG);
    let user = User::new(&server);
    let client = Spec::confidential().scope("openid offline_access").create(&server);
    let machine = Spec::confidential().auth(Auth::PrivateKeyJwt).grants(&["client_credentials"]).create(&server);
    let request = client.request();
    let browser = Browser::new(&server);
    let code = browser.grant(&user, &request).await.code();
    let family = client.redeem(&request, &code).await;
    let rotated = client.refresh(&family.text("refresh_token")).await;
    assert_tokens(&rotated);
    let assertion = machine.assertion(&machine.assertion_claims());
    let present = |assertion: String| {
        let form = [
            ("grant_type", "client_credentials".to_owned()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
            ("client_assertion", assertion),
        ];
        Answer::of(http().post(server.url("/oauth2/token")).form(&form))
    };
    assert_tokens(&present(assertion.clone()).await);

    let database = &server.database;
    let now = now();
    let user_id = format!("(SELECT id FROM users WHERE username = '{}')", user.username);
    // What ended an hour ago goes, what ended within the last hour stays.
    for (expired_at, prefix) in [(now - 2 * HOUR, "old"), (now - HOUR / 2, "young")] {
        let made_at = expired_at - 60;
        let id = key(database, &format!("{made_at}000 + i"));
        let hash = blob(database, &format!("'{prefix}' || i"));
        let grant = format!("{id}, '{}', {user_id}, 'openid', '', {made_at}, {made_at}, {expired_at}", client.id);
        let columns = "id, client_id, user_id, scope, resources, auth_time, created_at, expires_at";
        fill(database, "grants", columns, &grant, 1500);
        let code = format!("{id}, {hash}, {hash}, 'https://app.example/cb', {expired_at}, 0");
        fill(database, "codes", "id, secret_hash, grant_id, redirect_uri, expires_at, failures", &code, 1500);
        let device =
            format!("{id}, {hash}, {hash}, '{}', 'openid', '', 'a', {made_at}, {expired_at}, 5, 0, 0", client.id);
        let columns = "id, secret_hash, user_code_hash, client_id, scope, resources, address, created_at, expires_at, \
                       interval_seconds, next_poll_at, failures";
        fill(database, "device_codes", columns, &device, 1500);
        let used = format!("'{}', {hash}, {expired_at}", machine.id);
        fill(database, "client_assertions", "client_id, jti_hash, expires_at", &used, 1500);
    }
    let month = now - 40 * DAY;
    let id = key(database, &format!("{month}000 + i"));
    let refresh = format!("{id}, {}, {}, {}", blob(database, "'h'"), blob(database, "'g'"), month + 30 * DAY);
    fill(database, "refresh_tokens", "id, secret_hash, grant_id, expires_at", &refresh, 2500);
    // Live ones that are old: their lifetime was longer when they were issued.
    let id = key(database, &format!("{month}000 + i"));
    let live = format!("{id}, {}, {}, {}", blob(database, "'h'"), blob(database, "'live'"), now + DAY);
    fill(database, "refresh_tokens", "id, secret_hash, grant_id, expires_at", &live, 1200);

    let mut sizes = Vec::new();
    for _ in 0..3 {
        fill_tokens(&server, &client, now - DAY, 5000);
        let report = server.cli(&["cleanup"]);
        assert_eq!(report["removed"]["access_tokens"], 5000, "{report}");
        if let Database::Sqlite { file, .. } = database {
            sizes.push(database.number("SELECT page_count FROM pragma_page_count"));
            let log = std::fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());
            assert!(log <= 64 << 20, "{log} bytes of log");
        }
    }
    assert!(sizes.iter().all(|size| *size <= sizes[0] + sizes[0] / 10), "it grows: {sizes:?}");

    for (table, kept) in [
        ("grants", 1501),
        ("codes", 1501),
        ("device_codes", 1500),
        ("client_assertions", 1501),
        ("refresh_tokens", 1202),
    ] {
        assert_eq!(count(&server, table, "1 = 1"), kept, "{table}");
    }
    assert_eq!(count(&server, "access_tokens", "1 = 1"), 3);
    assert_eq!(count(&server, "grants", &format!("expires_at < {}", now - HOUR)), 0);
    assert_eq!(client.introspect(&rotated.text("access_token")).await.json()["active"], true);
    assert_ic(&present(assertion).await);
    // The code is still known as a used one: its replay ends the family.
    assert_ig(&client.redeem(&request, &code).await);
    assert_revoked(&client, &rotated.text("access_token")).await;
}

/// Fails if two cleaners stand in each other's way, if one that was killed leaves something that keeps the next from
/// going on, or if families go before their tokens.
async fn r_047_two_cleaners_and_a_killed_one(db: Db) {
    const ROWS: usize = 60_000;
    let server = Server::start(db, CONFIG);
    let client = Spec::confidential().grants(&["client_credentials"]).scope("read").create(&server);
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    let user = User::new(&server);
    let issued_at = now() - DAY;
    fill_tokens(&server, &client, issued_at, 6000);
    let removed: Vec<u64> = std::thread::scope(|scope| {
        let clean = || server.cli(&["cleanup"])["removed"]["access_tokens"].as_u64().expect("a number");
        let cleaners = [scope.spawn(clean), scope.spawn(clean), scope.spawn(clean)];
        cleaners.map(|cleaner| cleaner.join().expect("a cleaner")).to_vec()
    });
    assert_eq!(removed.iter().sum::<u64>(), 6000, "{removed:?}");
    assert_eq!(removed.iter().filter(|rows| **rows > 0).count(), 1, "one at a time: {removed:?}");
    assert_eq!(count(&server, "access_tokens", "1 = 1"), 1);

    fill_tokens(&server, &client, issued_at, ROWS);
    let id = key(&server.database, &format!("{issued_at}000 + i"));
    let user_id = format!("(SELECT id FROM users WHERE username = '{}')", user.username);
    let grant = format!("{id}, '{}', {user_id}, 'openid', '', 1, 1, {}", client.id, issued_at + 900);
    let columns = "id, client_id, user_id, scope, resources, auth_time, created_at, expires_at";
    fill(&server.database, "grants", columns, &grant, 10);
    let mut cleaner: Child = server.background(&["cleanup"]);
    let begin = Instant::now();
    while server.database.number("SELECT count(*) FROM access_tokens") > ROWS as i64 - 3000 {
        assert!(begin.elapsed() < Duration::from_secs(30), "it does not begin");
    }
    cleaner.kill().expect("kill -9");
    cleaner.wait().expect("its end");
    let left = count(&server, "access_tokens", "1 = 1");
    assert!(left > 1, "it was faster than the kill");
    assert_eq!(count(&server, "grants", "1 = 1"), 10, "families went before their tokens");
    // Its lease runs out; then the next one goes on, and the server has noticed nothing.
    let report = server.cli(&["cleanup"]);
    assert_eq!(report["removed"]["access_tokens"], left - 1, "{report}");
    assert_eq!(report["removed"]["grants"], 10, "{report}");
    assert_eq!(client.introspect(&token).await.json()["active"], true);
}

/// Fails if one of several nodes does not tell when the cleaning was last done: an alert looks at each.
async fn every_node_tells_when_it_was_cleaned_last(db: Db) {
    let server = Server::start(db, &[("cleanup.interval_seconds", "1")]);
    let nodes = if db == Db::Postgres { vec![server.another_node(), server.another_node()] } else { Vec::new() };
    let begin = Instant::now();
    for node in nodes.iter().chain([&server]) {
        let name = "latchway_job_last_success_timestamp_seconds{job=\"cleanup\"} ";
        loop {
            let metrics = Answer::of(http().get(node.metrics_url())).await.body;
            let at = metrics.lines().find_map(|line| line.strip_prefix(name)).and_then(|at| at.parse::<f64>().ok());
            if at.is_some_and(|at| at >= now() as f64 - 5.0) {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "no success: {metrics}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Fails if a retention that is suddenly shorter takes more than a tenth of the audit trail without a person's word.
async fn s02_most_of_the_trail_is_not_removed_silently(db: Db) {
    let server = Server::start(db, CONFIG);
    let (old, older) = (now() - 100 * DAY, now() - 400 * DAY);
    let add = |at: i64, rows: usize| {
        let id = key(&server.database, &format!("{at}000 + i"));
        fill(
            &server.database,
            "audit_events",
            "id, at_millis, kind, outcome",
            &format!("{id}, {at}000, 'token_issued', 'success'"),
            rows,
        );
    };
    let removed = |report: &serde_json::Value| report["removed"]["audit_events"].as_u64();
    // A twentieth goes by itself.
    add(older, 1_100);
    add(old, 20_000);
    assert_eq!(removed(&server.cli(&["cleanup"])), Some(1_100));
    // Of 20,000 all are older than thirty days.
    let short = server.node(&[("cleanup.audit_days", "30"), ("cleanup.interval_seconds", "1")]);
    let refused = short.try_cli(&["cleanup"], "").expect_err("it asks").output;
    assert!(
        refused
            .contains("20000 events, more than a tenth of the audit trail, are older than [cleanup] audit_days = 30"),
        "{refused}"
    );
    assert!(refused.contains("--yes"), "{refused}");
    assert!(server.stop());
    short.spawn();
    let begin = Instant::now();
    while !short.log().contains("nothing of the trail was removed: run `latchway cleanup`") {
        assert!(begin.elapsed() < Duration::from_secs(60), "the server says nothing: {}", short.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = format!("SELECT count(*) FROM audit_events WHERE at_millis = {old}000");
    assert_eq!(short.database.number(&left), 20_000);
    assert!(short.stop());
    let (status, _) = short.at_terminal(&["cleanup"], &["n"]);
    assert_eq!((status, short.database.number(&left)), (2, 20_000), "the answer was no");
    assert_eq!(removed(&short.cli(&["cleanup", "--yes"])), Some(20_000));
}

both![
    r_046_what_has_expired_goes_and_nothing_else,
    r_047_two_cleaners_and_a_killed_one,
    every_node_tells_when_it_was_cleaned_last,
    s02_most_of_the_trail_is_not_removed_silently,
];
