//! What counts as a failure, and for how long: findings B-078, P11, F3 and S11.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::held::at_once;
use crate::harness::*;

const PROXY: (&str, &str) = ("server.trusted_proxies", "127.0.0.0/8");
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const OFFICE: &str = "203.0.113.4";
const ELSEWHERE: &str = "198.51.100.9";

/// One login at the first-party API, from wherever the trusted proxy says.
fn login(app: &FirstParty, username: &str, password: &str, from: &str) -> RequestBuilder {
    app.bare("/login", &app.credentials(username, password)).header("X-Forwarded-For", from)
}

async fn log_in(app: &FirstParty, user: &User, from: &str) -> Answer {
    Answer::of(login(app, &user.username, &user.password, from)).await
}

async fn guess(app: &FirstParty, username: &str, from: &str) -> Answer {
    Answer::of(login(app, username, "wrong", from)).await
}

fn retry_after(answer: &Answer) -> u64 {
    answer.header_or_empty("retry-after").parse().unwrap_or_else(|_| panic!("Retry-After in seconds: {answer:?}"))
}

/// Repeats until a request is served, as its `Retry-After` asks for; fails if that is ever more than a few seconds.
async fn until_served(request: impl Fn() -> RequestBuilder) -> Answer {
    let begin = Instant::now();
    loop {
        let answer = Answer::of(request()).await;
        if answer.status == 200 {
            return answer;
        }
        assert_j(&answer, 503, "temporarily_unavailable");
        assert!((1..=5).contains(&retry_after(&answer)), "a moment: {answer:?}");
        assert!(begin.elapsed() < Duration::from_secs(120), "{answer:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A hash that takes long enough for many to be under way at once.
const SLOW: [(&str, &str); 3] =
    [("passwords.memory_kib", "32768"), ("passwords.iterations", "3"), ("passwords.queue", "8")];

/// Right passwords, however many at once, shut nobody out: one waits a moment or is told to come again in one.
async fn b078_right_passwords_sent_together(db: Db) {
    let limits = [PROXY, ("limits.login_failures_per_address", "6"), ("limits.login_failures_per_account", "3")];
    let server = Server::start(db, &[&limits[..], &SLOW].concat());
    let app = FirstParty::native(&server);
    let (alice, bob) = (User::new(&server), User::new(&server));
    let answers = at_once((0..40).map(|n| {
        let user = if n % 4 == 0 { &bob } else { &alice };
        login(&app, &user.username, &user.password, OFFICE)
    }))
    .await;
    assert!(answers.iter().any(|answer| answer.status == 200), "{answers:?}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_j(refused, 503, "temporarily_unavailable");
        assert!((1..=5).contains(&retry_after(refused)), "a moment: {refused:?}");
    }
    // Nothing is left of it: not here, and not for the limits' sake.
    until_served(|| login(&app, &bob.username, &bob.password, OFFICE)).await;
    until_served(|| login(&app, &alice.username, &alice.password, OFFICE)).await;
    assert_eq!(server.cli(&["restraint", "list"]), json!([]));
    assert_eq!(server.database.number("SELECT count(*) FROM throttles"), 0);
    assert!(audit(&server, "kind IN ('login_failed', 'login_throttled', 'cred_stuffing')").is_empty());
    // Wrong ones among them are evaluated as often as they may be, over all nodes.
    let others: Vec<Server> = (0..if db == Db::Postgres { 1 } else { 0 }).map(|_| server.another_node()).collect();
    let apps: Vec<FirstParty> = std::iter::once(&server).chain(&others).map(|node| app.at(node)).collect();
    let wrong = at_once((0..30).map(|n| login(&apps[n % apps.len()], &alice.username, "wrong", OFFICE))).await;
    let told = wrong.iter().filter(|answer| answer.status == 400).count();
    assert!(told <= 3, "{told} of 30 were evaluated");
    let throttled: Vec<_> = wrong.iter().filter(|answer| answer.status == 429).collect();
    assert!(throttled.iter().all(|answer| retry_after(answer) > 60), "the window's end: {throttled:?}");
    assert_eq!(audit(&server, "kind = 'login_failed'").len(), told);
    // Her pause at that address is not his, and not hers elsewhere.
    until_served(|| login(&app, &bob.username, &bob.password, OFFICE)).await;
    until_served(|| login(&app, &alice.username, &alice.password, ELSEWHERE)).await;
}

/// An attempt whose sender goes away gives its place back, or counts for what it was.
async fn b078_those_who_hang_up_take_no_place(db: Db) {
    let limits = [PROXY, ("limits.login_failures_per_address", "4"), ("limits.login_failures_per_account", "4")];
    let server = Server::start(db, &[&limits[..], &SLOW].concat());
    let (app, alice) = (FirstParty::native(&server), User::new(&server));
    for _ in 0..8 {
        let request = login(&app, &alice.username, &alice.password, OFFICE).timeout(Duration::from_millis(40));
        let _ = request.send().await;
    }
    until_served(|| login(&app, &alice.username, &alice.password, OFFICE)).await;
    let begin = Instant::now();
    while server.database.number("SELECT count(*) FROM throttles") > 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", server.database.rows("throttles", "1 = 1"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// While an account is guessed from everywhere, its person waits for the brake alone, and a right password counts for
/// nothing.
async fn p11_the_brake_gives_back(db: Db) {
    let config = [
        PROXY,
        ("limits.login_brake_after", "4"),
        ("limits.login_brake_max_seconds", "1"),
        ("limits.login_failures_per_account", "3"),
        ("limits.login_failures_per_address", "5"),
    ];
    let server = Server::start(db, &config);
    let (app, alice) = (FirstParty::native(&server), User::new(&server));
    for n in 0..4 {
        assert_ig(&guess(&app, &alice.username, &format!("192.0.2.{n}")).await);
    }
    // Tries that the brake refuses are not evaluated, so that they fill no other limit. It holds for ten minutes more here, so
    // that no try depends on a pace.
    guess(&app, &alice.username, "192.0.2.50").await;
    server.database.execute("UPDATE throttles SET expires_at = expires_at + 600 WHERE kind = 'login_brake'");
    for _ in 0..6 {
        let refused = log_in(&app, &alice, OFFICE).await;
        assert_j(&refused, 429, "slow_down");
        assert!(retry_after(&refused) <= 601, "no more than the brake's: {refused:?}");
    }
    server.database.execute("DELETE FROM throttles WHERE kind = 'login_brake'");
    assert_eq!(log_in(&app, &alice, OFFICE).await.status, 200);
    // The brake is on, and the guessing goes on from ever other networks. She has the right password and a new network.
    for n in 0..4 {
        guess(&app, &alice.username, &format!("192.0.2.{}", 10 + n)).await;
        let begin = Instant::now();
        loop {
            let answer = log_in(&app, &alice, &format!("198.51.100.{n}")).await;
            if answer.status == 200 {
                break;
            }
            assert_j(&answer, 429, "slow_down");
            assert_eq!(retry_after(&answer), 1, "no more than the brake's: {answer:?}");
            assert!(begin.elapsed() < Duration::from_secs(60), "{answer:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // With nobody else at it she waits for nothing, again and again.
        for _ in 0..3 {
            assert_eq!(log_in(&app, &alice, &format!("198.51.100.{n}")).await.status, 200);
        }
    }
    let listed = server.cli(&["restraint", "list"]);
    assert_eq!((&listed[0]["kind"], &listed[0]["user"]), (&json!("login_account"), &json!(alice.username)), "{listed}");
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "neither the address nor the pair: {listed}");
}

/// A neighbour's made-up names do not keep a person out of an app that they have used before.
async fn p11_a_native_app_is_known(db: Db) {
    let config = [PROXY, ("limits.login_failures_per_address", "4"), ("limits.login_failures_per_account", "3")];
    let server = Server::start(db, &config);
    let (app, alice, bob) = (FirstParty::native(&server), User::new(&server), User::new(&server));
    let first = log_in(&app, &alice, OFFICE).await;
    let mark = first.text("device_mark");
    let with_mark = async |user: &User, password: &str, mark: &str| {
        let mut body = app.credentials(&user.username, password);
        body["device_mark"] = mark.into();
        Answer::of(app.bare("/login", &body).header("X-Forwarded-For", OFFICE)).await
    };
    for n in 0..4 {
        assert_ig(&guess(&app, &format!("name{n}"), OFFICE).await);
    }
    let refused = log_in(&app, &alice, OFFICE).await;
    assert_j(&refused, 429, "slow_down");
    let known = with_mark(&alice, &alice.password, &mark).await;
    assert_eq!(known.status, 200, "{known:?}");
    let renewed = known.text("device_mark");
    assert_eq!(with_mark(&alice, &alice.password, &renewed).await.status, 200);
    // It is hers alone, it is no credential, and who steals it has a few guesses.
    assert_j(&with_mark(&bob, &bob.password, &mark).await, 429, "slow_down");
    for forged in ["", "AAAA", &mark[..mark.len() - 4], &"A".repeat(300)] {
        assert_j(&with_mark(&alice, &alice.password, forged).await, 429, "slow_down");
    }
    for _ in 0..3 {
        assert_ig(&with_mark(&alice, "wrong", &mark).await);
    }
    assert_j(&with_mark(&alice, &alice.password, &mark).await, 429, "slow_down");
    // Browsers have a cookie instead, and a refresh has no mark.
    let page = FirstParty::page(&server);
    let body = page.credentials(&bob.username, &bob.password);
    let answer = Answer::of(page.bare("/login", &body).header("X-Forwarded-For", ELSEWHERE)).await;
    assert_eq!((answer.status, answer.json().get("device_mark")), (200, None), "{answer:?}");
    let refreshed = app.refresh(&known.text("refresh_token")).await;
    assert_eq!((refreshed.status, refreshed.json().get("device_mark")), (200, None), "{refreshed:?}");
}

/// What is no guess at a secret never counts: none of these keeps a client out, however often it comes.
async fn p11_f03_no_guess_no_bar(db: Db) {
    const LIMIT: usize = 3;
    let config = [("limits.client_auth_failures", "3"), ("limits.api_key_failures_per_address", "3/1h")];
    let server = Server::start(db, &config);
    let post = async |path: &str, basic: Option<(&str, &str)>, form: &[(&str, &str)]| {
        let request = http().post(server.url(path)).form(form);
        Answer::of(basic.into_iter().fold(request, |request, (id, secret)| request.basic_auth(id, Some(secret)))).await
    };
    let grant = ("grant_type", "client_credentials");
    // A public client has no secret to guess: nobody behind this address loses it.
    let public = Client::public(&server);
    for n in 0..3 * LIMIT {
        let secret = format!("guess {n}");
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", &public.id),
            ("client_secret", &secret),
        ];
        assert_ic(&post("/oauth2/token", None, &form).await);
        assert_ic(&post("/oauth2/token", Some((&public.id, &secret)), &form[..2]).await);
    }
    assert_ig(&public.refresh("x").await);
    assert_eq!(public.revoke("x").await.status, 200);
    // The right secret by the other method, and none at all.
    let client = Client::confidential(&server);
    let secret = client.secret.clone().expect("a secret");
    for _ in 0..3 * LIMIT {
        let other = [grant, ("client_id", client.id.as_str()), ("client_secret", &secret)];
        assert_ne!(post("/oauth2/token", None, &other).await.status, 429);
        assert_ic(&post("/oauth2/token", None, &other[..2]).await);
        let assertion = [grant, ("client_assertion_type", ASSERTION), ("client_assertion", "e30.e30.x")];
        assert_ic(&post("/oauth2/token", None, &assertion).await);
    }
    // A secret that was replaced a while ago: a node that was not told yet guesses nothing.
    let rotated = server.cli(&["client", "rotate-secret", &client.id]);
    server.database.execute(&format!("UPDATE clients SET previous_secret_until = 1 WHERE client_id = '{}'", client.id));
    let renewed = rotated["client_secret"].as_str().expect("a secret");
    for _ in 0..3 * LIMIT {
        assert_ic(&post("/oauth2/token", Some((&client.id, &secret)), &[grant]).await);
    }
    assert_tokens(&post("/oauth2/token", Some((&client.id, renewed)), &[grant]).await);
    // A client's own assertions, stale or used.
    let signer = Spec::confidential().auth(Auth::PrivateKeyJwt).create(&server);
    let present = async |claims: &Value| {
        let assertion = signer.assertion(claims);
        post("/oauth2/token", None, &[grant, ("client_assertion_type", ASSERTION), ("client_assertion", &assertion)])
            .await
    };
    let (used, mut stale) = (signer.assertion_claims(), signer.assertion_claims());
    stale["exp"] = (now() - 3600).into();
    assert_tokens(&present(&used).await);
    for _ in 0..3 * LIMIT {
        assert_ic(&present(&stale).await);
        assert_ic(&present(&used).await);
    }
    assert_tokens(&present(&signer.assertion_claims()).await);
    // An API key's secret of before.
    let machine = Spec::confidential().grants(&["client_credentials"]).scope("orders:read").create(&server);
    let key = Key::of_client(&server, &machine, "orders:read", &[]);
    let next = Key::read(&server.cli(&["api-key", "rotate", &key.id, "--overlap", "1h"]));
    server.database.execute("UPDATE api_keys SET previous_until = 1");
    let show = async |text: &str| {
        Answer::of(http().get(server.url("/api/v1/forward-auth")).header("X-API-Key", text)).await.status
    };
    for _ in 0..3 * LIMIT {
        assert_eq!(show(&key.text).await, 401);
    }
    assert_ne!(show(&next.text).await, 429);
    assert_eq!(server.cli(&["restraint", "list"]), json!([]));
    // Guesses still count.
    for n in 0..LIMIT {
        assert_ic(&post("/oauth2/token", Some((&client.id, &format!("guess {n}"))), &[grant]).await);
    }
    assert_j(&post("/oauth2/token", Some((&client.id, renewed)), &[grant]).await, 429, "slow_down");
}

/// Each row of the table "Secrets" in docs/rate-limits.md: who is over it is listed, with who, why and until when, is lifted
/// by what the list shows, and gets in at once, on every node.
async fn s11_each_limit_is_listed_and_lifted(db: Db) {
    let config = [
        PROXY,
        ("limits.login_failures_per_account", "2"),
        ("limits.login_failures_per_address", "6"),
        ("limits.login_brake_after", "6"),
        ("limits.login_brake_max_seconds", "3600"),
        ("limits.client_auth_failures", "2"),
        ("limits.client_auth_window_seconds", "900"),
        ("limits.unknown_client_failures_per_address", "2/15m"),
        ("limits.api_key_failures_per_address", "2/15m"),
        ("limits.link_failures_per_address", "2/15m"),
        ("limits.user_code_failures", "2/15m"),
    ];
    let server = Server::start(db, &config);
    let others: Vec<Server> = (0..if db == Db::Postgres { 1 } else { 0 }).map(|_| server.another_node()).collect();
    let nodes: Vec<&Server> = std::iter::once(&server).chain(&others).collect();
    let list = || server.cli(&["restraint", "list"]);
    let seen = RefCell::new(BTreeSet::new());
    let only = |kind: &str| -> Value {
        seen.borrow_mut().insert(kind.to_owned());
        let listed = list();
        let found = listed.as_array().into_iter().flatten().find(|row| row["kind"] == kind).cloned();
        let found = found.unwrap_or_else(|| panic!("{kind} is not listed: {listed}"));
        assert!(found["expires_at"].as_i64().is_some_and(|at| at > now()), "{found}");
        assert!(found["reason"].as_str().is_some_and(|why| why.starts_with(|c: char| c.is_ascii_digit())), "{found}");
        found
    };
    let lift = |row: &Value| {
        let subject = row["subject"].as_str().expect("a subject");
        assert_eq!(server.cli(&["restraint", "lift", subject])["subject"], subject);
        assert!(server.try_cli(&["restraint", "lift", subject], "").is_err(), "{subject} is lifted");
    };
    let app = FirstParty::native(&server);

    // A password: account and address. By the list's subject, and by the person's name.
    let alice = User::new(&server);
    for by_name in [false, true] {
        for _ in 0..2 {
            assert_ig(&guess(&app, &alice.username, OFFICE).await);
        }
        assert_j(&log_in(&app, &alice, OFFICE).await, 429, "slow_down");
        let row = only("login_account_at_address");
        assert_eq!((&row["user"], &row["network"]), (&json!(alice.username), &json!("203.0.113.4/32")), "{row}");
        if by_name {
            server.cli(&["restraint", "lift", "--user", &alice.email]);
        } else {
            lift(&row);
        }
        for node in &nodes {
            assert_eq!(log_in(&app.at(node), &alice, OFFICE).await.status, 200, "on every node at once");
        }
    }
    // A password: address. Names that nobody has are tags in the list.
    server.cli(&["restraint", "lift", "--address", OFFICE]);
    for n in 0..6 {
        assert_ig(&guess(&app, &format!("made-up-{n}"), OFFICE).await);
    }
    assert_j(&log_in(&app, &alice, OFFICE).await, 429, "slow_down");
    assert_eq!(only("login_address")["subject"], "203.0.113.4/32");
    assert!(!list().to_string().contains("made-up"), "{}", list());
    server.cli(&["restraint", "lift", "--address", OFFICE]);
    assert_eq!(log_in(&app, &alice, OFFICE).await.status, 200);
    // A password: account, from anywhere.
    let bob = User::new(&server);
    let mut n = 0;
    // Each guess doubles the wait, until it is one that the machine cannot sleep over.
    loop {
        guess(&app, &bob.username, &format!("192.0.2.{n}")).await;
        if log_in(&app, &bob, &format!("198.51.100.{n}")).await.status == 429 {
            break;
        }
        n += 1;
        assert!(n < 40, "nobody has to wait");
    }
    assert_eq!(only("login_account")["user"], bob.username.as_str());
    server.cli(&["restraint", "lift", "--user", &bob.username]);
    assert_eq!(log_in(&app, &bob, ELSEWHERE).await.status, 200, "the brake is off as well");
    // A password: a browser that this person has used before.
    let mark = log_in(&app, &alice, OFFICE).await.text("device_mark");
    let mut body = app.credentials(&alice.username, "wrong");
    body["device_mark"] = mark.into();
    for _ in 0..2 {
        assert_ig(&Answer::of(app.bare("/login", &body).header("X-Forwarded-For", OFFICE)).await);
    }
    let row = only("login_browser");
    assert_eq!(row["user"], alice.username.as_str(), "{row}");
    lift(&row);

    // The code that a device shows: the person and the address.
    let carol = User::new(&server);
    let browser = Browser::of(&server, &carol).await;
    for code in ["BCDF-GHJK", "BCDF-GHJL"] {
        assert_eq!(browser.type_code(code).await.status, 422);
    }
    assert_eq!(browser.type_code("BCDF-GHJM").await.status, 429);
    assert_eq!(only("user_code_person")["user"], carol.username.as_str());
    assert_eq!(only("user_code_address")["network"], "127.0.0.1/32");
    server.cli(&["restraint", "lift", "--user", &carol.username]);
    server.cli(&["restraint", "lift", "--address", "127.0.0.1"]);
    assert_eq!(browser.type_code("BCDF-GHJN").await.status, 422);

    // Secrets of programs.
    let client = Spec::confidential().grants(&["client_credentials"]).scope("orders:read").create(&server);
    let proof = |id: &str, secret: &str, from: &str, node: &Server| {
        let request = http().post(node.url("/oauth2/token")).header("X-Forwarded-For", from);
        request.basic_auth(id, Some(secret)).form(&[("grant_type", "client_credentials")])
    };
    let secret = client.secret.clone().expect("a secret");
    let soon = async |what: &str, request: &dyn Fn(&Server) -> RequestBuilder, is: &dyn Fn(&Answer) -> bool| {
        for node in &nodes {
            let begin = Instant::now();
            while !is(&Answer::of(request(node)).await) {
                assert!(begin.elapsed() < Duration::from_secs(20), "{what}: {:?}", list());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    };
    for by_client in [false, true] {
        for _ in 0..2 {
            assert_ic(&Answer::of(proof(&client.id, "wrong", OFFICE, &server)).await);
        }
        let right = |node: &Server| proof(&client.id, &secret, OFFICE, node);
        soon("barred on every node", &right, &|answer| answer.status == 429).await;
        let row = only("client_auth");
        assert_eq!((&row["client_id"], &row["network"]), (&json!(client.id), &json!("203.0.113.4/32")), "{row}");
        if by_client {
            server.cli(&["restraint", "lift", "--client", &client.id]);
        } else {
            lift(&row);
        }
        soon("free on every node", &right, &|answer| answer.status == 200).await;
    }
    for n in 0..2 {
        assert_ic(&Answer::of(proof(&format!("made-up-{n}"), "x", OFFICE, &server)).await);
    }
    let unknown = |node: &Server| proof("made-up", "x", OFFICE, node);
    soon("unknown clients", &unknown, &|answer| answer.status == 429).await;
    lift(&only("unknown_client"));
    soon("unknown clients again", &unknown, &|answer| answer.status == 401).await;
    server.cli(&["restraint", "lift", "--address", OFFICE]);

    let key = Key::of_client(&server, &client, "orders:read", &[]);
    let show = |text: &str, node: &Server| {
        http().get(node.url("/api/v1/forward-auth")).header("X-Forwarded-For", OFFICE).header("X-API-Key", text)
    };
    let other = Key::of_client(&server, &client, "orders:read", &[]);
    for (kind, texts) in [("api_key", [&key, &key]), ("unknown_api_key", [&other, &other])] {
        if kind == "unknown_api_key" {
            server.database.execute(&format!("DELETE FROM api_keys WHERE name = '{}'", "Export"));
        } else {
            server.cli(&["api-key", "rotate", &key.id, "--overlap", "0s"]);
        }
        for key in texts {
            assert_eq!(Answer::of(show(&key.text, &server)).await.status, 401, "{kind}");
        }
        let refused = |node: &Server| show(&texts[0].text, node);
        soon(kind, &refused, &|answer| answer.status == 429).await;
        lift(&only(kind));
        soon(kind, &refused, &|answer| answer.status == 401).await;
        server.cli(&["restraint", "lift", "--address", OFFICE]);
    }
    let link = |node: &Server| http().get(node.url("/setup?token=x")).header("X-Forwarded-For", OFFICE);
    for _ in 0..2 {
        assert_eq!(Answer::of(link(&server)).await.status, 410);
    }
    soon("links", &link, &|answer| answer.status == 429).await;
    lift(&only("link"));
    soon("links again", &link, &|answer| answer.status == 410).await;

    // That were all rows of the table in the documentation.
    let docs = include_str!("../../../docs/rate-limits.md");
    let table = docs.split("## Secrets").nth(1).and_then(|rest| rest.split("\n\n").nth(1)).expect("the table");
    let kinds = table.lines().skip(2).filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let kinds = kinds.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned);
    assert_eq!(kinds.collect::<BTreeSet<_>>(), seen.into_inner());

    let lifted = audit(&server, "kind = 'restraint_lifted'");
    assert!(lifted.len() >= 11 && lifted.iter().all(|event| event["operator"].is_string()), "{lifted:?}");
}

both![
    b078_right_passwords_sent_together,
    b078_those_who_hang_up_take_no_place,
    p11_the_brake_gives_back,
    p11_a_native_app_is_known,
    p11_f03_no_guess_no_bar,
    s11_each_limit_is_listed_and_lifted,
];
