//! What follows a form: a page of the server that goes on by itself, so that no redirect of anybody is held against the
//! policy of the form's page. Browsers walk the same ways in `clients/chromium.rs` and `clients/firefox.rs`.

use super::{allow, allowed_before, filled, remembering};
use crate::harness::*;

/// The `form-action` of a page, if it has one.
fn form_action(page: &Answer) -> Option<String> {
    let policy = page.header_or_empty("content-security-policy");
    policy.split(';').map(str::trim).find(|part| part.starts_with("form-action")).map(str::to_owned)
}

async fn b016_forms_are_answered_by_a_page_that_goes_on(server: Shared) {
    let user = User::new(server);
    for redirect in ["https://app.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb?a='b';c,d"] {
        let client = Spec::public().redirect(redirect).create(server);
        for decision in ["approve", "deny"] {
            let (browser, request) = (Browser::new(server), client.request());
            let login = browser.open(&request.url()).await;
            let consent = browser.login(&login, &user).await;
            for page in [&login, &consent] {
                assert_eq!(form_action(page).as_deref(), Some("form-action 'self'"), "{page:?}");
            }
            let answer = browser.post(&consent.form("/consent").press("decision", decision)).await;
            let location = assert_goes_on_by_page(&answer);
            assert!(location.starts_with(redirect), "{location}");
            let back = answer.redirect();
            assert_eq!(back.param("state"), request.get("state"));
            assert_eq!(back.param("iss"), Some(server.issuer.as_str()), "RFC 9207");
            assert_eq!(back.param("code").is_some(), decision == "approve", "{location}");
            assert_eq!(back.param("error"), (decision == "deny").then_some("access_denied"), "{location}");
        }
    }
}

/// The login is the last step: nothing that was typed goes on with the answer.
async fn b016_a_login_as_the_last_step(server: Shared) {
    let (client, user) = (remembering(server), User::new(server));
    allowed_before(server, &client, &user).await;
    let (browser, request) = (Browser::new(server), client.request());
    let page = browser.open(&request.url()).await;
    let answer = browser.post(&filled(&page, &user)).await;
    assert_goes_on_by_page(&answer);
    assert!(!format!("{answer:?}").contains(&user.password), "{answer:?}");
    assert_tokens(&client.redeem(&request, &answer.redirect().code()).await);
    // Where no form was sent, the app is answered by a redirect as ever.
    let silent = browser.authorize(&client.request()).await;
    assert_eq!(silent.status, 303, "{silent:?}");
    silent.redirect().code();
}

/// A page with nothing to ask was reached by a form of ours, too: in another tab the app was allowed meanwhile.
async fn b016_a_page_with_nothing_to_ask(server: Shared) {
    let (client, user) = (remembering(server), User::new(server));
    let browser = Browser::new(server);
    let page = browser.consent_page(&user, &client.request()).await;
    let other = browser.consent_page(&user, &client.request()).await;
    browser.approve(&other).await.redirect().code();
    let answer = browser.get(page.url.as_str()).await;
    assert_goes_on_by_page(&answer);
    answer.redirect().code();
}

async fn b015_an_ipv6_loopback_address(server: Shared) {
    let (client, user) = (Spec::public().redirect("http://[::1]/cb").create(server), User::new(server));
    let request = client.request().set("redirect_uri", "http://[::1]:47123/cb");
    let browser = Browser::new(server);
    let page = browser.consent_page(&user, &request).await;
    let policy = page.header_or_empty("content-security-policy");
    assert!(!policy.contains('['), "CSP has no grammar for it: {policy}");
    let answer = browser.post(&allow(&page)).await;
    assert!(assert_goes_on_by_page(&answer).starts_with("http://[::1]:47123/cb?code="), "{answer:?}");

    let page = browser.consent_page(&user, &request.set("response_mode", "form_post")).await;
    let posted = browser.post(&allow(&page)).await;
    assert_eq!((posted.status, form_action(&posted)), (200, None), "{posted:?}");
    assert_eq!(posted.forms()[0].action.as_str(), "http://[::1]:47123/cb");
}

/// An app behind forward authentication on another host.
async fn f01_a_gate_is_reached_by_a_page(db: Db) {
    let config = [("server.trusted_proxies", "127.0.0.1/32"), ("gatekeeper.allowed_origins", "https://wiki.example")];
    let server = Server::start(db, &config);
    let user = User::new(&server);
    let told = http().get(server.url("/api/v1/forward-auth")).header("Accept", "text/html");
    let told = told.header("X-Original-Method", "GET").header("X-Original-URL", "https://wiki.example/a?b=\"'c");
    let login = Answer::of(told).await.header("x-auth-login").expect("a way to log in").to_owned();
    let browser = Browser::new(&server);
    let page = browser.open(&login).await;
    assert_eq!(form_action(&page).as_deref(), Some("form-action 'self'"));
    let answer = browser.post(&filled(&page, &user)).await;
    let path = assert_goes_on_by_page(&answer);
    assert!(path.starts_with("/api/v1/forward-auth/login?return_to="), "{path}");
    let ticket = browser.get(&path).await;
    assert_eq!(ticket.status, 303, "{ticket:?}");
    assert!(ticket.redirect().location.starts_with("https://wiki.example/.latchway/callback?ticket="), "{ticket:?}");
}

both![
    b016_forms_are_answered_by_a_page_that_goes_on,
    b016_a_login_as_the_last_step,
    b016_a_page_with_nothing_to_ask,
    b015_an_ipv6_loopback_address,
    f01_a_gate_is_reached_by_a_page,
];

/// One click on a persona, at an issuer of its own path too.
async fn b016_a_persona_of_the_mock() {
    let mock = Mock::start("");
    for prefix in ["", "/acme"] {
        let issuer = mock.url(prefix);
        let request = Request::new(&issuer, "some-app", "http://127.0.0.1:4711/cb", "openid");
        let browser = mock.browser();
        let page = browser.open(&request.url()).await;
        let form = page.form(&format!("{prefix}/mock/login")).press("persona", "alice");
        let consent = browser.submit(&form).await;
        assert_eq!(form_action(&consent).as_deref(), Some("form-action 'self'"), "{consent:?}");
        let decided = consent.form(&format!("{prefix}/consent")).press("decision", "approve");
        let answer = browser.post(&decided).await;
        assert!(assert_goes_on_by_page(&answer).starts_with("http://127.0.0.1:4711/cb?code="), "{answer:?}");
    }
}

once![b016_a_persona_of_the_mock];
