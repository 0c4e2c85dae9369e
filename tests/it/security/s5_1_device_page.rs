//! 5.1 Device authorization (RFC 8628), as the person at `/device` meets it: E-001 to E-003, E-010 and E-011.

use serde_json::json;

use super::held::at_once;
use super::s5_1_device::{change, client, retry_after};
use crate::harness::*;

/// A code of the alphabet that nobody was given, as far as chance allows.
fn wrong_code() -> String {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).expect("randomness");
    bytes.map(|byte| char::from(b"BCDFGHJKLMNPQRSTVWXZ"[usize::from(byte) % 20])).iter().collect()
}

async fn e_001_guesses(db: Db) {
    let server = Server::start(db, &[("limits.user_code_failures", "5/10m")]);
    let (device, user, other) = (Device::ask(&client(&server)).await, User::new(&server), User::new(&server));
    // Whoever is not logged in is told nothing of any code.
    let stranger = Browser::new(&server);
    for code in [&wrong_code(), &device.user_code] {
        assert!(stranger.type_code(code).await.has_form("/login"));
    }
    let browser = Browser::of(&server, &user).await;
    // A right one costs nothing.
    for _ in 0..7 {
        assert!(browser.type_code(&device.user_code).await.has_form("/device/decision"));
    }
    for _ in 0..5 {
        let page = browser.type_code(&wrong_code()).await;
        assert_eq!(page.status, 422, "{page:?}");
        assert_audit(&server, &page, "user_code_refused");
    }
    let page = browser.type_code(&wrong_code()).await;
    assert_eq!(page.status, 429, "{page:?}");
    assert_own_page(&page);
    assert!((590..=600).contains(&retry_after(&page)), "{page:?}");
    assert!(page.words().contains("Too many codes did not work"), "{page:?}");
    // Nor is the right one taken now: not from that person, not from anybody at that address.
    assert_eq!(browser.type_code(&device.user_code).await.status, 429);
    assert_eq!(Browser::of(&server, &other).await.type_code(&device.user_code).await.status, 429);
    assert_j(&device.poll().await, 400, "authorization_pending");
    let wrong = audit(&server, "kind = 'user_code_refused' AND reason = 'wrong_code'").len();
    let many = audit(&server, "kind = 'user_code_refused' AND reason = 'too_many'").len();
    assert_eq!((wrong, many), (5, 1), "a flood does not fill the trail");
}

/// One person at ten addresses, and what was counted by another node or before a crash.
async fn e_001_guesses_from_many_addresses(db: Db) {
    let config = [("limits.user_code_failures", "5/10m"), ("server.trusted_proxies", "127.0.0.0/8")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    let node = (db == Db::Postgres).then(|| server.another_node());
    let mut statuses = Vec::new();
    for n in 0..10 {
        let page = browser.open("/device").await;
        let form = page.form("/device").with("user_code", &wrong_code());
        let answer = browser.post(&form).await;
        let path = answer.header("location").expect("the way to what was found").to_owned();
        let place = node.as_ref().filter(|_| n % 2 == 1).unwrap_or(&server);
        let url = url::Url::parse(&place.url(&path)).expect("an address");
        let request = browser.request(reqwest::Method::GET, &url).header("X-Forwarded-For", format!("192.0.2.{n}"));
        statuses.push(Answer::of(request).await.status);
    }
    assert_eq!(statuses, [[422; 5], [429; 5]].concat());
    if db == Db::Sqlite {
        server.crash();
        server.spawn();
        assert_eq!(browser.type_code(&wrong_code()).await.status, 429, "counted in the database");
    }
}

/// Forty at once are five guesses, though one of them is right.
async fn e_001_guesses_at_once(db: Db) {
    let server = Server::start(db, &[("limits.user_code_failures", "5/10m")]);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    let mut requests = Vec::new();
    for _ in 0..40 {
        let page = browser.open("/device").await;
        let answer = browser.post(&page.form("/device").with("user_code", &wrong_code())).await;
        let url = url::Url::parse(&answer.location().expect("a way")).expect("an address");
        requests.push(browser.request(reqwest::Method::GET, &url));
    }
    let answers = at_once(requests).await;
    let told = answers.iter().filter(|answer| answer.status == 422).count();
    let closed = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((told, closed), (5, 35));
}

async fn e_002_spellings_of_the_code(server: Shared) {
    let (device, user) = (Device::ask(&client(server)).await, User::new(server));
    let browser = Browser::of(server, &user).await;
    let code = device.user_code.clone();
    let (head, tail) = code.split_once('-').expect("XXXX-XXXX");
    assert!(
        [head, tail].iter().all(|part| part.len() == 4 && part.bytes().all(|b| b"BCDFGHJKLMNPQRSTVWXZ".contains(&b)))
    );
    let spaced = code.chars().map(|c| c.to_string()).collect::<Vec<_>>().join(" ");
    let lookalike = code.replace('L', "1").replace('S', "5").replace('B', "8").replace('Z', "2").replace('G', "6");
    for typed in
        [code.to_lowercase(), format!("{head}{tail}"), spaced, format!("\u{a0}{head}\u{2013}{tail} "), lookalike]
    {
        let page = browser.type_code(&typed).await;
        assert!(page.has_form("/device/decision"), "{typed:?}: {page:?}");
        assert_eq!(page.select("#user-code"), [format!("<p class=\"code\" id=\"user-code\">{code}</p>")]);
    }
    for typed in ["", "AAAA-AAAA", "WDJB-MJH", "WDJB-MJHT-X", "<script>"] {
        let page = browser.type_code(typed).await;
        assert_eq!(page.status, 422, "{typed:?}: {page:?}");
        assert!(!page.body.contains("<script>"), "{page:?}");
    }
    // The link fills the code in; to be asked is not to be spared.
    let page = browser.open(&device.link).await;
    assert!(!page.has_form("/device/decision"), "{page:?}");
    assert_eq!(page.form("/device").get("user_code"), Some(&*code));
    let page = browser.submit(&page.form("/device")).await;
    assert!(page.has_form("/device/decision") && page.words().contains(&code), "{page:?}");
    assert_j(&device.poll().await, 400, "authorization_pending");
    // Of a link with anything else in it nothing is shown.
    let page = browser.open("/device?user_code=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!((page.status, page.form("/device").get("user_code")), (200, Some("")));
}

async fn e_003_forged_decisions(server: Shared) {
    let (device, user) = (Device::ask(&client(server)).await, User::new(server));
    let browser = Browser::of(server, &user).await;
    let page = browser.device_page(&user, &device).await;
    assert_own_page(&page);
    let form = page.form("/device/decision").press("decision", "approve");
    let thief = Browser::of(server, &User::new(server)).await;
    let other = Device::ask(&client(server)).await;
    let foreign = thief.device_page(&User::new(server), &other).await.form("/device/decision");
    let token = |form: &Form| form.get("csrf").expect("a token").to_owned();
    let wrong = [
        form.clone().without("csrf"),
        form.clone().with("csrf", ""),
        form.clone().with("csrf", &token(&foreign)),
        form.clone().without("user_code"),
        // The proof is for one code.
        form.clone().with("user_code", &other.user_code),
        form.clone().with("csrf", &token(&browser.open("/device").await.form("/device"))),
    ];
    for form in &wrong {
        let answer = browser.post(form).await;
        assert_eq!(answer.status, 403, "{form:?}: {answer:?}");
        assert_audit(server, &answer, "csrf_rejected");
    }
    // In another session, from another site, without the cookie.
    assert_eq!(thief.post(&form).await.status, 403);
    assert_eq!(Browser::new(server).post(&form).await.status, 403);
    for (origin, site) in
        [("https://evil.example", "cross-site"), ("null", "cross-site"), (&*server.issuer, "same-site")]
    {
        let answer = browser.send(browser.posting(&form, origin, site)).await;
        assert_eq!(answer.status, 403, "{origin} {site}: {answer:?}");
    }
    let query = form.encoded();
    assert_eq!(browser.get(&format!("/device/decision?{query}")).await.status, 405);
    let answer = browser.post(&form.clone().with("decision", "perhaps")).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    for device in [&device, &other] {
        assert_j(&device.poll().await, 400, "authorization_pending");
    }
    // Nor can another site have codes tried in somebody's name.
    let path = format!("/device?user_code={}&proof={}", device.user_code, token(&form));
    assert!(!browser.get(&path).await.has_form("/device/decision"));
    let entry = browser.open("/device").await.form("/device").with("user_code", &device.user_code);
    assert_eq!(browser.post(&entry.clone().without("csrf")).await.status, 403);
    let answer = browser.send(browser.posting(&entry, "https://evil.example", "cross-site")).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    // What the page made is still good, once: sent again at once it says the same, and the other button is too late.
    assert_eq!(browser.post(&form).await.status, 200);
    assert_eq!(browser.post(&form).await.status, 200);
    let again = browser.post(&form.clone().with("decision", "deny")).await;
    assert_eq!(again.status, 403, "{again:?}");
    assert_audit(server, &again, "csrf_rejected");
    assert_tokens(&device.poll().await);
}

async fn e_010_what_the_page_tells(server: Shared) {
    let spec = Spec::device().name("Kitchen <Radio>").flags(&["--policy-uri", "https://radio.example/privacy"]);
    let (client, user) = (spec.create(server), User::new(server));
    let device = Device::ask_with(&client, &[("scope", "openid email")]).await;
    change(server, &device, "created_at = created_at - 200");
    let browser = Browser::of(server, &user).await;
    let page = browser.device_page(&user, &device).await;
    let words = page.words();
    let wanted = [
        "Kitchen <Radio>",
        "Did you start this?",
        "4 minutes ago",
        "127.0.0.1",
        "the same network as this browser’s",
        "See your e-mail address",
        "Know who you are",
        &device.user_code,
        "Privacy policy",
    ];
    for text in wanted {
        assert!(words.contains(text), "{text}: {words}");
    }
    assert!(!words.contains("See your name"), "{words}");
    change(server, &device, "address = '203.0.113.9'");
    let words = browser.device_page(&user, &device).await.words();
    assert!(words.contains("203.0.113.9 another network than this browser’s"), "{words}");
    // Somebody else can decide: the code stays through the change of accounts.
    let other = User::new(server);
    let page = browser.submit(&browser.device_page(&user, &device).await.form("/login/switch")).await;
    assert!(page.words().contains("to continue to your device"), "{page:?}");
    let page = browser.login(&page, &other).await;
    assert!(page.words().contains(&other.username), "{page:?}");
    browser.decide(&page, "approve").await;
    let claims = claims_of(&device.poll().await.text("id_token"));
    assert_eq!(claims["sub"], json!(other.id));
}

async fn e_011_secrets(db: Db) {
    let server = Server::start(db, &[("log.level", "latchway=trace,debug")]);
    let (client, user) = (client(&server), User::new(&server));
    let device = Device::ask(&client).await;
    assert!(device.device_code.starts_with("lwdc_") && device.device_code.len() == 69, "256 random bits");
    let codes: std::collections::HashSet<String> =
        [Device::ask(&client).await, Device::ask(&client).await].into_iter().map(|device| device.user_code).collect();
    assert_eq!(codes.len(), 2);
    let browser = Browser::new(&server);
    browser.type_code(&wrong_code()).await;
    browser.open(&device.link).await;
    browser.allow(&user, &device).await;
    assert_tokens(&device.poll().await);
    let letters = device.user_code.replace('-', "");
    let mut told = server.log();
    for table in server.database.tables() {
        for row in server.database.rows(&table, "1 = 1") {
            told.push_str(&row.to_string());
        }
    }
    let told = told.to_uppercase();
    for secret in [&device.user_code, &letters, &device.device_code, &device.device_code[5..]] {
        assert!(!told.contains(&secret.to_uppercase()), "{secret} is told");
    }
    // A hash without a key of so few bits could be reversed in a minute.
    let plain = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, letters.as_bytes());
    let plain: String = plain.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(!told.contains(&plain), "a plain hash of the user code");
}

both![
    e_001_guesses,
    e_001_guesses_from_many_addresses,
    e_001_guesses_at_once,
    e_002_spellings_of_the_code,
    e_003_forged_decisions,
    e_010_what_the_page_tells,
    e_011_secrets,
];
