//! A secret may come by either of the two methods, unless the client is held to one.

use super::*;

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// The same client, as it would send its secret by the other method.
fn otherwise(client: &Client) -> Client {
    let auth = if client.auth == Auth::Basic { Auth::Post } else { Auth::Basic };
    Client { auth, ..client.clone() }
}

async fn f03_either_place(server: Shared) {
    for auth in [Auth::Basic, Auth::Post] {
        let client = Spec::confidential().auth(auth).create(server);
        for client in [&client, &otherwise(&client)] {
            let answer = client.token(&[GRANT]).await;
            assert_tokens(&answer);
            let token = answer.text("access_token");
            assert_active(&client.introspect(&token).await);
            assert_eq!(client.revoke(&token).await.status, 200);
            let wrong = Client { secret: Some(random(32)), ..client.clone() };
            assert_ic(&wrong.token(&[GRANT]).await);
        }
        // RFC 6749 §2.3: one method a request.
        let secret = client.secret.as_deref().expect("a secret");
        let by_header = Client { auth: Auth::Basic, ..client.clone() };
        assert_j(&by_header.token(&[GRANT, ("client_secret", secret)]).await, 400, "invalid_request");
    }
}

/// The right secret by the other method says what is wrong, and is no failure: x/oauth2 without a set style repeats each
/// refused request by the other method, and locked its own client out.
async fn f03_strict_and_never_counted(db: Db) {
    let server = Server::start(db, &[("limits.client_auth_failures", "3")]);
    for auth in [Auth::Basic, Auth::Post] {
        let client = Spec::confidential().auth(auth).flags(&["--auth-method-strict"]).create(&server);
        let other = otherwise(&client);
        for _ in 0..10 {
            let answer = other.token(&[GRANT]).await;
            assert_ic(&answer);
            let registered = if auth == Auth::Basic { "client_secret_basic" } else { "client_secret_post" };
            assert!(answer.text("error_description").contains(&format!("must send it by {registered}")), "{answer:?}");
            assert_audit(&server, &answer, "client_auth_method_mismatch");
        }
        assert_tokens(&client.token(&[GRANT]).await);
        // A wrong secret says nothing of methods, and counts by whichever it comes.
        let wrong = |client: &Client| Client { secret: Some(random(32)), ..client.clone() };
        let (one, two) = (wrong(&client).token(&[GRANT]).await, wrong(&other).token(&[GRANT]).await);
        assert_ic(&one);
        assert_eq!(one.body, two.body);
        assert_ic(&wrong(&other).token(&[GRANT]).await);
        assert_j(&wrong(&client).token(&[GRANT]).await, 429, "slow_down");
        server.cli(&["client", "update", &client.id, "--auth-method-strict=false"]);
    }
}

/// `client update --auth-method`: a secret is kept where there is one, made where there was none, and gone where the client
/// has none any more.
async fn f03_method_is_changed(server: Shared) {
    let client = Spec::confidential().auth(Auth::Basic).flags(&["--auth-method-strict"]).create(server);
    let update = |flags: &[&str]| server.cli(&[&["client", "update", &client.id], flags].concat());
    let shown = update(&["--auth-method", "client_secret_post"]);
    assert!(shown["client_secret"].is_null() && shown["auth_method"] == "client_secret_post", "{shown}");
    assert_ic(&client.token(&[GRANT]).await);
    assert_tokens(&otherwise(&client).token(&[GRANT]).await);

    let key = std::sync::Arc::new(EsKey::new());
    let file = server.dir.join(format!("{}.json", random(8)));
    std::fs::write(&file, key.jwks().to_string()).expect("a key set");
    let file = file.display().to_string();
    server
        .try_cli(&["client", "update", &client.id, "--auth-method", "private_key_jwt"], "")
        .expect_err("without keys");
    let shown =
        update(&["--auth-method", "private_key_jwt", "--jwks-file", &file, "--assertion-audience", "token-endpoint"]);
    assert_eq!(shown["auth_method_strict"], false, "{shown}");
    let by_key = Client { auth: Auth::PrivateKeyJwt, key: Some(key), ..client.clone() };
    assert_tokens(&by_key.token(&[GRANT]).await);
    assert_ic(&otherwise(&client).token(&[GRANT]).await);

    let shown = update(&["--auth-method", "client_secret_basic"]);
    let secret = shown["client_secret"].as_str().expect("a new secret").to_owned();
    assert_ne!(Some(&secret), client.secret.as_ref());
    assert_eq!(shown["assertion_audience"], "issuer", "{shown}");
    assert_ic(&client.token(&[GRANT]).await);
    assert_ic(&by_key.token(&[GRANT]).await);
    assert_tokens(&Client { secret: Some(secret.clone()), ..client.clone() }.token(&[GRANT]).await);

    server.try_cli(&["client", "update", &client.id, "--auth-method", "none"], "").expect_err("client_credentials");
    let shown = update(&["--auth-method", "none", "--grant", "authorization_code", "refresh_token"]);
    assert_eq!(shown["public"], true, "{shown}");
    let request = client.request();
    let code = Browser::new(server).grant(&User::new(server), &request).await.code();
    let public = Client { auth: Auth::None, secret: None, ..client.clone() };
    assert_ic(&Client { secret: Some(secret), ..client.clone() }.redeem(&request, &code).await);
    assert_tokens(&public.redeem(&request, &code).await);
}

/// Why an assertion was refused is in the audit trail and the log; `aud` may be a list of one, and the token endpoint's URL
/// where the client is allowed that.
async fn f08_assertion_audience(server: Shared) {
    let present = async |client: &Client, claims: &serde_json::Value| {
        let assertion = client.assertion(claims);
        let form = [
            GRANT,
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        Answer::of(http().post(server.url("/oauth2/token")).form(&form)).await
    };
    let spec = Spec::confidential().auth(Auth::PrivateKeyJwt);
    let issuer_only = spec.clone().create(server);
    let both = spec.flags(&["--assertion-audience", "token-endpoint"]).create(server);
    let with = |client: &Client, name: &str, value: serde_json::Value| {
        let mut claims = client.assertion_claims();
        claims[name] = value;
        claims
    };
    let (issuer, endpoint) = (server.issuer.clone(), server.url("/oauth2/token"));
    for client in [&issuer_only, &both] {
        for audience in [serde_json::json!(issuer), serde_json::json!([issuer])] {
            assert_tokens(&present(client, &with(client, "aud", audience)).await);
        }
    }
    for audience in [serde_json::json!(endpoint), serde_json::json!([endpoint])] {
        assert_tokens(&present(&both, &with(&both, "aud", audience.clone())).await);
        let refused = present(&issuer_only, &with(&issuer_only, "aud", audience)).await;
        assert_ic(&refused);
        assert_reason(server, &refused, "assertion_audience");
    }
    for audience in [
        serde_json::json!([issuer, endpoint]),
        serde_json::json!([endpoint, "https://other.example"]),
        serde_json::json!([]),
        serde_json::json!(server.url("/oauth2/introspect")),
        serde_json::json!(format!("{endpoint}/")),
    ] {
        assert_ic(&present(&both, &with(&both, "aud", audience)).await);
    }
    for (name, value, reason) in [
        ("iss", serde_json::json!("other"), "assertion_issuer"),
        ("exp", serde_json::json!(now() - 120), "assertion_expired"),
        ("exp", serde_json::json!(now() + 86_400), "assertion_too_long"),
        ("nbf", serde_json::json!(now() + 86_400), "assertion_not_yet_valid"),
        ("jti", serde_json::json!(7), "assertion_malformed"),
    ] {
        assert_reason(server, &present(&both, &with(&both, name, value)).await, reason);
    }
    let stranger = Client { key: Some(std::sync::Arc::new(EsKey::new())), ..both.clone() };
    let answer = present(&stranger, &both.assertion_claims()).await;
    assert_ic(&answer);
    let claims = both.assertion_claims();
    assert_tokens(&present(&both, &claims).await);
    assert_reason(server, &present(&both, &claims).await, "assertion_replayed");
}

#[track_caller]
fn assert_reason(server: &Server, answer: &Answer, reason: &str) {
    assert_ic(answer);
    let id = answer.header_or_empty("x-request-id");
    let events = audit(server, &format!("request_id = '{id}'"));
    assert!(events.len() == 1 && events[0]["reason"] == reason, "{reason}: {events:?}");
    let log = server.log();
    assert!(log.lines().any(|line| line.contains(id) && line.contains(reason)), "the log names {reason}");
}

/// A time in JSON may have a fraction (RFC 7519 §2): Python clients send `time.time()`.
async fn b049_fractions_of_seconds(server: Shared) {
    let client = Spec::confidential().auth(Auth::PrivateKeyJwt).create(server);
    let present = async |claims: &str| {
        let assertion = client.key.as_ref().expect("a key").sign_text(r#"{"alg":"ES256"}"#, claims);
        let form = [
            GRANT,
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", &assertion),
        ];
        Answer::of(http().post(server.url("/oauth2/token")).form(&form)).await
    };
    let claims = |times: &str| {
        format!(
            r#"{{"iss":"{id}","sub":"{id}","aud":"{}","jti":"{}",{times}}}"#,
            server.issuer,
            random(8),
            id = client.id
        )
    };
    let at = now();
    for times in [
        format!(r#""exp":{}.5,"iat":{at}.25,"nbf":{}.75"#, at + 60, at - 5),
        format!(r#""exp":{}.0,"iat":{at}.0"#, at + 60),
        format!(r#""exp":{:e}"#, (at + 60) as f64),
    ] {
        assert_tokens(&present(&claims(&times)).await);
    }
    for times in [
        format!(r#""exp":"{}.5""#, at + 60),
        r#""exp":1e300"#.to_owned(),
        format!(r#""exp":{}.5"#, at - 120),
        format!(r#""exp":{},"iat":{}.5"#, at + 60, at + 120),
        format!(r#""exp":{},"nbf":null"#, at + 60),
    ] {
        assert_ic(&present(&claims(&times)).await);
    }
}

/// RFC 6749 §5.2: who used the header is challenged by its scheme, also where the refusal comes after the authentication.
async fn a_refusal_after_the_authentication_has_a_challenge(server: Shared) {
    let client = Client::public(server);
    for (path, form) in [("/oauth2/introspect", [("token", "x")]), ("/oauth2/token", [GRANT])] {
        let by_header = Answer::of(http().post(server.url(path)).basic_auth(&client.id, Some("")).form(&form)).await;
        assert_ic(&by_header);
        let [parameter] = form;
        let by_body = http().post(server.url(path)).form(&[parameter, ("client_id", client.id.as_str())]);
        let by_body = Answer::of(by_body).await;
        assert_ic(&by_body);
        assert_eq!(by_body.header("www-authenticate"), None, "{by_body:?}");
    }
}

both![
    a_refusal_after_the_authentication_has_a_challenge,
    f03_either_place,
    f03_strict_and_never_counted,
    f03_method_is_changed,
    f08_assertion_audience,
    b049_fractions_of_seconds,
];
