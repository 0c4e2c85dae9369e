//! 1.1 Order of validation and the open redirector.

use std::time::Duration;

use reqwest::Method;
use tokio::time::sleep;

use super::{metadata, refused_at_the_app, refused_with_page};
use crate::harness::*;

async fn a_001_no_client_id(server: Shared) {
    let request = Client::public(server).request().without("client_id");
    refused_with_page(server, [request], "authz_unknown_client").await;
}

async fn a_002_unknown_disabled_deleted_client(server: Shared) {
    let (unknown, disabled, deleted) = (Client::public(server), Client::public(server), Client::public(server));
    server.cli(&["client", "disable", &disabled.id]);
    server.cli(&["client", "delete", &deleted.id]);
    let unknown_id: String = unknown.id.chars().rev().collect();
    let mut answers = Vec::new();
    for request in [unknown.request().set("client_id", &unknown_id), disabled.request(), deleted.request()] {
        let answer = Browser::new(server).authorize(&request).await;
        assert_page(&answer);
        assert_audit(server, &answer, "authz_unknown_client");
        answers.push(answer);
    }
    assert_same(&answers[0], &answers[1]);
    assert_same(&answers[0], &answers[2]);
}

async fn a_003_unregistered_redirect_uri(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let evil = client.request().set("redirect_uri", "https://evil.example/cb");
    let browser = Browser::new(server);
    assert_page(&browser.authorize(&evil).await);
    // Nor once the person is logged in, nor after a "Deny" for the same app.
    let page = browser.consent_page(&user, &client.request()).await;
    assert_page(&browser.authorize(&evil).await);
    browser.deny(&page).await.redirect();
    let answer = browser.authorize(&evil).await;
    assert_page(&answer);
    assert_audit(server, &answer, "redirect_uri_mismatch");
    assert!(server.database.rows("grants", &format!("client_id = '{}'", client.id)).is_empty(), "no grant came of it");
}

async fn a_004_unregistered_redirect_uri_with_each_other_defect(server: Shared) {
    let evil = Client::public(server).request().set("redirect_uri", "https://evil.example/cb");
    let defects = [
        evil.clone().set("response_type", "token"),
        evil.clone().without("response_type"),
        evil.clone().set("scope", "no-such-scope"),
        evil.clone().set("scope", "profile"),
        evil.clone().without("code_challenge").without("code_challenge_method"),
        evil.clone().set("code_challenge_method", "plain"),
        evil.clone().set("prompt", "none"),
        evil.clone().set("prompt", "none login"),
        evil.clone().set("request", "eyJhbGciOiJub25lIn0.e30."),
        evil.clone().set("request_uri", "https://evil.example/request"),
        evil.clone().set("state", &"s".repeat(5_000)),
        evil.clone().set("response_mode", "web_message"),
        evil.clone().set("response_mode", "form_post"),
        evil.clone().set("max_age", "-1"),
        evil.clone().add("scope", "openid"),
    ];
    refused_with_page(server, defects, "redirect_uri_mismatch").await;
}

async fn a_005_response_type_unsupported_or_missing(server: Shared) {
    let request = Client::public(server).request();
    refused_at_the_app(server, [request.clone().set("response_type", "foo")], "unsupported_response_type").await;
    refused_at_the_app(server, [request.without("response_type")], "invalid_request").await;
}

async fn a_006_two_registered_uris_and_none_sent(server: Shared) {
    let client = Spec::public().redirect("https://app.example/one").redirect("https://app.example/two").create(server);
    let answer = Browser::new(server).authorize(&client.request().without("redirect_uri")).await;
    assert_page(&answer);
}

/// There is no dynamic registration, so there is no client that nobody approved: and it must not be there unsaid.
async fn a_007_no_unapproved_clients(server: Shared) {
    assert!(metadata(server).await.get("registration_endpoint").is_none());
    let body = r#"{"redirect_uris":["https://evil.example/cb"]}"#;
    let request = http().post(server.url("/oauth2/register")).header("Content-Type", "application/json").body(body);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(answer.header_or_empty("content-type").starts_with("application/json"), "JSON on a JSON path: {answer:?}");
}

async fn a_008_prompt_none_of_an_approved_client(server: Shared) {
    let request = Client::public(server).request();
    refused_at_the_app(server, [request.set("prompt", "none")], "login_required").await;
}

async fn a_009_redirects_after_posts_are_303(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::new(server);
    let page = browser.open(&client.request().url()).await;
    let form = page.form("/login").with("username", &user.username).with("password", &user.password);
    let after_login = browser.post(&form).await;
    assert_eq!(after_login.status, 303, "{after_login:?}");
    let consent = browser.follow(after_login.clone()).await;
    let after_consent = browser.post(&consent.form("/consent").press("decision", "approve")).await;
    assert_goes_on_by_page(&after_consent);
    after_consent.redirect().code();
    for answer in [after_login, after_consent] {
        let everything = format!("{answer:?}");
        for secret in [&user.username, &user.password] {
            assert!(!everything.contains(secret.as_str()), "a credential in {everything}");
        }
    }
}

const AWAY: &[&str] = &[
    "//evil.example",
    "/\\evil.example",
    "/%09/evil.example",
    "/\t//evil.example",
    "////evil.example",
    "https:evil.example",
    "https://evil.example",
    "\\\\evil.example",
    "/..//evil.example",
    "%2f%2fevil.example",
    "javascript:alert(1)",
    "data:text/html,evil.example",
];

/// Parameters by which other servers were led astray; here none of them means anything.
const WAYS: &[&str] =
    &["return_to", "next", "goto", "redirect", "redirect_to", "continue", "url", "post_logout_redirect_uri"];

#[track_caller]
fn assert_stays(answer: &Answer) {
    let away = answer.location().filter(|location| !answer.leads_to_itself(location));
    assert_eq!(away, None, "leads off: {answer:?}");
    assert!(!answer.header_or_empty("location").contains("evil"), "{answer:?}");
    for link in answer.select("[href], [src], [action]") {
        assert!(!link.contains("evil.example") && !link.contains("javascript:"), "{link} in {answer:?}");
    }
}

async fn a_010_nothing_leads_away(server: Shared) {
    let user = User::new(server);
    for way in WAYS {
        for away in AWAY {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(way, away).finish();
            let browser = Browser::new(server);
            for path in ["/login", "/logout", "/consent", "/account", "/oauth2/logout", "/oauth2/authorize", "/"] {
                assert_stays(&browser.get(&format!("{path}?{query}")).await);
            }
        }
    }
    // Nor as a field of the forms, nor in the address that the login form is posted to.
    for away in AWAY {
        let browser = Browser::new(server);
        let mut form = browser.open("/login").await.form("/login");
        form.action.query_pairs_mut().append_pair("return_to", away);
        let form = form.with("next", away).with("username", &user.username).with("password", &user.password);
        let answer = browser.post(&form).await;
        assert_stays(&answer);
        if away.contains('\t') {
            // A control character is no text that a parameter can have (A-011).
            assert_page(&answer);
            continue;
        }
        assert_eq!(answer.status, 303, "{answer:?}");
        let account = browser.open("/account").await;
        assert_stays(&browser.post(&account.form("/logout").with("return_to", away)).await);
    }
}

/// Control characters, half a surrogate pair, and an overlong slash, as they stand in a query.
const BROKEN: &[&str] = &["%0d%0aX-Injected:%201", "%0a", "a%00b", "a%7fb", "%ed%a0%80", "%c0%af", "%ff"];

async fn a_011_control_characters_and_broken_utf8(server: Shared) {
    let client = Client::public(server);
    let mut markers = Vec::new();
    for name in ["state", "redirect_uri", "client_id", "scope", "ui_locales", "login_hint"] {
        for broken in BROKEN {
            let marker = random(9);
            let request = client.request().set_raw(name, &format!("{marker}{broken}{marker}"));
            let answer = Browser::new(server).authorize(&request).await;
            assert_eq!(answer.status, 400, "{name}={broken}: {answer:?}");
            assert_page(&answer);
            assert!(!answer.headers.contains_key("x-injected"), "{answer:?}");
            let in_headers =
                answer.headers.values().any(|value| value.as_bytes().windows(12).any(|w| w == marker.as_bytes()));
            assert!(!in_headers, "{name}={broken} came back in a header: {answer:?}");
            markers.push(marker);
        }
    }
    sleep(Duration::from_millis(300)).await;
    let log = server.log();
    let logged: Vec<&String> = markers.iter().filter(|&marker| log.contains(marker)).collect();
    assert!(logged.is_empty(), "went into the log: {logged:?}");
    // The same bytes bare, as no HTTP client would send them.
    for byte in [b"\r".as_slice(), b"\n", b"\0", b"\x7f", b"\xed\xa0\x80"] {
        let path = client.request().without("state").url()[server.issuer.len()..].to_owned();
        let answer = server.raw_get(&[path.as_bytes(), b"&state=a", byte, b"X-Injected:1"].concat());
        assert!(matches!(answer.status, 0 | 400), "{byte:?}: {answer:?}");
        assert!(!answer.has_header("x-injected") && !answer.has_header("location"), "{byte:?}: {answer:?}");
    }
}

/// A form posted with the method overridden stays a POST; a HEAD of the authorization endpoint starts nothing.
async fn a_009_no_other_method_redirects(server: Shared) {
    let client = Client::public(server);
    let url = client.request().url().parse().expect("a URL");
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let browser = Browser::new(server);
        let answer = browser.send(browser.request(method.clone(), &url)).await;
        assert_eq!(answer.status, 405, "{method}: {answer:?}");
        assert!(answer.location().is_none(), "{method}: {answer:?}");
    }
}

both![
    a_001_no_client_id,
    a_002_unknown_disabled_deleted_client,
    a_003_unregistered_redirect_uri,
    a_004_unregistered_redirect_uri_with_each_other_defect,
    a_005_response_type_unsupported_or_missing,
    a_006_two_registered_uris_and_none_sent,
    a_007_no_unapproved_clients,
    a_008_prompt_none_of_an_approved_client,
    a_009_redirects_after_posts_are_303,
    a_009_no_other_method_redirects,
    a_010_nothing_leads_away,
    a_011_control_characters_and_broken_utf8,
];
