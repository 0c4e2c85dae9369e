//! 1.7 PAR and request objects: not offered, so refused aloud and never ignored.

use std::net::TcpListener;

use reqwest::Method;
use serde_json::{Value, json};

use super::{metadata, refused_at_the_app};
use crate::harness::*;

const PAR: &str = "/oauth2/par";

/// There is nothing there, said in JSON.
#[track_caller]
fn assert_not_there(answer: &Answer) {
    assert_j(answer, 404, "not_found");
}

/// Pushes a good request with a client's own credentials.
async fn push(client: &Client, more: &[(&str, &str)]) -> Answer {
    let request = client.request();
    let names = ["response_type", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"];
    let mut form: Vec<(&str, &str)> = names.iter().filter_map(|&name| Some((name, request.get(name)?))).collect();
    form.extend(more);
    client.post(PAR, &form).await
}

async fn a_140_nothing_is_pushed(server: Shared) {
    let metadata = metadata(server).await;
    assert!(metadata.get("pushed_authorization_request_endpoint").is_none(), "{metadata}");
    let mut wrong = Client::confidential(server);
    assert_not_there(&push(&wrong, &[]).await);
    wrong.secret = Some("wrong".to_owned());
    assert_not_there(&push(&wrong, &[]).await);
    assert_not_there(&push(&Client::public(server), &[]).await);
}

async fn a_141_by_no_method_and_with_no_nesting(server: Shared) {
    let browser = Browser::new(server);
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::POST] {
        let url = server.url(PAR).parse().expect("a URL");
        let answer = browser.send(browser.request(method.clone(), &url)).await;
        assert_eq!(answer.status, 404, "{method}: {answer:?}");
    }
    let nested = push(&Client::confidential(server), &[("request_uri", "urn:ietf:params:oauth:request_uri:x")]).await;
    assert_not_there(&nested);
}

async fn a_142_no_request_uri_stands_for_anything(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let logged_in = Browser::of(server, &user).await;
    for uri in ["urn:ietf:params:oauth:request_uri:x", &format!("urn:ietf:params:oauth:request_uri:{}", random(32))] {
        let request = client.request().set("request_uri", uri);
        refused_at_the_app(server, [request.clone()], "request_uri_not_supported").await;
        assert_red(&logged_in.authorize(&request).await, &request, "request_uri_not_supported");
        // As RFC 9126 §4 has it, with nothing beside: there is no redirect URI that it could be told to.
        let bare = Request::new(&server.issuer, &client.id, "x", "x").without("response_type").without("redirect_uri");
        let bare = bare.without("scope").without("state").without("code_challenge").without("code_challenge_method");
        let two = Spec::public().redirect("https://a.example/cb").redirect("https://b.example/cb").create(server);
        assert_page(&logged_in.authorize(&bare.set("client_id", &two.id).set("request_uri", uri)).await);
    }
}

/// PAR's one-time use has no meaning here; a request opened twice is two requests, and each is answered once.
async fn a_143_a_request_opened_twice(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let (browser, request) = (Browser::new(server), client.request());
    let first = browser.open(&request.url()).await;
    let page = browser.open(&request.url()).await;
    let page = browser.login(&page, &user).await;
    let back = browser.approve(&page).await.redirect();
    assert_tokens(&client.redeem(&request, &back.code()).await);
    let again = browser.login(&first, &user).await;
    assert!(again.has_form("/consent"), "the other is still asked: {again:?}");
}

async fn a_144_parameters_beside_a_request_object(server: Shared) {
    let client = Client::confidential(server);
    let inside = json!({"client_id": client.id, "scope": "openid", "state": "inside", "nonce": "inside"});
    let object = unsigned(&json!({"alg": "none"}), &inside);
    // Neither the inner nor the outer ones are used: there is no login from it.
    refused_at_the_app(server, [client.request().set("request", &object)], "request_not_supported").await;
    refused_at_the_app(
        server,
        [client.request().set("request", &object).set("prompt", "none")],
        "request_not_supported",
    )
    .await;
}

async fn a_145_nobody_requires_par(server: Shared) {
    let metadata = metadata(server).await;
    let required = &metadata["require_pushed_authorization_requests"];
    assert!(required.is_null() || required == false, "{metadata}");
    assert!(Spec::confidential().flags(&["--require-par"]).try_create(server).is_err(), "nobody can ask for it");
}

async fn a_146_request_objects(server: Shared) {
    let client = Spec::confidential().auth(Auth::PrivateKeyJwt).create(server);
    let (own, other) = (client.key.clone().expect("a key"), EsKey::new());
    let good = json!({
        "iss": client.id, "aud": server.issuer, "client_id": client.id, "response_type": "code", "scope": "openid",
        "redirect_uri": client.redirect, "iat": now(), "nbf": now(), "exp": now() + 60, "jti": random(8),
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let objects = [
        own.sign(&good),
        other.sign(&good),
        unsigned(&json!({"alg": "none"}), &good),
        unsigned(&json!({}), &good),
        own.sign_with(&json!({"alg": "RS256"}), &good),
        own.sign_with(&json!({"alg": "HS256"}), &good),
        own.sign(&with("exp", json!(now() - 60))),
        own.sign(&with("exp", json!(now() + 7_200))),
        own.sign(&with("nbf", json!(now() - 7_200))),
        own.sign(&with("nbf", json!(now() + 8))),
        own.sign(&with("aud", json!("https://other.example"))),
        own.sign(&with("aud", json!([server.issuer]))),
        own.sign(&with("iss", json!("other"))),
        own.sign(&with("request", json!("e30.e30."))),
        "garbage".to_owned(),
    ];
    let requests = objects.iter().map(|object| client.request().set("request", object));
    refused_at_the_app(server, requests, "request_not_supported").await;
    assert_eq!(metadata(server).await["request_parameter_supported"], false);
}

async fn a_147_nothing_is_fetched(server: Shared) {
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("a listener that does not wait");
    let port = canary.local_addr().expect("its port").port();
    let (client, user) = (Client::confidential(server), User::new(server));
    let logged_in = Browser::of(server, &user).await;
    let uris = [
        format!("http://127.0.0.1:{port}/request.jwt"),
        format!("https://127.0.0.1:{port}/request.jwt"),
        format!("http://localhost:{port}/request.jwt"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("gopher://127.0.0.1:{port}/"),
        "https://canary.example/request.jwt".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "file:///etc/passwd".to_owned(),
    ];
    for uri in &uris {
        let request = client.request().set("request_uri", uri);
        refused_at_the_app(server, [request.clone()], "request_uri_not_supported").await;
        assert_red(&logged_in.authorize(&request).await, &request, "request_uri_not_supported");
        // Other parameters that hold addresses elsewhere are not fetched either.
        let other = client.request().set("sector_identifier_uri", uri).set("jwks_uri", uri).set("logo_uri", uri);
        assert_goes_on(&logged_in.authorize(&other).await);
    }
    let connection = canary.accept();
    assert!(connection.is_err(), "NONET: {connection:?}");
}

async fn a_148_a_large_or_frequent_push(server: Shared) {
    let client = Client::confidential(server);
    let large = "x".repeat(70 * 1024);
    let answer = push(&client, &[("claims", &large)]).await;
    assert!([404, 413].contains(&answer.status), "{answer:?}");
    // The endpoint beside it, which does take forms, has its limit too.
    let form = http().post(server.url("/oauth2/authorize")).form(&[("client_id", client.id.as_str()), ("x", &large)]);
    assert_eq!(Answer::of(form).await.status, 413);
}

both![
    a_140_nothing_is_pushed,
    a_141_by_no_method_and_with_no_nesting,
    a_142_no_request_uri_stands_for_anything,
    a_143_a_request_opened_twice,
    a_144_parameters_beside_a_request_object,
    a_145_nobody_requires_par,
    a_146_request_objects,
    a_147_nothing_is_fetched,
    a_148_a_large_or_frequent_push,
];
