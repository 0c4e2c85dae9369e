//! 6 Login: passwords, and who guesses them.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};

use super::held::{Held, at_once};
use crate::harness::*;

/// A login as a browser sends it, from wherever the trusted proxy says that it comes.
fn login(browser: &Browser, page: &Answer, who: (&str, &str), from: Option<&str>) -> RequestBuilder {
    let form = page.form("/login").with("username", who.0).with("password", who.1);
    let request = browser.request(Method::POST, &form.action).header("Sec-Fetch-Site", "same-origin");
    let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form.encoded());
    from.into_iter().fold(request, |request, from| request.header("X-Forwarded-For", from))
}

/// One login in a browser of its own.
async fn try_login(server: &Server, username: &str, password: &str) -> Answer {
    try_from(server, username, password, None).await
}

async fn try_from(server: &Server, username: &str, password: &str, from: Option<&str>) -> Answer {
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    Answer::of(login(&browser, &page, (username, password), from)).await
}

fn assert_wrong(answer: &Answer) {
    assert_eq!(answer.status, 422, "{answer:?}");
    assert_own_page(answer);
    assert!(answer.has_form("/login"), "one can try again: {answer:?}");
    assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
}

fn assert_throttled(answer: &Answer) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_own_page(answer);
    assert!(answer.header_or_empty("retry-after").parse::<u64>().is_ok_and(|s| s > 0), "{answer:?}");
}

fn assert_in(answer: &Answer) {
    assert_eq!((answer.status, answer.header("location")), (303, Some("/account")), "{answer:?}");
}

async fn f_001_one_answer_for_all(server: Shared) {
    let (known, disabled) = (User::new(server), User::new(server));
    server.cli(&["user", "disable", &disabled.username]);
    let unknown: String = known.username.chars().map(|c| if c == 'u' { 'w' } else { c }).collect();
    let mut answers = Vec::new();
    for (username, password) in [
        (&known.username, "wrong"),
        (&unknown, "wrong"),
        (&disabled.username, "wrong"),
        // Nothing is told of the account's state even with the right password: whoever disabled it tells its owner.
        (&disabled.username, &disabled.password),
        (&unknown, &known.password),
        (&known.username, ""),
    ] {
        let answer = try_login(server, username, password).await;
        assert_wrong(&answer);
        assert_audit(server, &answer, "login_failed");
        answers.push(answer);
    }
    for answer in &answers[1..] {
        assert_same(&answers[0], answer);
    }
    let (email, other) = (known.email.clone(), known.email.replace("user", "wxyz"));
    assert_same(&try_login(server, &email, "wrong").await, &try_login(server, &other, "wrong").await);
    server.cli(&["user", "enable", &disabled.username]);
    assert_in(&try_login(server, &disabled.username, &disabled.password).await);
}

/// A person who does not exist costs a hash too, counted in the server's own processor time: how long an answer takes is
/// the machine's business as well.
async fn f_001_no_less_work_for_nobody(db: Db) {
    let server = Server::start(db, &[("passwords.memory_kib", "65536"), ("passwords.iterations", "3")]);
    let (user, disabled) = (User::new(&server), User::new(&server));
    server.cli(&["user", "disable", &disabled.username]);
    let mut work = [0; 3];
    for _ in 0..4 {
        for (at, name) in [user.username.as_str(), "nobody-of-this-name", &disabled.username].into_iter().enumerate() {
            let browser = Browser::new(&server);
            let page = browser.get("/login").await;
            let request = login(&browser, &page, (name, "wrong password"), None);
            let before = server.cpu_ticks();
            assert_eq!(Answer::of(request).await.status, 422);
            work[at] += server.cpu_ticks() - before;
        }
    }
    let [known, unknown, disabled] = work;
    assert!(known >= 8, "a hash can be measured: {known}");
    assert!(unknown > known / 2 && known > unknown / 2, "ticks: known {known}, unknown {unknown}");
    assert!(disabled > known / 2 && known > disabled / 2, "ticks: known {known}, disabled {disabled}");
}

/// Not offered: forgotten passwords, registration, magic links, passkeys, one-time codes.
async fn f_002_f_003_f_030_what_is_not_offered(server: Shared) {
    let browser = Browser::new(server);
    for path in [
        "/register",
        "/signup",
        "/forgot-password",
        "/password/reset",
        "/reset",
        "/verify",
        "/login/magic",
        "/login/passkey",
        "/login/otp",
        "/account/mfa",
        "/account/passkeys",
        "/invitation",
        "/account/email",
    ] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
        let form = http().post(server.url(path)).form(&[("username", "a"), ("email", "a@b@people.example")]);
        assert_eq!(Answer::of(form).await.status, 404, "{path}");
    }
    assert!(browser.get("/login").await.forms().iter().all(|form| form.action.path() == "/login"));
}

async fn f_004_one_counter_whatever_the_spelling(db: Db) {
    let server = Server::start(db, &[("limits.login_failures_per_account", "5")]);
    let (user, other) = (User::named(&server, "plusminus"), User::new(&server));
    let wide: String = user.username.chars().map(|c| char::from_u32(c as u32 + 0xfee0).expect("fullwidth")).collect();
    for name in [&user.username, &user.email, &user.email.to_uppercase(), &format!(" {} ", user.username), &wide] {
        assert_wrong(&try_login(&server, name, "wrong").await);
    }
    for name in [&user.username, &user.email, &user.username.to_uppercase(), &wide] {
        let answer = try_login(&server, name, &user.password).await;
        assert_throttled(&answer);
        assert_audit(&server, &answer, "login_throttled");
    }
    assert_in(&try_login(&server, &other.username, &other.password).await);
    // Every one of those spellings is the account.
    let user = User::new(&server);
    for name in [user.email.to_uppercase(), format!(" {} ", user.email), user.username.to_uppercase()] {
        assert_in(&try_login(&server, &name, &user.password).await);
    }
}

async fn f_005_a_hundred_at_once(db: Db) {
    let config = [
        ("limits.login_failures_per_account", "5"),
        ("passwords.memory_kib", "8192"),
        ("passwords.iterations", "1"),
        ("passwords.queue", "200"),
    ];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let browser = Browser::new(&server);
    let page = browser.get("/login").await;
    let guess = |n| login(&browser, &page, (&user.username, &format!("guess {n}")), None);
    let answers = at_once((0..100).map(guess)).await;
    let evaluated = answers.iter().filter(|answer| answer.status == 422).count();
    assert_eq!(evaluated, 5, "evaluated");
    // The others wait while the five are evaluated, and not for ever.
    assert_eq!(answers.iter().filter(|answer| [429, 503].contains(&answer.status)).count(), 95, "{answers:?}");
    assert_eq!(audit(&server, "kind = 'login_failed'").len(), 5);
}

/// A guesser keeps nobody out who comes from elsewhere, and the pause ends though the guessing goes on.
async fn f_007_the_victim_still_gets_in(db: Db) {
    let config = [
        ("limits.login_failures_per_account", "3"),
        ("limits.login_window_seconds", "4"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let begin = Instant::now();
    let (attacker, victim) = (Some("198.51.100.7"), Some("203.0.113.4"));
    for _ in 0..3 {
        assert_wrong(&try_from(&server, &user.username, "wrong", attacker).await);
    }
    assert_throttled(&try_from(&server, &user.username, &user.password, attacker).await);
    assert_in(&try_from(&server, &user.username, &user.password, victim).await);
    while begin.elapsed() < Duration::from_secs(5) {
        try_from(&server, &user.username, "wrong", attacker).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
    }
    tokio::time::sleep(Duration::from_millis(4_100)).await;
    assert_in(&try_from(&server, &user.username, &user.password, attacker).await);
}

/// Guessing from everywhere slows down more and more who is a stranger, and nobody who has been here before.
async fn f_007_guessing_from_everywhere(db: Db) {
    let config = [
        ("limits.login_brake_after", "6"),
        ("limits.login_brake_max_seconds", "3600"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    // The person has logged in twice: with this browser, which is on the move, and at this network.
    let device = Browser::of(&server, &user).await;
    device.jar().remove("latchway_session");
    let home = Some("203.0.113.4");
    assert_in(&try_from(&server, &user.username, &user.password, home).await);
    let (mut evaluated, begin) = (0, Instant::now());
    for n in 0..40 {
        let answer = try_from(&server, &user.username, "wrong", Some(&format!("198.51.100.{n}"))).await;
        evaluated += usize::from(answer.status == 422);
        assert!(answer.status == 422 || answer.status == 429, "{answer:?}");
    }
    // Six are free, and then one, two, four … seconds lie between one try and the next: so many fit into the time it took,
    // and one more that is lost in the whole seconds of the counters.
    let fitting = usize::try_from((begin.elapsed().as_secs() + 1).ilog2()).expect("few") + 1;
    assert!((7..=6 + fitting + 1).contains(&evaluated), "{evaluated} were evaluated in {:?}", begin.elapsed());
    // Whoever is a stranger has to wait even with the right password, unless the wait has just ended.
    let mut stranger = try_from(&server, &user.username, &user.password, Some("198.51.100.100")).await;
    for n in 101..120 {
        if stranger.status == 429 {
            break;
        }
        try_from(&server, &user.username, "wrong", Some(&format!("198.51.100.{n}"))).await;
        stranger = try_from(&server, &user.username, &user.password, Some(&format!("203.0.113.{n}"))).await;
    }
    assert_throttled(&stranger);
    assert_audit(&server, &stranger, "login_throttled");
    assert_in(&try_from(&server, &user.username, &user.password, home).await);
    let again = async |password: &str, from: &str| {
        let page = device.get("/login").await;
        Answer::of(login(&device, &page, (&user.username, password), Some(from))).await
    };
    assert_in(&again(&user.password, "192.0.2.77").await);
    // Another person's account is not this browser's.
    let other = User::new(&server);
    for n in 0..8 {
        try_from(&server, &other.username, "wrong", Some(&format!("198.51.100.{n}"))).await;
    }
    let mut foreign = Vec::new();
    while foreign.last() != Some(&429) {
        assert!(foreign.len() < 20, "nobody has to wait: {foreign:?}");
        let n = 100 + foreign.len();
        try_from(&server, &other.username, "wrong", Some(&format!("198.51.100.{n}"))).await;
        let page = device.get("/login").await;
        let request = login(&device, &page, (&other.username, &other.password), Some(&format!("192.0.2.{n}")));
        foreign.push(Answer::of(request).await.status);
    }
}

/// Whoever steals a known browser's cookie wins its few guesses, and forging one wins nothing.
async fn f_007_a_known_device_has_its_own_few(db: Db) {
    let config = [
        ("limits.login_failures_per_account", "3"),
        ("limits.login_failures_per_address", "4"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let server = Server::start(db, &config);
    let (user, other) = (User::new(&server), User::new(&server));
    let device = Browser::of(&server, &user).await;
    let office = Some("192.0.2.1");
    for n in 0..5 {
        try_from(&server, &format!("name{n}"), "wrong", office).await;
    }
    assert_throttled(&try_from(&server, &user.username, &user.password, office).await);
    // The office is noisy; this browser's person gets in, typos included.
    let again = async |browser: &Browser, user: &User, password: &str| {
        let page = browser.get("/login").await;
        Answer::of(login(browser, &page, (&user.username, password), office)).await
    };
    let thief = device.copy();
    device.jar().remove("latchway_session");
    thief.jar().remove("latchway_session");
    assert_wrong(&again(&device, &user, "typo").await);
    assert_in(&again(&device, &user, &user.password).await);
    for _ in 0..3 {
        assert_wrong(&again(&thief, &user, "guess").await);
    }
    assert_throttled(&again(&thief, &user, &user.password).await);
    assert_throttled(&again(&device, &other, &other.password).await);
    let value = device.jar().get("latchway_device").expect("a device cookie").to_owned();
    for forged in ["AAAA".repeat(16), format!("{}A", &value[..value.len() - 1]), String::new()] {
        device.jar().set("latchway_device", &forged);
        assert_throttled(&again(&device, &user, &user.password).await);
    }
}

/// An office behind one address: whoever mistypes and then gets it right has guessed nothing.
async fn f_007_typos_of_an_office(db: Db) {
    let config = [("limits.login_failures_per_address", "5"), ("limits.login_failures_per_account", "4")];
    let server = Server::start(db, &config);
    for _ in 0..6 {
        let user = User::new(&server);
        for _ in 0..3 {
            assert_wrong(&try_login(&server, &user.username, "typo").await);
        }
        assert_in(&try_login(&server, &user.username, &user.password).await);
    }
}

async fn f_008_one_password_for_many_accounts(db: Db) {
    let config = [("limits.login_failures_per_address", "6"), ("server.trusted_proxies", "127.0.0.0/8")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let (one, elsewhere) = (Some("2001:db8::1"), Some("2001:db8:0:1::1"));
    for n in 0..6 {
        assert_wrong(&try_from(&server, &format!("name{n}"), "Winter2026!", one).await);
    }
    let crossing = try_from(&server, "name6", "Winter2026!", one).await;
    assert_throttled(&crossing);
    assert_audit(&server, &crossing, "cred_stuffing");
    // The whole network of that subscriber counts as one, whoever's password it is.
    let neighbour = Some("2001:db8::ffff:1");
    for n in 7..20 {
        assert_throttled(&try_from(&server, &format!("name{n}"), "Winter2026!", neighbour).await);
    }
    assert_throttled(&try_from(&server, &user.username, &user.password, neighbour).await);
    assert_eq!(audit(&server, "kind = 'cred_stuffing'").len(), 1, "told once");
    let rows = server.database.rows("throttles", "1 = 1").len();
    assert_eq!(rows, 1 + 6 * 2, "made-up names leave no rows behind the limit");
    assert_in(&try_from(&server, &user.username, &user.password, elsewhere).await);
}

/// Disabled is disabled on every path that issues or shows anything.
async fn f_009_disabled_everywhere(server: Shared) {
    let held = Held::new(server).await;
    let request = held.client.request();
    let code = held.browser.grant(&held.user, &request).await.code();
    server.cli(&["user", "disable", &held.user.username]);
    assert_ig(&held.client.redeem(&request, &code).await);
    assert_ig(&held.client.refresh(&held.refresh).await);
    held.refused(&held.access).await;
    let silent = held.client.request().set("prompt", "none");
    assert_red(&held.browser.authorize(&silent).await, &silent, "login_required");
    assert_eq!(held.browser.get("/account").await.header("location"), Some("/login"));
    assert!(held.browser.open(&held.client.request().url()).await.has_form("/login"), "has to log in");
    let hint = held.client.request().set("prompt", "none").set("id_token_hint", &held.id);
    assert_red(&Browser::new(server).authorize(&hint).await, &hint, "login_required");
}

async fn f_010_taking_anothers_name(server: Shared) {
    let user = User::new(server);
    let create = |username: &str, email: &str| {
        let args = ["user", "create", "--username", username, "--email", email, "--password-stdin"];
        server.try_cli(&args, "correct horse battery")
    };
    let wide: String = user.username.chars().map(|c| char::from_u32(c as u32 + 0xfee0).expect("fullwidth")).collect();
    for username in [user.username.to_uppercase(), format!(" {} ", user.username), wide] {
        let failure = create(&username, &format!("p{}@people.example", random(8))).expect_err("the name is taken");
        assert!(failure.output.contains("already"), "{failure:?}");
    }
    assert!(create("somebody-else", &user.email.to_uppercase()).is_err(), "the address is taken");
    assert!(create(&user.email, "x@people.example").is_err(), "an address is no user name");
}

async fn f_011_strange_passwords(server: Shared) {
    let browser = Browser::new(server);
    let page = browser.get("/login").await;
    let post =
        async |username: &str, password: &str| Answer::of(login(&browser, &page, (username, password), None)).await;
    let long = "x1y2".repeat(256);
    for password in
        [long.as_str(), "😀🎉 four bytes each 🦀", " blanks around ", "caf\u{e9} au lait", "\u{212b}ngstrom unit"]
    {
        let name = format!("pw{}", random(8).to_lowercase().replace(['-', '_'], "x"));
        let args =
            ["user", "create", "--username", &name, "--email", &format!("{name}@people.example"), "--password-stdin"];
        server.try_cli(&args, password).expect(password);
        assert_in(&post(&name, password).await);
        assert_wrong(&post(&name, &format!("{}x", &password.chars().skip(1).collect::<String>())).await);
        if password.starts_with(' ') {
            assert_wrong(&post(&name, password.trim()).await);
        }
        if password.starts_with("caf") {
            assert_in(&post(&name, "cafe\u{301} au lait").await);
        }
        if password.starts_with('\u{212b}') {
            assert_in(&post(&name, "\u{c5}ngstrom unit").await);
        }
    }
    let user = User::new(server);
    for password in [format!("{long}x"), "x".repeat(10_000)] {
        let answer = post(&user.username, &password).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_own_page(&answer);
        let args = ["user", "set-password", &user.username, "--password-stdin"];
        assert!(server.try_cli(&args, &password).is_err(), "as long on the command line");
    }
    assert_eq!(post(&user.username, &"x".repeat(1_000_000)).await.status, 413);
    // The choice: no control characters, neither here nor where a password is set.
    for password in ["a\0b long enough", "line\nbreak inside", "tab\there"] {
        assert_eq!(post(&user.username, password).await.status, 400, "{password:?}");
        let args = ["user", "set-password", &user.username, "--password-stdin"];
        assert!(server.try_cli(&args, password).is_err(), "{password:?}");
    }
    assert_in(&post(&user.username, &user.password).await);
}

/// Raised parameters apply at the next login, and what was hashed before is still verified.
async fn f_014_rehash(db: Db) {
    let server = Server::start(db, &[("passwords.memory_kib", "8192")]);
    let user = User::new(&server);
    let hash = || server.database.rows("users", "1 = 1")[0]["password_hash"].as_str().expect("a hash").to_owned();
    assert!(hash().starts_with("$argon2id$v=19$m=8192,"), "{}", hash());
    server.stop();
    let node = server.node(&[("passwords.memory_kib", "16384"), ("passwords.iterations", "3")]);
    node.spawn();
    assert_wrong(&try_login(&node, &user.username, "wrong").await);
    assert!(hash().contains("m=8192,"), "not by a wrong password");
    assert_in(&try_login(&node, &user.username, &user.password).await);
    assert!(hash().starts_with("$argon2id$v=19$m=16384,t=3,"), "{}", hash());
    assert_in(&try_login(&node, &user.username, &user.password).await);
}

both![
    f_001_one_answer_for_all,
    f_001_no_less_work_for_nobody,
    f_002_f_003_f_030_what_is_not_offered,
    f_004_one_counter_whatever_the_spelling,
    f_005_a_hundred_at_once,
    f_007_the_victim_still_gets_in,
    f_007_guessing_from_everywhere,
    f_007_a_known_device_has_its_own_few,
    f_007_typos_of_an_office,
    f_008_one_password_for_many_accounts,
    f_009_disabled_everywhere,
    f_010_taking_anothers_name,
    f_011_strange_passwords,
    f_014_rehash,
];
