//! 1.4 Parameters about who is logged in: prompt, max_age, id_token_hint.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::refused_at_the_app;
use crate::harness::*;

/// The claims of the ID token that a code leads to.
async fn id_token(client: &Client, request: &Request, back: &Redirect) -> Value {
    let tokens = client.redeem(request, &back.code()).await;
    assert_tokens(&tokens);
    claims_of(&tokens.text("id_token"))
}

async fn a_082_prompt_none(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let silent = client.request().set("prompt", "none");
    refused_at_the_app(server, [silent.clone()], "login_required").await;

    let browser = Browser::of(server, &user).await;
    assert_red(&browser.authorize(&silent).await, &silent, "consent_required");
    for prompt in ["none login", "login none", "none consent", "none none login"] {
        let request = client.request().set("prompt", prompt);
        assert_red(&browser.authorize(&request).await, &request, "invalid_request");
    }
    // With a session and a consent it answers at once, without a page.
    browser.grant(&user, &client.request()).await.code();
    let back = browser.authorize(&silent).await.redirect();
    assert_eq!(back.param("state"), silent.get("state"), "{}", back.location);
    back.code();
}

async fn a_082_unknown_prompt(server: Shared) {
    let request = Client::public(server).request();
    for prompt in ["maybe", "LOGIN", "login maybe"] {
        refused_at_the_app(server, [request.clone().set("prompt", prompt)], "invalid_request").await;
    }
}

async fn a_083_prompt_login_asks_again(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let request = client.request();
    let back = browser.grant(&user, &request).await;
    let before = id_token(&client, &request, &back).await["auth_time"].as_i64().expect("auth_time");

    sleep(Duration::from_millis(1_100)).await;
    let request = client.request().set("prompt", "login");
    let page = browser.open(&request.url()).await;
    assert!(page.has_form("/login"), "asks for the password again: {page:?}");
    let wrong = User { password: "not the password".to_owned(), ..user.clone() };
    let still = browser.login(&page, &wrong).await;
    assert!(still.has_form("/login"), "a wrong password is no login: {still:?}");
    // Stripped of its prompt, the second leg does not go on with the old session: the transaction is the server's.
    let transaction = page.form("/login").get("transaction").expect("a transaction").to_owned();
    let stripped = browser.open(&format!("/consent?transaction={transaction}")).await;
    assert!(!stripped.has_form("/consent") && stripped.location().is_none(), "no way around the login: {stripped:?}");
    // The original address once more starts anew, and asks anew.
    let again = browser.open(&request.url()).await;
    assert!(again.has_form("/login"), "{again:?}");

    let mut page = browser.login(&again, &user).await;
    if page.has_form("/consent") {
        page = browser.approve(&page).await;
    }
    let after = id_token(&client, &request, &page.redirect()).await["auth_time"].as_i64().expect("auth_time");
    assert!(after > before, "auth_time moves: {before}, {after}");
}

async fn a_083_prompt_login_left_alone_keeps_the_session(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    browser.grant(&user, &client.request()).await;
    let page = browser.open(&client.request().set("prompt", "login").url()).await;
    assert!(page.has_form("/login"), "{page:?}");
    browser.authorize(&client.request().set("prompt", "none")).await.redirect().code();
}

async fn a_083_prompt_login_as_somebody_else(server: Shared) {
    let (client, user, other) = (Client::confidential(server), User::new(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let request = client.request().set("prompt", "login");
    let page = browser.open(&request.url()).await;
    let mut page = browser.login(&page, &other).await;
    if page.has_form("/consent") {
        page = browser.approve(&page).await;
    }
    assert_eq!(id_token(&client, &request, &page.redirect()).await["sub"], other.id);
    // From now on this browser is the other person's.
    let request = client.request().set("prompt", "none");
    let back = browser.authorize(&request).await.redirect();
    assert_eq!(id_token(&client, &request, &back).await["sub"], other.id);
}

async fn a_084_max_age(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    for wrong in ["-1", "abc", "9223372036854775808", "1.5", "+5", " 5", "1e3"] {
        let request = client.request().set("max_age", wrong);
        refused_at_the_app(server, [request], "invalid_request").await;
    }
    let browser = Browser::of(server, &user).await;
    let request = client.request().set("max_age", "10000");
    let back = browser.grant(&user, &request).await;
    let claims = id_token(&client, &request, &back).await;
    let auth_time = claims["auth_time"].as_i64().expect("auth_time is told when max_age was asked");
    assert!((now() - auth_time).abs() < 60, "{claims}");

    sleep(Duration::from_millis(2_100)).await;
    for age in ["0", "1"] {
        let page = browser.open(&client.request().set("max_age", age).url()).await;
        assert!(page.has_form("/login"), "max_age={age}: {page:?}");
        let request = client.request().set("max_age", age).set("prompt", "none");
        assert_red(&browser.authorize(&request).await, &request, "login_required");
    }
    // The largest that is a number still is one.
    assert_goes_on(
        &browser.authorize(&client.request().set("max_age", "9223372036854775807").set("prompt", "consent")).await,
    );
}

async fn a_086_id_token_hint(server: Shared) {
    let (client, user, other) = (Client::confidential(server), User::new(server), User::new(server));
    let request = client.request();
    let back = Browser::new(server).grant(&other, &request).await;
    let tokens = client.redeem(&request, &back.code()).await;
    let hint_of_other = tokens.text("id_token");

    let browser = Browser::of(server, &user).await;
    browser.grant(&user, &client.request()).await;
    let with = |hint: &str| client.request().set("prompt", "none").set("id_token_hint", hint);
    let request = with(&hint_of_other);
    assert_red(&browser.authorize(&request).await, &request, "login_required");

    let claims = claims_of(&hint_of_other);
    let foreign = EsKey::new();
    let mut elsewhere = claims.clone();
    elsewhere["iss"] = json!("https://evil.example");
    let mut tampered = hint_of_other.clone();
    tampered.truncate(tampered.len() - 4);
    let hints = [
        unsigned(&json!({"alg": "none"}), &claims),
        foreign.sign(&claims),
        foreign.sign(&elsewhere),
        foreign.sign_with(&json!({"alg": "ES256", "jwk": foreign.jwk()}), &claims),
        tampered,
        tokens.text("access_token"),
        "garbage".to_owned(),
    ];
    for hint in hints {
        let request = with(&hint);
        let answer = browser.authorize(&request).await;
        let error = answer.redirect().param("error").map(str::to_owned).unwrap_or_default();
        assert!(["login_required", "invalid_request"].contains(&error.as_str()), "{hint}: {answer:?}");
        assert_red(&answer, &request, &error);
    }
    // Whatever the hint, the session is still the person's own.
    let request = client.request().set("prompt", "none");
    let back = browser.authorize(&request).await.redirect();
    assert_eq!(id_token(&client, &request, &back).await["sub"], user.id);
}

both![
    a_082_prompt_none,
    a_082_unknown_prompt,
    a_083_prompt_login_asks_again,
    a_083_prompt_login_left_alone_keeps_the_session,
    a_083_prompt_login_as_somebody_else,
    a_084_max_age,
    a_086_id_token_hint,
];
