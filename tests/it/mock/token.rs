//! Any token by one call.

use std::process::Command;

use serde_json::{Value, json};

use super::*;

/// Fails if a token does not say what it was asked to say, or is not one that the issuer knows.
async fn any_token_by_one_call() {
    let mock = Mock::start("");
    let answer = mock
        .send(
            "POST",
            "/mock/token",
            &json!({
                "sub": "alice", "client": "shop", "scope": "orders:read orders:write", "roles": ["buyer", "tester"],
                "audience": "https://api.example", "expires_in": 42, "alg": "EdDSA"
            }),
        )
        .await;
    let token = answer.text("access_token");
    let (header, claims) = (header_of(&token), claims_of(&token));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    assert_eq!(claims, answer.json()["claims"]);
    assert_eq!(claims["iss"], mock.base);
    assert_eq!(claims["sub"], mock.told["issuers"][0]["personas"][0]["sub"], "Alice has the same id everywhere");
    assert_eq!(claims["roles"], json!(["buyer", "tester"]));
    assert_eq!((&claims["aud"], &claims["client_id"]), (&json!(["https://api.example"]), &json!("shop")));
    assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 42);

    let plain = mock.token(&json!({"sub": "alice", "scope": "openid profile", "audience": [mock.base.clone()]})).await;
    let info = Answer::of(mock.request("GET", "/oauth2/userinfo").bearer_auth(&plain)).await;
    assert_eq!(info.json()["name"], "Alice", "{info:?}");
    let introspect = || {
        let request = mock.request("POST", "/oauth2/introspect").basic_auth("any-api", Some("x"));
        Answer::of(request.form(&[("token", plain.as_str())]))
    };
    let live = introspect().await.json();
    assert_eq!((&live["active"], &live["username"]), (&json!(true), &json!("alice")), "{live}");
    let stranger = mock.token(&json!({"sub": "somebody else", "claims": {"tenant": "t1", "jti": null}})).await;
    let claims = claims_of(&stranger);
    assert_eq!(
        (&claims["sub"], &claims["tenant"], &claims["jti"]),
        (&json!("somebody else"), &json!("t1"), &Value::Null)
    );
    let acme = claims_of(&mock.token(&json!({"issuer": "acme", "sub": "bob"})).await);
    assert_eq!(acme["iss"], mock.url("/acme"));
    assert_eq!(acme["roles"], json!(["admin"]));
}

/// Fails if a defect is none, or more is wrong than was asked for.
async fn every_defect() {
    let mock = Mock::start("");
    let now = now();
    let parts = async |defect: &str| {
        let token = mock.token(&json!({"sub": "alice", "defect": defect})).await;
        (header_of(&token), claims_of(&token), token)
    };
    let (.., good) = {
        let token = mock.token(&json!({"sub": "alice"})).await;
        ((), (), token)
    };
    let userinfo =
        async |token: &str| Answer::of(mock.request("GET", "/oauth2/userinfo").bearer_auth(token)).await.status;
    assert_ne!(userinfo(&good).await, 200, "it is for the API");
    let (_, claims, _) = parts("expired").await;
    assert!(claims["exp"].as_i64().is_some_and(|exp| exp < now - 60), "{claims}");
    let (_, claims, _) = parts("not_yet_valid").await;
    assert!(claims["nbf"].as_i64().is_some_and(|nbf| nbf > now + 60), "{claims}");
    let (_, claims, _) = parts("wrong_issuer").await;
    assert_ne!(claims["iss"], mock.base);
    let (_, claims, _) = parts("wrong_audience").await;
    assert_ne!(claims["aud"], mock.base);
    let (header, ..) = parts("unknown_key").await;
    assert_eq!(header["kid"], "mock-unknown");
    let (header, _, token) = parts("alg_none").await;
    assert!(header["alg"] == "none" && token.ends_with('.'), "{token}");
    let (header, ..) = parts("wrong_typ").await;
    assert_eq!(header["typ"], "JWT");
    let (_, claims, _) = parts("missing_claim").await;
    assert_eq!(claims["exp"], Value::Null);
    let without = mock.token(&json!({"sub": "alice", "defect": "missing_claim", "missing": "sub"})).await;
    assert!(claims_of(&without)["sub"].is_null() && claims_of(&without)["exp"].is_i64());
    let keys = mock.get("/.well-known/jwks.json").await.json();
    let verifies = |token: &str| {
        let kid = header_of(token)["kid"].clone();
        let key = keys["keys"].as_array().expect("keys").iter().find(|key| key["kid"] == kid).expect("its key").clone();
        let jwk = serde_json::from_value(key).expect("a JWK");
        let (message, signature) = token.rsplit_once('.').expect("a JWS");
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a key");
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, jsonwebtoken::Algorithm::ES256)
            .expect("verifiable")
    };
    let (.., forged) = parts("bad_signature").await;
    assert!(verifies(&good) && !verifies(&forged));
}

/// Fails if a mistake in a request is not told by its name.
async fn mistakes_are_named() {
    let mock = Mock::start("");
    for (body, says) in [
        (json!({"defect": "rotten"}), "defect"),
        (json!({"alg": "HS256"}), "alg"),
        (json!({"alg": "none"}), "alg_none"),
        (json!({"subject": "alice"}), "subject"),
        (json!({"missing": "sub"}), "missing"),
        (json!({"scope": "a\"b"}), "scope"),
        (json!({"issuer": "../x"}), "issuer"),
        (json!([]), "the body"),
    ] {
        let answer = mock.send("POST", "/mock/token", &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(answer.text("detail").contains(says), "{body}: {answer:?}");
    }
}

/// Fails if the command prints anything but the token, or another than a mock of the same seed would verify.
async fn the_command_prints_a_token() {
    let mock = Mock::start("seed = 9");
    let issuer = mock.base.clone();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_latchway"))
            .args(["mock", "token"])
            .args(args)
            .env_clear()
            .output()
            .expect("the command");
        (
            output.status.code(),
            String::from_utf8(output.stdout).expect("text"),
            String::from_utf8(output.stderr).expect("text"),
        )
    };
    let (status, out, err) =
        run(&["--seed", "9", "--issuer", &issuer, "--sub", "bob", "--scope", "openid", "--audience", &issuer]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    let token = out.trim_end();
    assert_eq!(out, format!("{token}\n"));
    assert_eq!(claims_of(token)["roles"], json!(["admin"]));
    let kid = header_of(token)["kid"].clone();
    let keys = mock.get("/.well-known/jwks.json").await.json();
    assert!(keys["keys"].as_array().expect("keys").iter().any(|key| key["kid"] == kid), "{kid}: {keys}");
    let (status, out, _) =
        run(&["--url", &issuer, "--sub", "alice", "--scope", "openid profile", "--audience", &issuer]);
    assert_eq!(status, Some(0));
    let info = Answer::of(mock.request("GET", "/oauth2/userinfo").bearer_auth(out.trim_end())).await;
    assert_eq!(info.status, 200, "a token of the running mock is known to it: {info:?}");
    let (status, out, err) = run(&["--defect", "rotten"]);
    assert!(status == Some(2) && out.is_empty() && err.contains("defect"), "{err}");
    let (status, ..) = run(&["--url", &format!("http://127.0.0.1:{}", free_port()), "--sub", "alice"]);
    assert_eq!(status, Some(1));
}

once![any_token_by_one_call, every_defect, mistakes_are_named, the_command_prints_a_token];
