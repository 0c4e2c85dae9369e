//! 1.5 Consent: who is asked for what, and that nobody answers for them.

use tokio::task::JoinSet;

use super::refused_at_the_app;
use crate::harness::*;

/// An app whose consent is remembered: confidential, on https, with nothing that asks each time.
fn remembered(server: &Server) -> Client {
    Spec::confidential().scope("openid profile email").create(server)
}

/// A consent form, filled in.
#[track_caller]
fn allow(page: &Answer) -> Form {
    page.form("/consent").press("decision", "approve")
}

#[track_caller]
fn assert_forged(server: &Server, answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_own_page(answer);
    assert_audit(server, answer, "csrf_rejected");
}

/// How many codes were issued to a client.
fn codes_of(server: &Server, client: &Client) -> usize {
    server
        .database
        .rows("codes", &format!("grant_id IN (SELECT id FROM grants WHERE client_id = '{}')", client.id))
        .len()
}

async fn a_100_consent_that_the_person_did_not_give(server: Shared) {
    let (client, user, other) = (Client::public(server), User::new(server), User::new(server));
    let (browser, elsewhere) = (Browser::new(server), Browser::new(server));
    let earlier = browser.consent_page(&user, &client.request()).await;
    let request = client.request();
    let page = browser.consent_page(&user, &request).await;
    let form = allow(&page);
    let foreign = allow(&elsewhere.consent_page(&other, &client.request()).await);
    let token = |form: &Form| form.get("csrf").expect("a token").to_owned();

    let of_login = Browser::new(server).open("/login").await.form("/login");
    let forged = [
        form.clone().without("csrf"),
        form.clone().with("csrf", ""),
        form.clone().with("csrf", "x"),
        form.clone().with("csrf", &token(&foreign)),
        form.clone().with("csrf", &token(&allow(&earlier))),
        form.clone().with("csrf", &token(&of_login)),
        // Another person's form as a whole, as a page of the attacker would post it.
        foreign.clone(),
    ];
    for forged in forged {
        assert_forged(server, &browser.post(&forged).await);
    }
    let sources = [
        ("https://evil.example", "cross-site"),
        ("https://evil.example", "same-origin"),
        ("null", "cross-site"),
        (server.issuer.as_str(), "cross-site"),
        (server.issuer.as_str(), "same-site"),
    ];
    for (origin, site) in sources {
        assert_forged(server, &browser.send(browser.posting(&form, origin, site)).await);
    }
    assert_eq!(codes_of(server, &client), 0);
    // The person's own answer counts, once.
    let code = browser.submit(&form).await.redirect().code();
    // Sent again at once it leads where it led; the other button, or the same form later, does not.
    assert_eq!(browser.post(&form).await.redirect().code(), code);
    assert_forged(server, &browser.post(&form.clone().with("decision", "deny")).await);
    assert_tokens(&client.redeem(&request, &code).await);
    assert_forged(server, &browser.post(&form).await);
    assert_eq!(codes_of(server, &client), 1);
}

async fn a_101_only_the_stored_request_counts(server: Shared) {
    let (client, evil, user) = (Client::confidential(server), Client::confidential(server), User::new(server));
    let (browser, request) = (Browser::new(server), client.request().set("scope", "openid profile"));
    let page = browser.consent_page(&user, &request).await;
    let attacker = Pkce::new();
    let changed = allow(&page)
        .with("scope", "openid profile email offline_access")
        .with("client_id", &evil.id)
        .with("redirect_uri", "https://evil.example/cb")
        .with("code_challenge", &attacker.challenge)
        .with("state", "other")
        .with("resource", "https://evil.example")
        .with("scope:email", "on");
    let back = browser.submit(&changed).await.redirect();
    assert!(back.location.starts_with("https://app.example/cb?"), "{}", back.location);
    assert_eq!(back.param("state"), request.get("state"));
    let answer = client.redeem(&request, &back.code()).await;
    assert_tokens(&answer);
    assert_eq!(answer.text("scope"), "openid profile");
    assert_eq!(codes_of(server, &evil), 0);
    // A decision that is neither, or both, is none.
    let page = browser.consent_page(&user, &client.request()).await;
    let form = page.form("/consent");
    for undecided in [form.clone(), form.clone().with("decision", "yes"), form.with("decision", "")] {
        assert_page(&browser.post(&undecided).await);
    }
    let both = allow(&page).encoded() + "&decision=deny";
    let request = browser.posting(&allow(&page), "null", "same-origin").body(both);
    assert_page(&browser.send(request).await);
}

async fn a_102_two_tabs(server: Shared) {
    let spec = |uri: &str| Spec::confidential().redirect(uri).create(server);
    let (one, two) = (spec("https://one.example/cb"), spec("https://two.example/cb"));
    let (browser, user) = (Browser::new(server), User::new(server));
    let (to_one, to_two) = (one.request(), two.request());
    let tab_one = browser.consent_page(&user, &to_one).await;
    let tab_two = browser.consent_page(&user, &to_two).await;
    // The transaction of one tab with the token of the other is no form of ours.
    let (form_one, form_two) = (allow(&tab_one), allow(&tab_two));
    let mixed = form_one.clone().with("transaction", form_two.get("transaction").expect("a transaction"));
    assert_forged(server, &browser.post(&mixed).await);

    let back_two = browser.submit(&form_two).await.redirect();
    let back_one = browser.submit(&form_one).await.redirect();
    for (client, request, back) in [(&one, &to_one, &back_one), (&two, &to_two, &back_two)] {
        assert!(back.location.starts_with(&format!("{}?", client.redirect)), "{}", back.location);
        assert_eq!(back.param("state"), request.get("state"), "{}", back.location);
    }
    assert_ig(&one.redeem(&to_one, &back_two.code()).await);
    assert_tokens(&one.redeem(&to_one, &back_one.code()).await);
    assert_tokens(&two.redeem(&to_two, &back_two.code()).await);
}

async fn a_103_one_consent_one_code(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    let form = allow(&browser.consent_page(&user, &client.request()).await);
    let mut race = JoinSet::new();
    for _ in 0..100 {
        race.spawn(Answer::of(browser.posting(&form, "null", "same-origin")));
    }
    let answers = race.join_all().await;
    // All lead where the first one led.
    let codes: std::collections::BTreeSet<String> = answers.iter().map(|answer| answer.redirect().code()).collect();
    assert_eq!(codes.len(), 1, "{codes:?}");
    assert_eq!(codes_of(server, &client), 1);
}

async fn a_106_remembered_for_person_client_scope_and_resource(server: Shared) {
    let spec = Spec::confidential().scope("openid profile email");
    let client = spec.clone().audience("https://one.example").audience("https://two.example").create(server);
    let (user, other) = (User::new(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let asked = async |browser: &Browser, request: &Request| browser.open(&request.url()).await.has_form("/consent");
    let request = || client.request().set("scope", "openid profile");

    browser.grant(&user, &request()).await.code();
    assert!(!asked(&browser, &request()).await, "what was allowed is not asked again");
    assert!(!asked(&browser, &request().set("scope", "openid")).await, "nor is less of it");
    let more = request().set("scope", "openid profile email");
    assert!(asked(&browser, &more).await, "more is");
    refused_in(&browser, &more).await;
    assert!(asked(&browser, &request().set("prompt", "consent")).await, "so is what the app wants asked");
    // One that names no API is for all that the client has, and says so.
    let at_one = request().set("resource", "https://one.example");
    assert!(!asked(&browser, &at_one).await, "nor are fewer APIs");
    let narrow = spec.clone().audience("https://one.example").audience("https://two.example").create(server);
    let at_one = narrow.request().set("scope", "openid profile").set("resource", "https://one.example");
    browser.grant(&user, &at_one).await.code();
    assert!(!asked(&browser, &at_one).await);
    assert!(asked(&browser, &at_one.clone().set("resource", "https://two.example")).await, "another API is");
    assert!(asked(&browser, &at_one.clone().add("resource", "https://two.example")).await, "and so are both");
    assert!(asked(&browser, &at_one.clone().without("resource")).await, "and all");

    assert!(asked(&browser, &spec.create(server).request().set("scope", "openid")).await, "and for another app");
    let others = Browser::of(server, &other).await;
    assert!(asked(&others, &request()).await, "and of another person");
    // A no is not remembered as a yes, nor does it take back what was allowed.
    let page = browser.open(&more.url()).await;
    assert_eq!(browser.deny(&page).await.redirect().param("error"), Some("access_denied"));
    assert!(asked(&browser, &more).await);
    assert!(!asked(&browser, &request()).await);
}

/// With `prompt=none` nobody is asked, so there is no consent.
async fn refused_in(browser: &Browser, request: &Request) {
    let silent = request.clone().set("prompt", "none");
    assert_red(&browser.authorize(&silent).await, &silent, "consent_required");
}

async fn a_107_apps_that_cannot_prove_who_they_are(server: Shared) {
    let scope = "openid profile";
    let apps = [
        Spec::public().scope(scope).redirect("com.example.app:/cb").create(server),
        Spec::confidential().scope(scope).redirect("http://127.0.0.1/cb").create(server),
        Spec::confidential().scope(scope).redirect("http://[::1]/cb").create(server),
        Spec::confidential().scope(scope).redirect("com.example.other:/cb").create(server),
    ];
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    for client in apps {
        for _ in 0..2 {
            let page = browser.open(&client.request().url()).await;
            assert!(page.has_form("/consent"), "{} is asked about each time: {page:?}", client.redirect);
            browser.approve(&page).await.redirect().code();
        }
        refused_in(&browser, &client.request()).await;
    }
}

/// Here consent is forced: whoever stays connected is asked about each time. Where nobody can be asked, the scope is
/// left out of the grant, and the answer says so; what is refreshed then ends with the session.
async fn a_108_offline_access(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    for _ in 0..2 {
        let page = browser.open(&client.request().url()).await;
        assert!(page.has_form("/consent"), "asked each time: {page:?}");
        assert!(page.words().contains("Stay connected when you are away"), "{page:?}");
        browser.approve(&page).await.redirect().code();
    }
    let offline = client.request();
    let code = browser.grant(&user, &offline).await.code();
    let offline = client.redeem(&offline, &code).await;
    assert!(offline.text("scope").contains("offline_access"), "{offline:?}");
    let request = client.request().set("prompt", "none");
    let code = browser.authorize(&request).await.redirect().code();
    let silent = client.redeem(&request, &code).await;
    assert!(!silent.text("scope").contains("offline_access"), "{silent:?}");

    let account = browser.open("/account").await;
    browser.submit(&account.form("/logout")).await;
    assert_ig(&client.refresh(&silent.text("refresh_token")).await);
    assert_revoked(&client, &silent.text("access_token")).await;
    assert_tokens(&client.refresh(&offline.text("refresh_token")).await);
    // An app that cannot refresh does not get the scope, whatever it asks for.
    let spec = Spec::confidential().grants(&["authorization_code"]);
    let client = spec.create(server);
    let request = client.request();
    let code = Browser::new(server).grant(&user, &request).await.code();
    let answer = client.redeem(&request, &code).await;
    assert!(!answer.text("scope").contains("offline_access"), "{answer:?}");
    assert!(answer.json().get("refresh_token").is_none(), "{answer:?}");
}

/// Nobody registers clients by themselves, so none is "unverified"; but whoever registers them may be careless.
async fn a_109_what_the_consent_page_tells_of_an_app(server: Shared) {
    let name = "<b>My\u{202e}Bank</b>\u{200b}&amp; \u{2066}Co";
    let spec = Spec::confidential().redirect("https://app.evil.example:8443/bank.example/cb");
    let (client, user) = (spec.create(server), User::new(server));
    // No such name can be registered any more (B-101). One that an earlier version stored shows without its tricks.
    Spec::confidential().name(name).try_create(server).expect_err("it changes the direction of text");
    server.database.execute(&format!("UPDATE clients SET name = '{name}' WHERE client_id = '{}'", client.id));
    let page = Browser::new(server).consent_page(&user, &client.request()).await;
    let words = page.words();
    assert!(words.contains("app.evil.example:8443"), "tells the host: {words}");
    assert!(!words.contains("bank.example"), "and nothing that looks like another: {words}");
    assert!(words.contains("<b>MyBank</b>&amp; Co"), "the name is text: {words}");
    assert!(words.contains(&user.username), "tells who is logged in: {words}");
    for hidden in ['\u{202e}', '\u{200b}', '\u{2066}'] {
        assert!(!page.body.contains(hidden), "{hidden:?} is stripped: {page:?}");
    }
    for image in page.select("img[src]") {
        assert!(image.contains("src=\"/"), "no image from elsewhere: {image}");
    }
    let long = Spec::confidential().name(&"n".repeat(101)).try_create(server);
    assert!(long.is_err_and(|failure| failure.output.contains("100 characters")), "a name has its limit");
    for uri in ["--client-uri", "--policy-uri", "--tos-uri"] {
        for evil in ["javascript:alert(1)", "http://app.example", "data:text/html,x", "https://user@evil.example"] {
            let refused = Spec::confidential().flags(&[uri, evil]).try_create(server);
            assert!(refused.is_err(), "{uri} {evil} was registered");
        }
    }
}

/// A person who says no is taken at their word, whatever is remembered.
async fn a_106_a_consent_withdrawn_is_asked_for_again(server: Shared) {
    let (client, user) = (remembered(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    browser.grant(&user, &client.request()).await.code();
    let account = browser.open("/account").await;
    browser.submit(&account.form("/account/revoke").with("client_id", &client.id)).await;
    let page = browser.open(&client.request().url()).await;
    assert!(page.has_form("/consent"), "{page:?}");
    let silent = client.request().set("prompt", "none");
    assert_red(&browser.authorize(&silent).await, &silent, "consent_required");
    refused_at_the_app(server, [silent], "login_required").await;
}

both![
    a_100_consent_that_the_person_did_not_give,
    a_101_only_the_stored_request_counts,
    a_102_two_tabs,
    a_103_one_consent_one_code,
    a_106_remembered_for_person_client_scope_and_resource,
    a_106_a_consent_withdrawn_is_asked_for_again,
    a_107_apps_that_cannot_prove_who_they_are,
    a_108_offline_access,
    a_109_what_the_consent_page_tells_of_an_app,
];
