//! 10.1 to 10.13: what oxide-auth's machines leave to whoever drives them, seen from outside.

use std::time::Duration;

use tokio::task::JoinSet;

use super::family::Family;
use super::{refused_at_the_app, refused_with_page};
use crate::harness::*;

async fn code_of(client: &Client, browser: &Browser, user: &User, request: &Request) -> String {
    let code = browser.grant(user, request).await.code();
    assert!(code.len() >= 43, "256 bits for {}", client.id);
    code
}

async fn redeem_with(client: &Client, code: &str, more: &[(&str, &str)]) -> Answer {
    client.token(&[&[("grant_type", "authorization_code"), ("code", code)], more].concat()).await
}

/// A parameter that comes twice is not an absent one.
async fn t_10_1_twice_is_not_absent(server: Shared) {
    let client = Spec::confidential().flags(&["--pkce", "nonce-instead"]).create(server);
    let request = client.request();
    for name in ["code_challenge", "code_challenge_method", "scope"] {
        refused_at_the_app(server, [request.clone().add(name, request.get(name).expect(name))], "invalid_request")
            .await;
    }
    refused_with_page(server, [request.clone().add("redirect_uri", &client.redirect)], "redirect_uri_mismatch").await;
    let answer = redeem_with(&client, "x", &[("code_verifier", "a"), ("code_verifier", "b")]).await;
    assert_j(&answer, 400, "invalid_request");
}

async fn t_10_2_verifier_without_challenge(server: Shared) {
    let (client, user) = (Spec::confidential().flags(&["--pkce", "nonce-instead"]).create(server), User::new(server));
    let request = client.request().without("code_challenge").without("code_challenge_method");
    let code = code_of(&client, &Browser::new(server), &user, &request).await;
    assert_ig(&client.redeem(&request, &code).await);
}

async fn t_10_3_challenge_and_verifier_are_measured(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let method_alone = client.request().without("code_challenge");
    let no_method = client.request().without("code_challenge_method");
    let short = client.request().set("code_challenge", "abc");
    refused_at_the_app(server, [method_alone, no_method, short], "invalid_request").await;
    let verifier = "short";
    let request = client.request().set("code_challenge", &Pkce::of(verifier).challenge);
    let code = code_of(&client, &browser, &user, &request).await;
    assert_ig(&redeem_with(&client, &code, &[("code_verifier", verifier)]).await);
}

/// Who only knows a code cannot burn it; who replays it ends what came of it.
async fn t_10_4_a_code_is_not_burnt_by_others(server: Shared) {
    let (client, thief, user) = (Client::confidential(server), Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let request = client.request();
    let code = code_of(&client, &browser, &user, &request).await;
    assert_ig(&thief.redeem(&request, &code).await);
    let elsewhere = [("code_verifier", &*request.pkce.verifier), ("redirect_uri", "https://evil.example/cb")];
    assert_ig(&redeem_with(&client, &code, &elsewhere).await);
    let family = Family::read(&client.redeem(&request, &code).await);
    assert_ig(&thief.redeem(&request, &code).await);
    assert_eq!(client.introspect(&family.access).await.json()["active"], true);
    assert_ig(&client.redeem(&request, &code).await);
    assert_revoked(&client, &family.access).await;
    assert_ig(&client.refresh(&family.refresh).await);
}

async fn t_10_5_error_codes(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let request = client.request();
    let unknown = random(48);
    for code in ["x", &unknown] {
        assert_ig(&client.redeem(&request, code).await);
    }
    let code = code_of(&client, &Browser::new(server), &user, &request).await;
    assert_ig(&redeem_with(&client, &code, &[("code_verifier", &Pkce::new().verifier)]).await);
    refused_at_the_app(server, [client.request().without("response_type")], "invalid_request").await;
    assert_j(&redeem_with(&client, "", &[]).await, 400, "invalid_request");
}

async fn t_10_6_lifetime_of_a_code(db: Db) {
    let server = Server::start(db, &[("tokens.code_seconds", "2")]);
    let (client, user) = (Client::public(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let request = client.request();
    let in_time = code_of(&client, &browser, &user, &request).await;
    assert_tokens(&client.redeem(&request, &in_time).await);
    let late = code_of(&client, &browser, &user, &request).await;
    tokio::time::sleep(Duration::from_millis(3_100)).await;
    assert_ig(&client.redeem(&request, &late).await);
}

async fn t_10_7_basic_is_decoded_and_never_public(server: Shared) {
    let client = Client::confidential(server);
    let secret = client.secret.clone().expect("a secret");
    // The harness encodes what it must; here every byte is encoded.
    let all: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let pair = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:{all}", client.id));
    let form = [("grant_type", "client_credentials")];
    let send = |header: String| {
        Answer::of(http().post(server.url("/oauth2/token")).header("Authorization", header).form(&form))
    };
    assert_tokens(&send(format!("Basic {pair}")).await);
    assert_ic(&send(basic(&client.id, "")).await);
}

/// Loopback addresses are lenient about the port alone, every other address about nothing.
async fn t_10_8_redirects_are_compared_as_they_are(server: Shared) {
    for registered in ["http://127.0.0.1/cb", "http://[::1]/cb"] {
        let client = Spec::public().redirect(registered).create(server);
        let other_port = registered.replace("/cb", ":49152/cb");
        let request = client.request().set("redirect_uri", &other_port);
        assert_goes_on(&Browser::new(server).authorize(&request).await);
        let path = client.request().set("redirect_uri", &other_port.replace("/cb", "/CB"));
        refused_with_page(server, [path], "redirect_uri_mismatch").await;
    }
    let client = Client::public(server);
    let spellings = ["https://APP.example/cb", "https://app.example:443/cb", "https://app.example/./cb"];
    let requests = spellings.map(|uri| client.request().set("redirect_uri", uri));
    refused_with_page(server, requests, "redirect_uri_mismatch").await;
}

async fn t_10_9_redirect_uri_may_be_left_out(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let request = client.request();
    let code = code_of(&client, &browser, &user, &request).await;
    assert_tokens(&redeem_with(&client, &code, &[("code_verifier", &request.pkce.verifier)]).await);
    let code = code_of(&client, &browser, &user, &request).await;
    let other = [("code_verifier", &*request.pkce.verifier), ("redirect_uri", "https://app.example/cb/")];
    assert_ig(&redeem_with(&client, &code, &other).await);
}

async fn t_10_10_redirects_are_303_with_the_issuer(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::new(server);
    let request = client.request();
    let page = browser.consent_page(&user, &request).await;
    let answer = browser.post(&page.form("/consent").press("decision", "approve")).await;
    // What follows a form is a page that goes on by itself; what follows a request by GET is a redirect.
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.redirect().param("iss"), Some(&*server.issuer));
    let refused = Browser::new(server).authorize(&client.request().set("prompt", "none")).await;
    assert_eq!(refused.status, 303, "{refused:?}");
    assert_eq!(refused.redirect().param("iss"), Some(&*server.issuer));
}

/// One code, used by many at once: one success, no panic, no 5xx.
async fn t_10_11_no_shared_state_and_no_panic(db: Db) {
    let server = Server::start(db, &[]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    for _ in 0..4 {
        let request = client.request();
        let code = code_of(&client, &browser, &user, &request).await;
        let mut calls = JoinSet::new();
        for _ in 0..16 {
            let (client, request, code) = (client.clone(), request.clone(), code.clone());
            calls.spawn(async move { client.redeem(&request, &code).await });
        }
        let (won, lost): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(|a| a.status == 200);
        assert_eq!(won.len(), 1, "one success: {won:?}");
        lost.iter().for_each(assert_ig);
        // The others were good in everything but that they came second: a replay.
        assert_revoked(&client, &won[0].text("access_token")).await;
    }
    assert!(server.is_alive());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

async fn t_10_12_reuse_is_noticed(server: Shared) {
    let strict = Spec::confidential().flags(&["--refresh", "strict"]);
    let (client, user) = (strict.create(server), User::new(server));
    let one = Family::new(&client, &Browser::new(server), &user).await;
    let two = Family::read(&client.refresh(&one.refresh).await);
    let three = Family::read(&client.refresh(&two.refresh).await);
    let reuse = client.refresh(&one.refresh).await;
    assert_ig(&reuse);
    assert_audit(server, &reuse, "refresh_reuse");
    assert_ig(&client.refresh(&three.refresh).await);
}

async fn t_10_13_signed_tokens_can_be_revoked(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let family = Family::new(&client, &Browser::new(server), &user).await;
    let own = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    for token in [&family.access, &own] {
        assert_eq!(client.introspect(token).await.json()["active"], true);
        assert_eq!(client.revoke(token).await.status, 200);
        assert_revoked(&client, token).await;
    }
}

both![
    t_10_1_twice_is_not_absent,
    t_10_2_verifier_without_challenge,
    t_10_3_challenge_and_verifier_are_measured,
    t_10_4_a_code_is_not_burnt_by_others,
    t_10_5_error_codes,
    t_10_6_lifetime_of_a_code,
    t_10_7_basic_is_decoded_and_never_public,
    t_10_8_redirects_are_compared_as_they_are,
    t_10_9_redirect_uri_may_be_left_out,
    t_10_10_redirects_are_303_with_the_issuer,
    t_10_11_no_shared_state_and_no_panic,
    t_10_12_reuse_is_noticed,
    t_10_13_signed_tokens_can_be_revoked,
];
