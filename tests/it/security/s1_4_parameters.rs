//! 1.4 Parameters of the authorization request: how often, how long, how odd.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{metadata, refused_at_the_app, refused_with_page};
use crate::harness::*;

/// Posts the request as a form.
async fn authorize_by_post(server: &Server, request: &Request) -> Answer {
    let url = server.url("/oauth2/authorize");
    let form = http().post(url).header("Content-Type", "application/x-www-form-urlencoded").body(request.query());
    Answer::of(form).await
}

#[track_caller]
fn assert_quick(begin: Instant) {
    assert!(begin.elapsed() < Duration::from_secs(1), "took {:?}", begin.elapsed());
}

async fn a_070_client_id_or_redirect_uri_twice(server: Shared) {
    let request = Client::public(server).request();
    for name in ["client_id", "redirect_uri"] {
        let same = request.get(name).expect("the parameter").to_owned();
        for value in [same.as_str(), "https://evil.example/cb", ""] {
            let twice = request.clone().add(name, value);
            assert_page(&Browser::new(server).authorize(&twice).await);
            let first = request.clone().without(name).add(name, value).add(name, &same);
            assert_page(&Browser::new(server).authorize(&first).await);
        }
    }
}

async fn a_070_other_parameters_twice(server: Shared) {
    let request =
        Client::public(server).request().set("prompt", "login").set("max_age", "60").set("response_mode", "query");
    let request =
        request.set("login_hint", "ada").set("ui_locales", "en").set("acr_values", "1").set("display", "page");
    let names = [
        "response_type",
        "scope",
        "nonce",
        "prompt",
        "max_age",
        "code_challenge",
        "code_challenge_method",
        "response_mode",
        "login_hint",
        "ui_locales",
        "acr_values",
        "display",
    ];
    for name in names {
        let same = request.get(name).expect("the parameter").to_owned();
        let twice = [same.as_str(), "other", ""].map(|value| request.clone().add(name, value));
        refused_at_the_app(server, twice, "invalid_request").await;
    }
}

async fn a_070_state_twice(server: Shared) {
    let request = Client::public(server).request();
    let same = request.get("state").expect("a state").to_owned();
    for value in [same.as_str(), "other", ""] {
        let twice = request.clone().add("state", value);
        let answer = Browser::new(server).authorize(&twice).await;
        assert_error_redirect(&answer, &twice, "invalid_request");
    }
}

async fn a_070_request_objects_twice(server: Shared) {
    let request = Client::public(server).request();
    let twice = |name: &str, one: &str, two: &str| request.clone().add(name, one).add(name, two);
    let requests = [
        twice("request_uri", "https://app.example/r", "https://app.example/r"),
        twice("request", "e30.e30.", "e30.e30."),
        twice("id_token_hint", "e30.e30.", "e30.e31."),
    ];
    refused_at_the_app(server, requests, "invalid_request").await;
}

async fn a_071_several_resources(server: Shared) {
    let spec = Spec::confidential().audience("https://one.example").audience("https://two.example");
    let (client, user) = (spec.create(server), User::new(server));
    let resources = ["https://one.example", "https://two.example"];
    // With openid the token is for our own userinfo endpoint too.
    for (scope, own) in [("profile", None), ("openid profile", Some(server.issuer.as_str()))] {
        let request = client.request().set("scope", scope).add("resource", resources[0]).add("resource", resources[1]);
        let code = Browser::new(server).grant(&user, &request).await.code();
        let answer = client.redeem(&request, &code).await;
        assert_tokens(&answer);
        let audience = claims_of(&answer.text("access_token"))["aud"].clone();
        let audience: BTreeSet<String> =
            serde_json::from_value(audience.clone()).unwrap_or_else(|_| panic!("{audience}"));
        assert_eq!(audience, resources.into_iter().chain(own).map(str::to_owned).collect());
    }
    // A resource that this app was not registered for (RFC 8707 §2).
    let request = client.request();
    for resource in ["https://three.example", "https://one.example/", "https://one.example#x", "one.example"] {
        refused_at_the_app(server, [request.clone().set("resource", resource)], "invalid_target").await;
    }
}

async fn a_072_empty_is_absent(server: Shared) {
    let client =
        Spec::confidential().redirect("https://app.example/cb").redirect("https://app.example/other").create(server);
    let request = client.request();
    refused_with_page(server, [request.clone().set("client_id", "")], "authz_unknown_client").await;
    assert_page(&Browser::new(server).authorize(&request.clone().set("redirect_uri", "")).await);
    refused_at_the_app(server, [request.clone().set("response_type", "")], "invalid_request").await;
    refused_at_the_app(server, [request.clone().set("code_challenge", "")], "invalid_request").await;
    let user = User::new(server);
    let mut odd = request;
    for name in
        ["state", "nonce", "prompt", "max_age", "response_mode", "login_hint", "request", "request_uri", "resource"]
    {
        odd = odd.set(name, "");
    }
    let page = Browser::new(server).consent_page(&user, &odd).await;
    assert_eq!(page.status, 200, "{page:?}");
    let browser = Browser::new(server);
    let page = browser.consent_page(&user, &odd).await;
    let back = browser.approve(&page).await.redirect();
    assert_eq!(back.param("state"), None, "an empty state is none: {}", back.location);
    back.code();
}

async fn a_073_unknown_parameters(server: Shared) {
    let request = Client::public(server).request();
    for (name, value) in
        [("foo", "bar"), ("__proto__", "x"), ("foo[]", "1"), ("constructor", "{}"), ("", "x"), ("\u{1f511}", "x")]
    {
        assert_goes_on(&Browser::new(server).authorize(&request.clone().add(name, value)).await);
    }
    let mut many = request.clone();
    for number in 0..1_000 {
        many = many.add(&format!("u{number}"), "");
    }
    let begin = Instant::now();
    assert_goes_on(&authorize_by_post(server, &many).await);
    assert_quick(begin);
    // An unknown one twice carries no meaning either.
    assert_goes_on(&Browser::new(server).authorize(&request.add("foo", "1").add("foo", "2")).await);
}

async fn a_074_post(server: Shared) {
    let request = Client::public(server).request();
    assert_goes_on(&authorize_by_post(server, &request).await);
    let scope = request.get("scope").expect("a scope").to_owned();
    for (name, value) in [("scope", scope.as_str()), ("nonce", "other"), ("prompt", "none"), ("foo", "bar")] {
        let url = format!("{}?{name}={}", server.url("/oauth2/authorize"), value.replace(' ', "+"));
        let form = http().post(url).header("Content-Type", "application/x-www-form-urlencoded").body(request.query());
        let answer = Answer::of(form).await;
        assert_red(&answer, &request, "invalid_request");
    }
}

async fn a_076_nonce(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    for nonce in ["n".repeat(64), "n-_.~%20".repeat(40)] {
        let request = client.request().set("nonce", &nonce);
        let code = browser.grant(&user, &request).await.code();
        let tokens = client.redeem(&request, &code).await;
        assert_eq!(claims_of(&tokens.text("id_token"))["nonce"], nonce, "{tokens:?}");
    }
    let request = client.request().without("nonce");
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    assert!(claims_of(&tokens.text("id_token")).get("nonce").is_none(), "no nonce sent, none told: {tokens:?}");
    let implicit = client.request().without("nonce").set("response_type", "id_token");
    refused_at_the_app(server, [implicit], "unsupported_response_type").await;
}

async fn a_077_malformed_and_unknown_scopes(server: Shared) {
    let request = Spec::public().scope("openid profile").create(server).request();
    for scope in ["openid \"x\"", "openid a\\b", "openid \u{e9}", "no-such-scope", "email offline_access"] {
        refused_at_the_app(server, [request.clone().set("scope", scope)], "invalid_scope").await;
    }
    // A control character is no text that a parameter can have (A-011).
    assert_page(&Browser::new(server).authorize(&request.set("scope", "openid\tprofile")).await);
}

/// Here a scope that the app may not have is left out, and the app is told what it got.
async fn a_077_forbidden_scopes_are_left_out(server: Shared) {
    let (client, user) = (Spec::confidential().scope("openid profile").create(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    for scope in ["openid email", "openid offline_access", "no-such-scope openid reports:read"] {
        let request = client.request().set("scope", scope);
        let code = browser.grant(&user, &request).await.code();
        let answer = client.redeem(&request, &code).await;
        assert_tokens(&answer);
        assert_eq!(answer.text("scope"), "openid", "{scope}: {answer:?}");
        assert_eq!(claims_of(&answer.text("access_token"))["scope"], "openid", "{scope}");
    }
}

async fn a_077_very_many_scopes(server: Shared) {
    let request = Client::public(server).request();
    let begin = Instant::now();
    let many = request.clone().set("scope", &"a ".repeat(3_000));
    let answer = Browser::new(server).authorize(&many).await;
    assert_red(&answer, &many, "invalid_scope");
    let answer = authorize_by_post(server, &request.set("scope", &"a ".repeat(10_000))).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_quick(begin);
}

async fn a_077_repeated_scopes_count_once(server: Shared) {
    let (client, user) = (Spec::confidential().scope("openid profile").create(server), User::new(server));
    let request = client.request().set("scope", "openid openid profile openid");
    let code = Browser::new(server).grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    let mut scope: Vec<String> = tokens.text("scope").split(' ').map(str::to_owned).collect();
    scope.sort();
    assert_eq!(scope, ["openid", "profile"], "{tokens:?}");
    assert_eq!(claims_of(&tokens.text("access_token"))["scope"], tokens.json()["scope"], "{tokens:?}");
}

async fn a_087_hints_are_escaped_and_bounded(server: Shared) {
    let request = Client::public(server).request();
    let odd = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{7919*7907}}";
    for name in ["login_hint", "ui_locales", "display", "acr_values"] {
        let answer = Browser::new(server).open(&request.clone().set(name, odd).url()).await;
        assert!(answer.is_html() || answer.location().is_some(), "{name}: {answer:?}");
        assert!(!answer.body.contains("<script>alert") && !answer.body.contains("<img src=x"), "{name}: {answer:?}");
        assert!(!answer.body.contains("62615533"), "{name} was evaluated: {answer:?}");
    }
    let page = Browser::new(server).open(&request.clone().set("login_hint", "ada@people.example").url()).await;
    assert_eq!(page.form("/login").get("username"), Some("ada@people.example"), "a hint fills the form: {page:?}");
    let huge = server.raw_get(&[b"/oauth2/authorize?login_hint=".as_slice(), &vec![b'x'; 1_000_000]].concat());
    assert!([0, 400, 414, 431].contains(&huge.status), "{huge:?}");
    let begin = Instant::now();
    for number in 0..100 {
        let locales = format!("x-{number} de-CH-{number}");
        assert_goes_on(&Browser::new(server).authorize(&request.clone().set("ui_locales", &locales)).await);
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "unknown locales take {:?} each", begin.elapsed() / 100);
}

/// The `sub` of a client's own token and that of a person can never be the same.
async fn a_088_clients_and_people_have_disjoint_ids(server: Shared) {
    let (client, user) = (Spec::confidential().scope("openid read").create(server), User::new(server));
    let own = client.token(&[("grant_type", "client_credentials"), ("scope", "read")]).await;
    assert_tokens(&own);
    let claims = claims_of(&own.text("access_token"));
    assert_eq!(claims["sub"], client.id, "{claims}");
    assert_ne!(claims["sub"], user.id);
    assert!(server.try_cli(&["client", "show", &user.id], "").is_err(), "a person's id names no client");
    // Who chooses an id may not choose one that a person has or could have.
    for id in [
        user.id.clone(),
        user.id.to_uppercase(),
        user.id.replace('-', ""),
        "01a20269-8dec-72a1-b93b-7aaa5bdc1fb9".to_owned(),
    ] {
        let chosen = Spec::confidential().flags(&["--id", &id]).try_create(server);
        assert!(chosen.is_err_and(|failure| failure.output.contains("no UUID")), "a client with the id {id}");
    }
    let name = Spec::confidential().name(&user.id).create(server);
    assert_ne!(name.id, user.id);
}

async fn a_085_acr_is_never_claimed_falsely(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let request = client.request().set("acr_values", "urn:example:hardware-key");
    let code = Browser::new(server).grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    assert_ne!(claims_of(&tokens.text("id_token"))["acr"], "urn:example:hardware-key", "{tokens:?}");

    let essential = r#"{"id_token":{"acr":{"essential":true,"values":["urn:example:hardware-key"]}}}"#;
    let request = client.request().set("claims", essential);
    let answer = Browser::new(server).authorize(&request).await;
    let error = answer.redirect().param("error").map(str::to_owned).unwrap_or_default();
    assert!(["unmet_authentication_requirements", "invalid_request"].contains(&error.as_str()), "{answer:?}");
    assert_red(&answer, &request, &error);
    assert_eq!(metadata(server).await["claims_parameter_supported"], false);
}

both![
    a_070_client_id_or_redirect_uri_twice,
    a_070_other_parameters_twice,
    a_070_state_twice,
    a_070_request_objects_twice,
    a_071_several_resources,
    a_072_empty_is_absent,
    a_073_unknown_parameters,
    a_074_post,
    a_076_nonce,
    a_077_malformed_and_unknown_scopes,
    a_077_forbidden_scopes_are_left_out,
    a_077_very_many_scopes,
    a_077_repeated_scopes_count_once,
    a_085_acr_is_never_claimed_falsely,
    a_087_hints_are_escaped_and_bounded,
    a_088_clients_and_people_have_disjoint_ids,
];
