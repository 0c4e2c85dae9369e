//! 1.3 PKCE: S256, for every client.

use serde_json::json;

use super::{metadata, refused_at_the_app};
use crate::harness::*;

fn without_pkce(client: &Client) -> Request {
    client.request().without("code_challenge").without("code_challenge_method")
}

/// A confidential and a public client: PKCE is not a matter of the kind of client.
fn both_kinds(server: &Server) -> [Client; 2] {
    [Client::public(server), Client::confidential(server)]
}

/// The form that redeems a code, with the verifier left to the caller.
async fn redeem_with(client: &Client, code: &str, verifiers: &[&str]) -> Answer {
    let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", &client.redirect)];
    form.extend(verifiers.iter().map(|verifier| ("code_verifier", *verifier)));
    client.token(&form).await
}

async fn a_050_public_client_without_challenge(server: Shared) {
    let request = without_pkce(&Client::public(server));
    let answer = Browser::new(server).authorize(&request).await;
    assert_red(&answer, &request, "invalid_request");
    assert_audit(server, &answer, "pkce_missing");
}

async fn a_051_confidential_client_without_challenge(server: Shared) {
    for client in [Client::confidential(server), Spec::confidential().auth(Auth::PrivateKeyJwt).create(server)] {
        refused_at_the_app(server, [without_pkce(&client)], "invalid_request").await;
        refused_at_the_app(server, [without_pkce(&client).without("nonce")], "invalid_request").await;
    }
}

async fn a_052_challenge_without_method(server: Shared) {
    for client in both_kinds(server) {
        refused_at_the_app(server, [client.request().without("code_challenge_method")], "invalid_request").await;
    }
}

async fn a_053_other_methods(server: Shared) {
    for client in both_kinds(server) {
        let request = client.request();
        let methods = ["plain", "PLAIN", "s256", "S512", "", "S256 plain"];
        let mut requests: Vec<Request> =
            methods.iter().map(|method| request.clone().set("code_challenge_method", method)).collect();
        requests.push(request.clone().without("code_challenge"));
        let plain = request.clone().set("code_challenge_method", "plain");
        requests.push(plain.set("code_challenge", &request.pkce.verifier));
        refused_at_the_app(server, requests, "invalid_request").await;
    }
}

async fn a_054_malformed_challenges(server: Shared) {
    let request = Client::public(server).request();
    let good = request.pkce.challenge.clone();
    let challenges = [
        good[..42].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("{}=", &good[..42]),
        format!("{}+", &good[..42]),
        format!("{}/", &good[..42]),
        format!("{} ", &good[..42]),
        format!("{}.", &good[..42]),
        format!("{}~", &good[..42]),
        format!("{}\u{e9}", &good[..42]),
        "A".repeat(128),
        "A".repeat(1_000),
        String::new(),
    ];
    let requests = challenges.iter().map(|challenge| request.clone().set("code_challenge", challenge));
    refused_at_the_app(server, requests, "invalid_request").await;
}

async fn a_055_no_verifier(server: Shared) {
    let user = User::new(server);
    for client in both_kinds(server) {
        let code = Browser::new(server).grant(&user, &client.request()).await.code();
        assert_ig(&redeem_with(&client, &code, &[]).await);
    }
}

/// Only a confidential client that was excused explicitly gets a code without a challenge, and then never with a
/// verifier: that would be the sign of a challenge stripped on the way.
async fn a_056_verifier_without_challenge(server: Shared) {
    let (client, user) = (Spec::confidential().flags(&["--pkce", "nonce-instead"]).create(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    refused_at_the_app(server, [without_pkce(&client).without("nonce")], "invalid_request").await;

    let code = browser.grant(&user, &without_pkce(&client)).await.code();
    assert_ig(&redeem_with(&client, &code, &[&Pkce::new().verifier]).await);
    let code = browser.grant(&user, &without_pkce(&client)).await.code();
    assert_tokens(&redeem_with(&client, &code, &[]).await);
    // Excused, not forbidden: with a challenge the verifier is demanded as ever.
    let code = browser.grant(&user, &client.request()).await.code();
    assert_ig(&redeem_with(&client, &code, &[]).await);
}

async fn a_057_wrong_verifier(server: Shared) {
    let user = User::new(server);
    for client in both_kinds(server) {
        let browser = Browser::of(server, &user).await;
        let other = client.request();
        browser.grant(&user, &other).await.code();
        let request = client.request();
        let wrong = [Pkce::new().verifier, request.pkce.challenge.clone(), other.pkce.verifier.clone(), String::new()];
        for verifier in wrong {
            let request = client.request().set("code_challenge", &request.pkce.challenge);
            let code = browser.grant(&user, &request).await.code();
            let answer = redeem_with(&client, &code, &[&verifier]).await;
            assert_ig(&answer);
            // An empty parameter is an absent one.
            if !verifier.is_empty() {
                assert_audit(server, &answer, "pkce_mismatch");
            }
        }
        let request = client.request();
        let code = browser.grant(&user, &request).await.code();
        let verifier = request.pkce.verifier.as_str();
        assert_j(&redeem_with(&client, &code, &[verifier, verifier]).await, 400, "invalid_request");
    }
}

async fn a_058_malformed_verifier_that_hashes_right(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let good = random(32);
    let verifiers = [
        good[..42].to_owned(),
        "a".repeat(129),
        format!("{good} "),
        format!("{good}+"),
        format!("{good}="),
        format!("{good}\n"),
        format!("{good}\u{e9}"),
        "a".to_owned(),
    ];
    for verifier in verifiers {
        let request = client.request().set("code_challenge", &Pkce::of(&verifier).challenge);
        let code = browser.grant(&user, &request).await.code();
        let answer = redeem_with(&client, &code, &[&verifier]).await;
        let error = answer.text("error");
        assert!(["invalid_grant", "invalid_request"].contains(&error.as_str()), "{verifier:?}: {answer:?}");
        assert_j(&answer, 400, &error);
    }
    // The longest and the shortest that RFC 7636 §4.1 allows do work.
    for verifier in ["-".repeat(43), "~".repeat(128), format!("{}._", &good)] {
        let request = client.request().set("code_challenge", &Pkce::of(&verifier).challenge);
        let code = browser.grant(&user, &request).await.code();
        assert_tokens(&redeem_with(&client, &code, &[&verifier]).await);
    }
}

async fn a_059_guessing_verifiers_kills_the_code(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let request = client.request();
    let code = Browser::new(server).grant(&user, &request).await.code();
    for _ in 0..3 {
        assert_ig(&redeem_with(&client, &code, &[&Pkce::new().verifier]).await);
    }
    assert_ig(&client.redeem(&request, &code).await);
}

async fn a_060_request_objects_are_refused(server: Shared) {
    let client = Client::public(server);
    let claims = json!({"client_id": client.id, "response_type": "code", "redirect_uri": client.redirect});
    let object = unsigned(&json!({"alg": "none"}), &claims);
    for request in [client.request(), without_pkce(&client)] {
        refused_at_the_app(server, [request.clone().set("request", &object)], "request_not_supported").await;
        let by_reference = request.set("request_uri", "https://app.example/request.jwt");
        refused_at_the_app(server, [by_reference], "request_uri_not_supported").await;
    }
    let metadata = metadata(server).await;
    assert_eq!(metadata["request_parameter_supported"], false, "{metadata}");
    // OpenID Discovery §3: this one is true when it is left out.
    assert_eq!(metadata["request_uri_parameter_supported"], false, "{metadata}");
}

async fn a_061_metadata_offers_s256_alone(server: Shared) {
    assert_eq!(metadata(server).await["code_challenge_methods_supported"], json!(["S256"]));
    let answer = Browser::new(server).get("/.well-known/oauth-authorization-server").await;
    assert_eq!(answer.json()["code_challenge_methods_supported"], json!(["S256"]), "{answer:?}");
}

async fn a_063_constant_challenge(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let first = client.request();
    for _ in 0..20 {
        let request = client.request().set("code_challenge", &first.pkce.challenge);
        let code = browser.grant(&user, &request).await.code();
        assert_tokens(&redeem_with(&client, &code, &[&first.pkce.verifier]).await);
    }
    let warnings = audit(server, &format!("kind = 'pkce_constant' AND client_id = '{}'", client.id));
    assert!(!warnings.is_empty(), "a challenge used twenty times is noticed");
}

both![
    a_050_public_client_without_challenge,
    a_051_confidential_client_without_challenge,
    a_052_challenge_without_method,
    a_053_other_methods,
    a_054_malformed_challenges,
    a_055_no_verifier,
    a_056_verifier_without_challenge,
    a_057_wrong_verifier,
    a_058_malformed_verifier_that_hashes_right,
    a_059_guessing_verifiers_kills_the_code,
    a_060_request_objects_are_refused,
    a_061_metadata_offers_s256_alone,
    a_063_constant_challenge,
];
