//! RFC 6749 §3.1, §3.2: a parameter without a value is treated as if it were left out, wherever parameters are read.

use super::*;

/// Each request with every parameter that it does not use added without a value: the answer is the same.
async fn b031_empty_is_absent(server: Shared) {
    let user = User::new(server);
    let all_empty = [
        "client_secret",
        "client_assertion",
        "client_assertion_type",
        "scope",
        "resource",
        "nonce",
        "state",
        "request",
        "request_uri",
        "registration",
        "dpop_jkt",
        "authorization_details",
        "token_type_hint",
        "audience",
        "address",
    ];
    let with_empty = |used: &[(&'static str, String)]| {
        let mut form: Vec<(&str, String)> = used.to_vec();
        form.extend(all_empty.iter().map(|&name| (name, String::new())));
        form
    };
    let post =
        async |path: &str, form: Vec<(&str, String)>| Answer::of(http().post(server.url(path)).form(&form)).await;

    let grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
    let client = Spec::public().grants(&grants).create(server);
    let id = ("client_id", client.id.clone());
    // The authorization endpoint, and a public client at the token endpoint.
    let mut request = client.request();
    for name in [
        "nonce",
        "prompt",
        "max_age",
        "response_mode",
        "login_hint",
        "request",
        "request_uri",
        "resource",
        "registration",
        "dpop_jkt",
        "authorization_details",
        "claims",
        "id_token_hint",
        "ui_locales",
        "display",
        "acr_values",
    ] {
        request = request.set(name, "");
    }
    let code = Browser::new(server).grant(&user, &request).await.code();
    let form = with_empty(&[
        ("grant_type", "authorization_code".to_owned()),
        ("code", code),
        ("redirect_uri", client.redirect.clone()),
        ("code_verifier", request.pkce.verifier.clone()),
        id.clone(),
    ]);
    let answer = post("/oauth2/token", form).await;
    assert_tokens(&answer);
    let family = Family::read(&answer);
    let refresh = |token: &str| [("grant_type", "refresh_token".to_owned()), ("refresh_token", token.to_owned())];
    let form = with_empty(&[&refresh(&family.refresh)[..], &[id.clone(), ("code_verifier", String::new())]].concat());
    let family = Family::read(&post("/oauth2/token", form).await);

    // Basic with an empty password names a public client; for a confidential one it proves nothing.
    let by_header = |client: &str| http().post(server.url("/oauth2/token")).header("Authorization", basic(client, ""));
    let family = Family::read(&Answer::of(by_header(&client.id).form(&refresh(&family.refresh))).await);
    assert_ic(
        &Answer::of(by_header(&Client::confidential(server).id).form(&[("grant_type", "client_credentials")])).await,
    );
    assert_ic(&Answer::of(by_header("").form(&refresh(&family.refresh))).await);

    // Revocation, and a device.
    let answer = post("/oauth2/revoke", with_empty(&[("token", family.access.clone()), id.clone()])).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let form = with_empty(&[id.clone(), ("code_challenge", String::new()), ("code_challenge_method", String::new())]);
    let answer = post("/oauth2/device_authorization", form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let poll = [("grant_type", DEVICE_GRANT.to_owned()), ("device_code", answer.text("device_code")), id];
    assert_j(&post("/oauth2/token", with_empty(&poll)).await, 400, "authorization_pending");

    // Confidential clients, whichever way they prove themselves.
    for auth in [Auth::Basic, Auth::Post, Auth::PrivateKeyJwt] {
        let client = Spec::confidential().auth(auth).create(server);
        let own = |name: &str| auth == Auth::Post && name == "client_secret";
        let own = |name: &str| own(name) || (auth == Auth::PrivateKeyJwt && name.starts_with("client_assertion"));
        let empty: Vec<(&str, &str)> = all_empty.iter().filter(|name| !own(name)).map(|&name| (name, "")).collect();
        let answer = client.token(&[&[("grant_type", "client_credentials")], &empty[..]].concat()).await;
        assert_tokens(&answer);
        let token = answer.text("access_token");
        assert_active(&client.post("/oauth2/introspect", &[&[("token", &*token)], &empty[..]].concat()).await);
        assert_eq!(client.post("/oauth2/revoke", &[&[("token", &*token)], &empty[..]].concat()).await.status, 200);
    }
}

/// What must be there is missing when it is empty, and twice is twice, whatever the values are.
async fn b031_empty_is_not_a_value(server: Shared) {
    let client = Client::confidential(server);
    for form in [
        &[("grant_type", "")][..],
        &[("grant_type", "authorization_code"), ("code", "")],
        &[("grant_type", "refresh_token"), ("refresh_token", "")],
        &[("grant_type", "client_credentials"), ("scope", ""), ("scope", "")],
    ] {
        assert_j(&client.token(form).await, 400, "invalid_request");
    }
    for path in ["/oauth2/introspect", "/oauth2/revoke"] {
        assert_j(&client.post(path, &[("token", "")]).await, 400, "invalid_request");
        for name in ["client_secret", "client_assertion", "client_assertion_type", "client_id"] {
            assert_j(&client.post(path, &[("token", "x"), (name, ""), (name, "")]).await, 400, "invalid_request");
        }
    }
    // A challenge that was stripped to nothing is no challenge, and PKCE is required.
    let request = client.request().set("code_challenge", "").set("code_challenge_method", "");
    assert_red(&Browser::new(server).authorize(&request).await, &request, "invalid_request");
}

/// The mock takes whatever a client has for a secret, and an empty one for none.
async fn b031_at_the_mock() {
    let mock = Mock::start("");
    let url = format!("{}/oauth2/token", mock.base);
    let form = [("grant_type", "refresh_token"), ("refresh_token", "lwrt_x")];
    let named = [&form[..], &[("client_id", "notes"), ("client_secret", ""), ("client_assertion", "")]].concat();
    assert_ig(&Answer::of(http().post(&url).form(&named)).await);
    assert_ig(&Answer::of(http().post(&url).header("Authorization", basic("notes", "")).form(&form)).await);
}

once![b031_at_the_mock];
both![b031_empty_is_absent, b031_empty_is_not_a_value];
