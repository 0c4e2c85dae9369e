//! The same form twice, the back button, and pages that were left open.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{allow, allowed_before, assert_finished, filled, remembering};
use crate::harness::*;

/// Sends one form several times at once.
async fn at_once(browser: &Browser, form: &Form, times: usize) -> Vec<Answer> {
    let mut race = tokio::task::JoinSet::new();
    for _ in 0..times {
        race.spawn(Answer::of(browser.posting(form, "null", "same-origin")));
    }
    race.join_all().await
}

fn codes(answers: &[Answer]) -> BTreeSet<String> {
    answers.iter().map(|answer| answer.redirect().code()).collect()
}

/// The browser dropped the first answer: the second leads to the same code, with the same cookies.
async fn b018_the_same_login_form_twice(server: Shared) {
    let (client, user) = (remembering(server), User::new(server));
    allowed_before(server, &client, &user).await;
    let (browser, request) = (Browser::new(server), client.request());
    let form = filled(&browser.open(&request.url()).await, &user);
    let before = browser.copy();
    let first = browser.post(&form).await;
    let second = before.post(&form).await;
    assert_eq!(codes(&[first, second]).len(), 1);
    assert_eq!(browser.jar().get("latchway_session"), before.jar().get("latchway_session"));
    // Not for another password, nor for another person who knows their own.
    let other = User::new(server);
    let wrong = before.post(&form.clone().with("password", "wrong")).await;
    assert_eq!(wrong.status, 422, "{wrong:?}");
    assert_finished(
        &before.post(&form.clone().with("username", &other.username).with("password", &other.password)).await,
        "https://app.example/",
    );
    // Nor from a browser without the cookie that the login began with.
    let foreign = Browser::of(server, &other).await.jar().get("latchway_browser").expect("a cookie").to_owned();
    let elsewhere = before.copy();
    elsewhere.jar().set("latchway_browser", &foreign);
    assert_eq!(elsewhere.post(&form).await.status, 403);

    let code = before.post(&form).await.redirect().code();
    assert_tokens(&client.redeem(&request, &code).await);
    // A code that was redeemed is not told again: a client that used it twice would be taken for a thief.
    assert_finished(&before.post(&form).await, "https://app.example/");

    let (browser, request) = (Browser::new(server), client.request());
    let form = filled(&browser.open(&request.url()).await, &user);
    let answers = at_once(&browser, &form, 4).await;
    let codes = codes(&answers);
    assert_eq!(codes.len(), 1, "{codes:?}");
    assert_tokens(&client.redeem(&request, codes.first().expect("a code")).await);
}

async fn b019_the_same_decision_twice(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let (browser, request) = (Browser::new(server), client.request());
    let page = browser.consent_page(&user, &request).await;
    let answers = at_once(&browser, &allow(&page), 6).await;
    let seen = codes(&answers);
    assert_eq!(seen.len(), 1, "{seen:?}");
    // The other button is another decision; it was taken already.
    let denied = browser.deny(&page).await;
    assert_finished(&denied, "https://app.example/");
    assert_audit(server, &denied, "csrf_rejected");
    // What is stored of the answer is of no use without the browser's cookie.
    let code = seen.first().expect("a code");
    let hex: String = code.bytes().map(|byte| format!("{byte:02x}")).collect();
    for row in server.database.rows("form_answers", "1 = 1") {
        let row = row.to_string().to_lowercase();
        assert!(!row.contains(&hex) && !row.contains(&code.to_lowercase()), "{row}");
    }
    assert_tokens(&client.redeem(&request, code).await);

    // The person's no, twice; another response mode too.
    for mode in ["query", "form_post"] {
        let request = client.request().set("response_mode", mode);
        let form = browser.consent_page(&user, &request).await.form("/consent").press("decision", "deny");
        let (one, two) = (browser.post(&form).await, browser.post(&form).await);
        assert_eq!((one.status, two.status), (200, 200), "{two:?}");
        if mode == "query" {
            assert_eq!(one.redirect().location, two.redirect().location);
            assert_eq!(two.redirect().param("error"), Some("access_denied"));
        } else {
            assert_eq!(one.forms()[0].encoded(), two.forms()[0].encoded());
        }
    }
}

/// After a minute the form is an old one.
async fn b019_a_minute_later(db: Db) {
    let server = Server::start(db, &[]);
    let site = ["--client-uri", "https://app.example/about"];
    let (client, user) = (Spec::confidential().flags(&site).create(&server), User::new(&server));
    let browser = Browser::new(&server);
    let page = browser.consent_page(&user, &client.request()).await;
    browser.approve(&page).await.redirect().code();
    register(&server, "orders:read");
    Spec::api("https://orders.example").create(&server);
    let keys = browser.open("/account/api-keys").await.form("/account/api-keys");
    let key = keys.with("name", "Robot").with("scope", "orders:read").with("expires", "30d");
    assert!(browser.post(&key).await.body.contains("lw_"));
    server.database.execute("UPDATE form_answers SET answered_at = answered_at - 61");
    let again = browser.submit(&key).await;
    assert!(again.words().contains("This form was sent before") && !again.body.contains("lw_"), "{again:?}");
    let late = browser.approve(&page).await;
    assert_finished(&late, "https://app.example/about");
    assert_audit(&server, &late, "csrf_rejected");
}

/// A device: each button twice, and then the other one.
async fn b019_a_device_twice(server: Shared) {
    let (client, user) = (Spec::device().create(server), User::new(server));
    for (decision, words) in [("approve", "Your device is connected"), ("deny", "The device was refused")] {
        let browser = Browser::of(server, &user).await;
        let device = Device::ask(&client).await;
        let page = browser.device_page(&user, &device).await;
        let form = page.form("/device/decision").press("decision", decision);
        for answer in at_once(&browser, &form, 3).await {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.words().contains(words), "{answer:?}");
        }
        let other = if decision == "approve" { "deny" } else { "approve" };
        let changed = browser.decide(&page, other).await;
        assert_eq!(changed.status, 403, "{changed:?}");
        assert!(changed.words().contains("Error 403"), "{changed:?}");
        assert_audit(server, &changed, "csrf_rejected");
    }
}

/// A key is made once, and shown to the form that made it.
async fn b019_a_key_twice(server: Shared) {
    register(server, "orders:read");
    Spec::api("https://b019.example").create(server);
    let browser = Browser::of(server, &User::new(server)).await;
    let page = browser.open("/account/api-keys").await;
    let form = page.form("/account/api-keys").with("name", "Robot").with("scope", "orders:read").with("expires", "30d");
    let form = form.with("audience", "https://b019.example");
    let shown = |answer: &Answer| {
        let found = answer.select("#api-key");
        let text = found.first().and_then(|key| key.split('>').nth(1)).and_then(|rest| rest.split('<').next());
        text.unwrap_or_else(|| panic!("a key: {answer:?}")).to_owned()
    };
    let answers = at_once(&browser, &form, 4).await;
    let texts: BTreeSet<String> = answers.iter().map(shown).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let listed = browser.open("/account/api-keys").await;
    assert_eq!(listed.select("li[data-key-id]").len(), 1, "{listed:?}");
    let rotate = listed.form("/account/api-keys/rotate");
    let one = shown(&browser.post(&rotate).await);
    assert_eq!(shown(&browser.post(&rotate).await), one);
    assert!(!texts.contains(&one), "rotated");
}

/// The first administrator, whose browser lost the answer.
async fn b019_a_set_up_twice(db: Db) {
    let server = Server::start_dev(db);
    let log = server.log();
    let link = log.split_whitespace().find(|word| word.contains("/setup?token=")).expect("a link").to_owned();
    let browser = Browser::new(&server);
    let form = browser.open(&link).await.form("/setup").with("username", "root").with("email", "root@example.com");
    let form = form.with("password", "correct horse battery").with("password_again", "correct horse battery");
    let copy = browser.copy();
    for browser in [&browser, &copy] {
        let answer = browser.post(&form).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/account?done=welcome")), "{answer:?}");
    }
    assert_eq!(browser.jar().get("latchway_session"), copy.jar().get("latchway_session"));
    assert_eq!(copy.get("/account").await.status, 200);
}

async fn b019_logged_out_twice(server: Shared) {
    let browser = Browser::of(server, &User::new(server)).await;
    let form = browser.open("/account").await.form("/logout");
    let before = browser.copy();
    for browser in [&browser, &before, &before] {
        let answer = browser.post(&form).await;
        assert_eq!((answer.status, answer.header("location")), (303, Some("/logged-out")), "{answer:?}");
    }
}

/// From the app back into the history: the pages of the login lead to the app again.
async fn b023_the_back_button(server: Shared) {
    let site = ["--client-uri", "https://app.example/about"];
    for (flags, redirect, back) in [
        (&site[..], "https://app.example/cb", "https://app.example/about"),
        (&[], "https://app.example:8443/cb", "https://app.example:8443/"),
        (&[], "http://127.0.0.1:4711/cb", "http://127.0.0.1:4711/"),
    ] {
        let (client, user) = (Spec::confidential().redirect(redirect).flags(flags).create(server), User::new(server));
        let browser = Browser::new(server);
        let login = browser.open(&client.request().url()).await;
        let consent = browser.login(&login, &user).await;
        browser.approve(&consent).await.redirect().code();
        for page in [&login, &consent] {
            assert_finished(&browser.get(page.url.as_str()).await, back);
        }
    }
    // An app without a site: the page says what to do, and links to what there is.
    let (client, user) = (Spec::public().redirect("com.example.app:/cb").create(server), User::new(server));
    let browser = Browser::new(server);
    let consent = browser.consent_page(&user, &client.request()).await;
    browser.approve(&consent).await.redirect().code();
    let page = browser.get(consent.url.as_str()).await;
    assert_eq!(page.status, 403, "{page:?}");
    assert_eq!(page.select("main a[href=\"/account\"]").len(), 1, "{page:?}");
}

/// A login page that was left open: what was typed still counts.
async fn b022_a_login_page_that_was_left_open(db: Db) {
    let server = Server::start(db, &[("sessions.transaction_seconds", "4")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::new(&server);
    let page = browser.open(&client.request().url()).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    let late = loop {
        let late = browser.get(page.url.as_str()).await;
        if late.status != 200 {
            break late;
        }
        assert!(Instant::now() < deadline, "it never expires: {late:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_page(&late);
    assert_eq!(late.select("a#way-back").len(), 1, "{late:?}");
    let after = browser.post(&filled(&page, &user)).await;
    assert_eq!(after.status, 303, "{after:?}");
    assert!(after.header_or_empty("location").starts_with("/consent?transaction="), "{after:?}");
    assert_eq!(browser.get("/account").await.status, 200, "logged in");
}

async fn b024_the_number_is_the_status(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    let consent = browser.consent_page(&user, &client.request()).await;
    browser.approve(&consent).await.redirect().code();
    for answer in [
        browser.deny(&consent).await,
        browser.get(consent.url.as_str()).await,
        browser.post(&allow(&consent).with("csrf", "x")).await,
        browser.get("/login?transaction=x").await,
        browser.get("/no-such-page").await,
        browser.get("/oauth2/authorize").await,
        browser.get("/setup?token=x").await,
        Browser::new(server).get(consent.url.as_str()).await,
    ] {
        assert!(answer.words().contains(&format!("Error {}", answer.status)), "{answer:?}");
    }
    // What HTTP itself refuses has a number of its own, whichever page has the words.
    let long = "a".repeat(17_000);
    let url = http().get(server.url(&format!("/login?x={long}")));
    let headers = http().get(server.url("/login")).header("X-A", &long).header("X-B", &long);
    for (request, status) in [(url, 414), (headers, 431)] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.words().contains(&format!("Error {status}")), "{answer:?}");
    }
}

both![
    b018_the_same_login_form_twice,
    b019_the_same_decision_twice,
    b019_a_minute_later,
    b019_a_device_twice,
    b019_a_key_twice,
    b019_a_set_up_twice,
    b019_logged_out_twice,
    b023_the_back_button,
    b022_a_login_page_that_was_left_open,
    b024_the_number_is_the_status,
];
