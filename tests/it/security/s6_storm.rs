//! 6 Login: a storm of them, and what it leaves to others.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::harness::*;

/// Each hash takes 64 MiB, and one is computed at once: forty at once would take 2.5 GiB.
const HASH_KIB: u64 = 64 * 1024;

async fn f_012_a_storm_of_logins(db: Db) {
    let memory = HASH_KIB.to_string();
    let config = [("passwords.memory_kib", memory.as_str()), ("passwords.max_parallel", "1"), ("passwords.queue", "4")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let client = Spec::confidential().scope("openid reports:read").create(&server);
    let issue = async || client.token(&[("grant_type", "client_credentials"), ("scope", "reports:read")]).await;
    assert_tokens(&issue().await);
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    assert_eq!(browser.copy().login(&page, &user).await.status, 200, "one login, so that its memory is in the base");
    let base = server.peak_memory();

    let mut storm = JoinSet::new();
    for n in 0..60 {
        let right = n % 2 == 0;
        let form = page.form("/login").with("username", &user.username);
        let form = form.with("password", if right { &user.password } else { "wrong" });
        let request = browser.request(reqwest::Method::POST, &form.action).header("Sec-Fetch-Site", "same-origin");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form.encoded());
        // A third of them goes away before it has an answer. Their hashes must not make room early.
        let patience = if n % 3 == 0 { Duration::from_millis(20) } else { Duration::from_secs(30) };
        storm.spawn(async move { timeout(patience, Answer::of(request)).await.ok() });
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begin = Instant::now();
        assert_tokens(&issue().await);
        slowest = slowest.max(begin.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(slowest < Duration::from_secs(3), "a token took {slowest:?} in the storm");
    let mut statuses = Vec::new();
    while let Some(answer) = storm.join_next().await {
        let Some(answer) = answer.expect("no panic") else { continue };
        if answer.status == 503 {
            assert!(answer.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "{answer:?}");
            assert_own_page(&answer);
        }
        statuses.push(answer.status);
    }
    assert!(statuses.iter().all(|status| [303, 422, 503].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&503), "beyond the queue: {statuses:?}");
    assert!(statuses.iter().any(|status| [303, 422].contains(status)), "some were answered: {statuses:?}");
    let grown = server.peak_memory().saturating_sub(base);
    assert!(grown < HASH_KIB + 48 * 1024, "grew by {grown} KiB");
    // It is over, and everybody gets in again.
    let begin = Instant::now();
    while browser.copy().login(&browser.get("/login").await, &user).await.status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(20), "still nobody gets in");
    }
}

both![f_012_a_storm_of_logins];
