//! 6 Login, at `/api/v1/login`: passwords, and who guesses them. It is the page's own check, with the page's own counters.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::held::at_once;
use crate::harness::*;

/// One login, from wherever the trusted proxy says that it comes.
fn login(app: &FirstParty, username: &str, password: &str, from: Option<&str>) -> RequestBuilder {
    let request = app.bare("/login", &app.credentials(username, password));
    from.into_iter().fold(request, |request, from| request.header("X-Forwarded-For", from))
}

async fn try_from(app: &FirstParty, username: &str, password: &str, from: &str) -> Answer {
    Answer::of(login(app, username, password, Some(from))).await
}

fn assert_throttled(answer: &Answer) {
    assert_j(answer, 429, "slow_down");
    assert!(answer.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "{answer:?}");
}

async fn f_001_one_answer_at_the_api(server: Shared) {
    let (app, known, disabled) = (FirstParty::native(server), User::new(server), User::new(server));
    server.cli(&["user", "disable", &disabled.username]);
    let unknown: String = known.username.chars().map(|c| if c == 'u' { 'w' } else { c }).collect();
    let mut answers = Vec::new();
    for (username, password) in [
        (known.username.as_str(), "wrong"),
        (&unknown, "wrong"),
        (&disabled.username, "wrong"),
        (&disabled.username, &disabled.password),
        (&unknown, &known.password),
        (&known.email, "wrong"),
        (&known.username, ""),
        ("", "wrong"),
        ("no such name@", "wrong"),
    ] {
        let answer = app.try_login(username, password).await;
        assert_ig(&answer);
        assert_audit(server, &answer, "login_failed");
        answers.push(answer);
    }
    for answer in &answers[1..] {
        assert_same(&answers[0], answer);
    }
    server.cli(&["user", "enable", &disabled.username]);
    assert_tokens(&app.login(&disabled).await);
}

/// A person who does not exist costs a hash here too, counted in the server's own processor time.
async fn f_001_no_less_work_at_the_api(db: Db) {
    let server = Server::start(db, &[("passwords.memory_kib", "65536"), ("passwords.iterations", "3")]);
    let (app, user, disabled) = (FirstParty::native(&server), User::new(&server), User::new(&server));
    server.cli(&["user", "disable", &disabled.username]);
    let mut work = [0; 3];
    for _ in 0..4 {
        for (at, name) in [user.username.as_str(), "nobody-of-this-name", &disabled.username].into_iter().enumerate() {
            let request = login(&app, name, "wrong password", None);
            let before = server.cpu_ticks();
            assert_ig(&Answer::of(request).await);
            work[at] += server.cpu_ticks() - before;
        }
    }
    let [known, unknown, disabled] = work;
    assert!(known >= 8, "a hash can be measured: {known}");
    assert!(unknown > known / 2 && known > unknown / 2, "ticks: known {known}, unknown {unknown}");
    assert!(disabled > known / 2 && known > disabled / 2, "ticks: known {known}, disabled {disabled}");
}

/// What is guessed at the API is counted at the page, and the reverse, whichever name is used.
async fn f_004_one_counter_with_the_page(db: Db) {
    let server = Server::start(db, &[("limits.login_failures_per_account", "4")]);
    let (app, user) = (FirstParty::native(&server), User::named(&server, "plusminus"));
    assert_ig(&app.try_login(&user.username, "wrong").await);
    assert_ig(&app.try_login(&format!(" {} ", user.email.to_uppercase()), "wrong").await);
    let browser = Browser::new(&server);
    for _ in 0..2 {
        let form = browser.get("/login").await.form("/login").with("username", "plusminus").with("password", "wrong");
        assert_eq!(browser.post(&form).await.status, 422);
    }
    let throttled = app.try_login(&user.username, &user.password).await;
    assert_throttled(&throttled);
    assert_audit(&server, &throttled, "login_throttled");
    assert_throttled(&app.try_login(&user.email, &user.password).await);
    let page = browser.get("/login").await;
    assert_eq!(browser.login(&page, &user).await.status, 429);
    assert_tokens(&app.login(&User::new(&server)).await);
}

async fn f_005_parallel_wrong_passwords_at_the_api(db: Db) {
    let config = [
        ("limits.login_failures_per_account", "5"),
        ("passwords.memory_kib", "8192"),
        ("passwords.iterations", "1"),
        ("passwords.queue", "200"),
    ];
    let server = Server::start(db, &config);
    let (app, user) = (FirstParty::native(&server), User::new(&server));
    let answers = at_once((0..100).map(|n| login(&app, &user.username, &format!("guess {n}"), None))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 400).count(), 5, "evaluated");
    // The others wait while the five are evaluated, and not for ever.
    assert_eq!(answers.iter().filter(|answer| [429, 503].contains(&answer.status)).count(), 95, "{answers:?}");
    assert_eq!(audit(&server, "kind = 'login_failed'").len(), 5);
}

/// A guesser keeps nobody out who comes from elsewhere, and the pause ends though the guessing goes on.
async fn f_007_the_victim_still_gets_in_at_the_api(db: Db) {
    let config = [
        ("limits.login_failures_per_account", "3"),
        ("limits.login_window_seconds", "4"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let server = Server::start(db, &config);
    let (app, user) = (FirstParty::native(&server), User::new(&server));
    let begin = Instant::now();
    let (attacker, victim) = ("198.51.100.7", "203.0.113.4");
    for _ in 0..3 {
        assert_ig(&try_from(&app, &user.username, "wrong", attacker).await);
    }
    assert_throttled(&try_from(&app, &user.username, &user.password, attacker).await);
    assert_tokens(&try_from(&app, &user.username, &user.password, victim).await);
    while begin.elapsed() < Duration::from_secs(5) {
        try_from(&app, &user.username, "wrong", attacker).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    tokio::time::sleep(Duration::from_millis(4_100)).await;
    assert_tokens(&try_from(&app, &user.username, &user.password, attacker).await);
}

async fn f_008_one_password_for_many_accounts_at_the_api(db: Db) {
    let config = [("limits.login_failures_per_address", "6"), ("server.trusted_proxies", "127.0.0.0/8")];
    let server = Server::start(db, &config);
    let app = FirstParty::native(&server);
    for n in 0..6 {
        assert_ig(&try_from(&app, &format!("name{n}"), "Winter2026!", "2001:db8::1").await);
    }
    let crossing = try_from(&app, "name6", "Winter2026!", "2001:db8::2").await;
    assert_throttled(&crossing);
    assert_audit(&server, &crossing, "cred_stuffing");
    assert_throttled(&try_from(&app, "name7", "Winter2026!", "2001:db8::3").await);
    assert_eq!(audit(&server, "kind = 'cred_stuffing'").len(), 1, "told once");
}

async fn f_011_strange_passwords_at_the_api(server: Shared) {
    let app = FirstParty::native(server);
    let long = "x1y2".repeat(256);
    for password in [long.as_str(), "😀🎉 four bytes each 🦀", " blanks around ", "caf\u{e9} \"au\" \\lait"] {
        let name = format!("pw{}", random(8).to_lowercase().replace(['-', '_'], "x"));
        let args =
            ["user", "create", "--username", &name, "--email", &format!("{name}@people.example"), "--password-stdin"];
        server.try_cli(&args, password).expect(password);
        assert_tokens(&app.try_login(&name, password).await);
        assert_ig(&app.try_login(&name, &format!("{}x", &password.chars().skip(1).collect::<String>())).await);
        if password.starts_with(' ') {
            assert_ig(&app.try_login(&name, password.trim()).await);
        }
        if password.starts_with("caf") {
            assert_tokens(&app.try_login(&name, "cafe\u{301} \"au\" \\lait").await);
            // As JSON may spell it too.
            let body = format!(
                r#"{{"client_id":"{}","username":"{name}","password":"caf\u00e9 \u0022au\u0022 \u005clait"}}"#,
                app.client.id
            );
            let request =
                http().post(server.url("/api/v1/login")).header("Content-Type", "application/json").body(body);
            assert_tokens(&Answer::of(request).await);
        }
    }
    // Before any hash: it is told at once, and counts as no failure.
    let user = User::new(server);
    let too_long = app.try_login(&user.username, &format!("{long}x")).await;
    assert_j(&too_long, 400, "invalid_request");
    assert!(too_long.text("error_description").contains("password"), "{too_long:?}");
    for password in ["a\0b long enough", "line\nbreak inside", "tab\there"] {
        let refused = app.try_login(&user.username, password).await;
        assert_j(&refused, 400, "invalid_request");
        assert!(refused.text("error_description").contains("member password"), "{refused:?}");
    }
    for length in [5_000, 1_000_000] {
        assert_j(&app.try_login(&user.username, &"x".repeat(length)).await, 413, "payload_too_large");
    }
    assert_tokens(&app.login(&user).await);
}

/// Each hash takes 64 MiB, and one is computed at once: forty at once would take 2.5 GiB.
const HASH_KIB: u64 = 64 * 1024;

async fn f_012_a_storm_at_the_api(db: Db) {
    let memory = HASH_KIB.to_string();
    let config = [("passwords.memory_kib", memory.as_str()), ("passwords.max_parallel", "1"), ("passwords.queue", "4")];
    let server = Server::start(db, &config);
    let (app, user) = (FirstParty::native(&server), User::new(&server));
    let mut refresh = app.login(&user).await.text("refresh_token");
    let base = server.peak_memory();
    let mut storm = JoinSet::new();
    for n in 0..40 {
        let password = if n % 2 == 0 { user.password.as_str() } else { "wrong" };
        let request = login(&app, &user.username, password, None);
        let patience = if n % 3 == 0 { Duration::from_millis(20) } else { Duration::from_secs(30) };
        storm.spawn(async move { timeout(patience, Answer::of(request)).await.ok() });
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let begin = Instant::now();
        let answer = app.refresh(&refresh).await;
        assert_tokens(&answer);
        refresh = answer.text("refresh_token");
        slowest = slowest.max(begin.elapsed());
    }
    assert!(slowest < Duration::from_secs(3), "a refresh took {slowest:?} in the storm");
    let mut statuses = Vec::new();
    while let Some(answer) = storm.join_next().await {
        let Some(answer) = answer.expect("no panic") else { continue };
        if answer.status == 503 {
            assert_j(&answer, 503, "temporarily_unavailable");
            assert!(answer.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "{answer:?}");
        }
        statuses.push(answer.status);
    }
    assert!(statuses.iter().all(|status| [200, 400, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&503), "beyond the queue: {statuses:?}");
    assert!(statuses.iter().any(|status| [200, 400].contains(status)), "some were answered: {statuses:?}");
    let grown = server.peak_memory().saturating_sub(base);
    assert!(grown < HASH_KIB + 48 * 1024, "grew by {grown} KiB");
}

both![
    f_001_one_answer_at_the_api,
    f_001_no_less_work_at_the_api,
    f_004_one_counter_with_the_page,
    f_005_parallel_wrong_passwords_at_the_api,
    f_007_the_victim_still_gets_in_at_the_api,
    f_008_one_password_for_many_accounts_at_the_api,
    f_011_strange_passwords_at_the_api,
    f_012_a_storm_at_the_api,
];
