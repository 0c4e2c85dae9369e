//! P1: a device's user code is counted wherever it is looked up.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::harness::*;

/// The CSRF token of a form, as the holder of the cookie can compute it.
fn csrf(cookie: &str, purpose: &str) -> String {
    let text = format!("latchway csrf v1\n{}:{cookie}\n{purpose}", cookie.len());
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

/// A decision on a code without the page that shows it.
async fn decide(server: &Server, browser: &Browser, code: &str, more: &[(&str, &str)]) -> Answer {
    let cookie = browser.jar().get("latchway_session").expect("a session").to_owned();
    let letters = code.replace('-', "");
    let token = csrf(&cookie, &format!("device-decision {letters}"));
    let mut form = vec![("csrf", token.as_str()), ("user_code", &letters), ("decision", "approve")];
    form.extend(more);
    let url = url::Url::parse(&server.url("/device/decision")).expect("an address");
    let request = browser.request(reqwest::Method::POST, &url).header("Sec-Fetch-Site", "same-origin").form(&form);
    browser.send(request).await
}

fn wrong_code(n: usize) -> String {
    format!("BCDF{}", ["GHJK", "GHJL", "GHJM", "GHJN", "GHJP", "GHJQ", "GHJR", "GHJS"][n % 8])
}

async fn p01_decisions_are_guesses_too(db: Db) {
    let server = Server::start(db, &[("limits.user_code_failures", "5/10m")]);
    let (device, user) = (Device::ask(&Spec::device().create(&server)).await, User::new(&server));
    let browser = Browser::of(&server, &user).await;
    // The right code without the page that shows it is no decision, and costs nothing.
    for _ in 0..6 {
        let answer = decide(&server, &browser, &device.user_code, &[]).await;
        assert!(answer.status == 200 && answer.has_form("/device/decision"), "{answer:?}");
    }
    assert_j(&device.poll().await, 400, "authorization_pending");
    for n in 0..20 {
        let answer = decide(&server, &browser, &wrong_code(n), &[]).await;
        assert_eq!(answer.status, if n < 5 { 422 } else { 429 }, "guess {n}: {answer:?}");
        if n < 5 {
            assert_audit(&server, &answer, "user_code_refused");
        }
    }
    // Over the limit the right one is refused as well, and typed in at the other door too.
    let answer = decide(&server, &browser, &device.user_code, &[]).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.header_or_empty("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    assert_eq!(browser.type_code(&device.user_code).await.status, 429);
    assert_eq!(audit(&server, "kind = 'user_code_refused' AND reason = 'wrong_code'").len(), 5);
    // Too soon after the poll before, and still undecided.
    assert_j(&device.poll().await, 400, "slow_down");
}

/// A guesser behind the same address keeps no person from deciding on what was shown to them.
async fn p01_what_was_shown_can_be_decided(db: Db) {
    let server = Server::start(db, &[("limits.user_code_failures", "5/10m")]);
    let (device, user, neighbour) =
        (Device::ask(&Spec::device().create(&server)).await, User::new(&server), User::new(&server));
    let browser = Browser::new(&server);
    let page = browser.device_page(&user, &device).await;
    let guesser = Browser::of(&server, &neighbour).await;
    for n in 0..7 {
        decide(&server, &guesser, &wrong_code(n), &[]).await;
    }
    let done = browser.decide(&page, "approve").await;
    assert!(done.words().contains("Your device is connected"), "{done:?}");
    assert_tokens(&device.poll().await);
}

/// The proof that a device was shown is for one session, one device and one code.
async fn p01_a_proof_is_for_one_session_and_code(server: Shared) {
    let client = Spec::device().create(server);
    let (device, other) = (Device::ask(&client).await, Device::ask(&client).await);
    let (user, thief) = (User::new(server), User::new(server));
    let browser = Browser::new(server);
    let page = browser.device_page(&user, &device).await;
    let shown = page.form("/device/decision").get("shown").expect("a proof").to_owned();
    let other_browser = Browser::of(server, &thief).await;
    for (browser, code) in
        [(&other_browser, &device.user_code), (&other_browser, &other.user_code), (&browser, &other.user_code)]
    {
        let answer = decide(server, browser, code, &[("shown", &shown)]).await;
        assert!(answer.has_form("/device/decision"), "asked first: {answer:?}");
    }
    for device in [&device, &other] {
        assert_j(&device.poll().await, 400, "authorization_pending");
    }
    let answer = decide(server, &browser, &device.user_code, &[("shown", &shown)]).await;
    assert!(answer.words().contains("Your device is connected"), "{answer:?}");
}

/// E-011: no address has the code after it was typed, and an address is good in its own browser alone.
async fn p01_no_address_has_the_code(server: Shared) {
    let (device, user) = (Device::ask(&Spec::device().create(server)).await, User::new(server));
    let letters = device.user_code.replace('-', "");
    let has_code = |text: &str| text.to_uppercase().replace("%2D", "").replace('-', "").contains(&letters);
    let browser = Browser::new(server);
    let page = browser.open("/device").await;
    let typed = browser.post(&page.form("/device").with("user_code", &device.user_code)).await;
    let way = typed.location().expect("a way");
    assert!(!has_code(&way), "{way}");
    let login = browser.follow(typed).await;
    assert!(login.has_form("/login") && !has_code(login.url.as_str()), "{}", login.url);
    let asked = browser.login(&login, &user).await;
    assert!(asked.has_form("/device/decision") && !has_code(asked.url.as_str()), "{}", asked.url);
    let other = Browser::of(server, &User::new(server)).await;
    other.open("/device").await;
    assert!(!other.open(&way).await.has_form("/device/decision"), "another browser's address");
    let browser_token =
        csrf(browser.jar().get("latchway_browser").expect("a cookie"), &format!("device-code {letters}"));
    let old = format!("/device?user_code={letters}&proof={browser_token}");
    assert!(!browser.open(&old).await.has_form("/device/decision"), "a token without a key proves nothing");
}

both![
    p01_decisions_are_guesses_too,
    p01_what_was_shown_can_be_decided,
    p01_a_proof_is_for_one_session_and_code,
    p01_no_address_has_the_code,
];
