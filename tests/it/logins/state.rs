//! What a client is registered for is asked at every use, its redirect URIs and its PKCE policy included.

use super::{allow, allowed_before, filled, remembering};
use crate::harness::*;

const NEW: &str = "https://new.example/cb";

#[track_caller]
fn assert_bad_redirect(server: &Server, answer: &Answer) {
    assert_page(answer);
    assert!(answer.words().contains("return address"), "{answer:?}");
    assert_audit(server, answer, "redirect_uri_mismatch");
}

/// Somebody took over the old address, and the operator removed it.
async fn p12_a_redirect_uri_that_was_removed(server: Shared) {
    let (client, user) = (remembering(server), User::new(server));
    allowed_before(server, &client, &user).await;
    let (early, early_request) = (Browser::new(server), client.request());
    let code = early.grant(&user, &early_request).await.code();
    let to_log_in = Browser::new(server);
    let login = to_log_in.open(&client.request().url()).await;
    let to_decide = Browser::new(server);
    let request = client.request().set("prompt", "consent");
    let consent = to_decide.consent_page(&user, &request).await;
    let decided = Browser::new(server);
    let answered = decided.consent_page(&user, &request).await;
    decided.approve(&answered).await.redirect().code();

    server.cli(&["client", "update", &client.id, "--redirect-uri", NEW]);
    assert_bad_redirect(server, &to_log_in.get(login.url.as_str()).await);
    assert_bad_redirect(server, &to_log_in.post(&filled(&login, &user)).await);
    assert_bad_redirect(server, &to_decide.get(consent.url.as_str()).await);
    for decision in ["approve", "deny"] {
        let form = consent.form("/consent").press("decision", decision);
        assert_bad_redirect(server, &to_decide.post(&form).await);
    }
    // An answer that was given a moment ago is not given again.
    assert_bad_redirect(server, &decided.post(&allow(&answered)).await);
    assert_ig(&client.redeem(&early_request, &code).await);

    // Added again it counts again.
    server.cli(&["client", "update", &client.id, "--redirect-uri", NEW, "--redirect-uri", &client.redirect]);
    to_decide.approve(&consent).await.redirect().code();
}

/// PKCE became a must while a login without it was under way.
async fn p12_a_stricter_pkce_policy(server: Shared) {
    let client = Spec::confidential().flags(&["--pkce", "nonce-instead"]).create(server);
    let user = User::new(server);
    let request = || client.request().without("code_challenge").without("code_challenge_method");
    let (early, sent) = (Browser::new(server), request());
    let code = early.grant(&user, &sent).await.code();
    let browser = Browser::new(server);
    let consent = browser.consent_page(&user, &request()).await;
    server.cli(&["client", "update", &client.id, "--pkce", "required"]);
    let back = browser.approve(&consent).await.redirect();
    assert_eq!(back.param("error"), Some("invalid_request"), "{}", back.location);
    assert_eq!(back.param("code"), None);
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", client.redirect.as_str())];
    assert_ig(&client.token(&form).await);
    server.cli(&["client", "update", &client.id, "--pkce", "nonce-instead"]);
    assert_tokens(&client.token(&form).await);
}

both![p12_a_redirect_uri_that_was_removed, p12_a_stricter_pkce_policy];
