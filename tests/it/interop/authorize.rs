//! What a client may send to the authorization endpoint.

use reqwest::Method;
use serde_json::json;

use super::*;

/// A form that another site posts comes without our cookies. It is led to the same request by GET, to which browsers add
/// them, before anything is decided.
async fn b025_post_from_another_site(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    browser.grant(&user, &client.request()).await;
    for prompt in ["none", ""] {
        let request =
            client.request().set("scope", "openid profile").set("prompt", prompt).set("claims", r#"{"id_token":{}}"#);
        let form = http().post(server.url("/oauth2/authorize")).header("Sec-Fetch-Site", "cross-site");
        let form = form.header("Content-Type", "application/x-www-form-urlencoded").body(request.query());
        let answer = Answer::of(form).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let location = answer.location().expect("a location");
        assert!(answer.leads_to_itself(&location), "{answer:?}");
        assert!(!location.contains("error"), "nothing is decided yet: {location}");
        let back = browser.get(&location).await.redirect();
        assert_eq!(back.param("state"), request.get("state"));
        assert_tokens(&client.redeem(&request, &back.code()).await);
        // Without a session the answer by GET is the last word.
        if prompt == "none" {
            let answer = Answer::of(http().get(&location)).await;
            assert_red(&answer, &request, "login_required");
        }
    }
    // With a cookie of ours there is nothing to wait for.
    let url = server.url("/oauth2/authorize").parse().expect("a URL");
    let request = client.request().set("prompt", "none");
    let form = browser.request(Method::POST, &url).header("Content-Type", "application/x-www-form-urlencoded");
    let back = browser.send(form.body(request.query())).await.redirect();
    assert_tokens(&client.redeem(&request, &back.code()).await);
    // What is wrong is refused at once.
    let request = client.request().set("response_type", "token");
    let form = http().post(server.url("/oauth2/authorize")).header("Content-Type", "application/x-www-form-urlencoded");
    assert_red(&Answer::of(form.body(request.query())).await, &request, "unsupported_response_type");
}

/// A client that may leave PKCE out is still held to it where it begins with it.
async fn f07_pkce_is_optional(server: Shared) {
    let spec = Spec::confidential().flags(&["--pkce", "optional"]);
    let (client, user) = (spec.create(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let redeem = async |code: &str, verifier: &[&str], redirect: &str| {
        let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect)];
        form.extend(verifier.iter().map(|verifier| ("code_verifier", *verifier)));
        client.token(&form).await
    };
    let without = || client.request().without("code_challenge").without("code_challenge_method");
    for request in [without(), without().without("nonce")] {
        let code = browser.grant(&user, &request).await.code();
        assert_ig(&redeem(&code, &[&request.pkce.verifier], &client.redirect).await);
        let code = browser.grant(&user, &request).await.code();
        assert_ig(&redeem(&code, &[], "").await);
        let code = browser.grant(&user, &request).await.code();
        assert_tokens(&redeem(&code, &[], &client.redirect).await);
    }
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    assert_ig(&redeem(&code, &[], &client.redirect).await);
    let code = browser.grant(&user, &request).await.code();
    assert_tokens(&redeem(&code, &[&request.pkce.verifier], &client.redirect).await);
    let request = without().set("scope", "profile");
    assert_red(&browser.authorize(&request).await, &request, "invalid_request");
    let request = client.request().set("code_challenge_method", "plain");
    assert_red(&browser.authorize(&request).await, &request, "invalid_request");
    // Back to required: what was begun without a challenge goes no further.
    let other = Client::confidential(server);
    let request = other.request().without("code_challenge").without("code_challenge_method");
    assert_red(&browser.authorize(&request).await, &request, "invalid_request");
}

/// A hint tells of a session that is or was: it may have expired, and its key may have been rotated out. Issuer, signature
/// and audience count.
async fn b003_hints_of_the_past(db: Db) {
    let server = Server::start(db, &[("keys.id_token_alg", "ES256")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let fresh = client.redeem(&request, &code).await.text("id_token");
    let key = EsKey::stolen(&server);
    let signed = |name: &str, value: serde_json::Value| {
        let mut claims = claims_of(&fresh);
        claims[name] = value;
        key.sign_with(&header_of(&fresh), &claims)
    };
    let silent = async |hint: &str| {
        let request = client.request().set("prompt", "none").set("id_token_hint", hint);
        let answer = browser.authorize(&request).await;
        (answer, request)
    };
    let expired = signed("exp", json!(now() - 86_400));
    let good =
        [fresh.clone(), expired.clone(), signed("aud", json!(client.id)), signed("aud", json!(["x", client.id]))];
    for hint in &good {
        silent(hint).await.0.redirect().code();
    }
    for hint in [
        signed("aud", json!([Client::confidential(&server).id])),
        signed("aud", json!([])),
        signed("iss", json!("https://evil.example")),
        EsKey::new().sign_with(&header_of(&fresh), &claims_of(&fresh)),
        format!("{}x", &expired[..expired.len() - 1]),
    ] {
        let (answer, request) = silent(&hint).await;
        assert_red(&answer, &request, "invalid_request");
    }
    let (answer, request) = silent(&signed("sub", json!(User::new(&server).id))).await;
    assert_red(&answer, &request, "login_required");

    // The key is rotated out, and later its tokens have all expired.
    server.cli(&["keys", "rotate", "--now", "--alg", "ES256"]);
    for removed in [false, true] {
        if removed {
            server.database.execute(&format!(
                "UPDATE signing_keys SET retired_at = {at} - 100, removed_at = {at} - 10 WHERE kid = '{}'",
                key.kid,
                at = now()
            ));
        }
        assert!(server.stop(), "stops in time");
        server.spawn();
        silent(&expired).await.0.redirect().code();
    }
    // A key that leaked says nothing of the past either.
    server.database.execute(&format!("UPDATE signing_keys SET removed_at = retired_at WHERE kid = '{}'", key.kid));
    assert!(server.stop(), "stops in time");
    server.spawn();
    let (answer, request) = silent(&expired).await;
    assert_red(&answer, &request, "invalid_request");
}

/// Claims of the granted scopes in the ID token, for clients that never ask userinfo; the same as there.
async fn f05_claims_in_the_id_token(server: Shared) {
    let user = User::new(server);
    let standard = Client::confidential(server);
    let all = Spec::confidential().flags(&["--id-token-claims", "all"]).create(server);
    let names = ["name", "preferred_username", "updated_at", "email", "email_verified"];
    for (client, scope, told) in [
        (&standard, "openid profile email offline_access", &[][..]),
        (&all, "openid profile email offline_access", &names[..]),
        (&all, "openid profile offline_access", &names[..3]),
        (&all, "openid offline_access", &[]),
    ] {
        let request = client.request().set("scope", scope);
        let code = Browser::new(server).grant(&user, &request).await.code();
        let family = Family::read(&client.redeem(&request, &code).await);
        let refreshed = Family::read(&client.refresh(&family.refresh).await);
        let info = client.userinfo(&refreshed.access).await.json();
        for token in [&family.id_token, &refreshed.id_token] {
            let claims = claims_of(token);
            assert_eq!((&claims["sub"], &claims["aud"]), (&info["sub"], &json!([client.id])), "{claims}");
            for name in names {
                let wanted = if told.contains(&name) { info[name].clone() } else { serde_json::Value::Null };
                assert_eq!(claims[name], wanted, "{name} with {scope}: {claims}");
            }
        }
        assert!(told.is_empty() || info["preferred_username"] == user.username, "{info}");
        if told.len() == names.len() {
            // A token for less tells less.
            let form = [("grant_type", "refresh_token"), ("refresh_token", &*refreshed.refresh), ("scope", "openid")];
            let claims = claims_of(&client.token(&form).await.text("id_token"));
            assert!(names.iter().all(|name| claims[name].is_null()), "{claims}");
        }
    }
}

/// The metadata tell what there is: no algorithms of request objects where there are none, and all claims.
async fn f07_metadata_is_true(server: Shared) {
    let metadata = Browser::new(server).get("/.well-known/openid-configuration").await.json();
    assert_eq!(metadata["request_parameter_supported"], false);
    assert!(metadata["request_object_signing_alg_values_supported"].is_null(), "{metadata}");
    let client = Spec::confidential().flags(&["--id-token-claims", "all"]).create(server);
    let request = client.request();
    let code = Browser::new(server).grant(&User::new(server), &request).await.code();
    let answer = client.redeem(&request, &code).await;
    let (claims, info) =
        (claims_of(&answer.text("id_token")), client.userinfo(&answer.text("access_token")).await.json());
    let told = metadata["claims_supported"].as_array().expect("claims");
    for name in claims.as_object().expect("claims").keys().chain(info.as_object().expect("claims").keys()) {
        assert!(told.iter().any(|known| known == name), "{name} is not in {told:?}");
    }
}

both![
    b025_post_from_another_site,
    f07_pkce_is_optional,
    b003_hints_of_the_past,
    f05_claims_in_the_id_token,
    f07_metadata_is_true,
];
