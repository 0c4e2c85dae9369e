//! 2.2 Client assertions: `private_key_jwt`, for us alone, for now, once.

use std::net::TcpListener;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::family::Family;
use super::metadata;
use crate::harness::*;

fn client_with_key(server: &Server) -> Client {
    Spec::confidential().auth(Auth::PrivateKeyJwt).create(server)
}

/// The claims of a good assertion with one of them replaced.
fn claims_with(client: &Client, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = client.assertion_claims();
    claims[name] = value.into();
    claims
}

fn claims_without(client: &Client, name: &str) -> Value {
    let mut claims = client.assertion_claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

/// client_credentials with this assertion.
async fn present(server: &Server, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    Answer::of(http().post(server.url("/oauth2/token")).form(&form)).await
}

/// Each of these sets of claims is refused, although the client itself signed it.
async fn refused(server: &Server, client: &Client, all: impl IntoIterator<Item = Value>) {
    for claims in all {
        let answer = present(server, &client.assertion(&claims)).await;
        assert_eq!(answer.status, 401, "{claims} is taken: {answer:?}");
        assert_ic(&answer);
    }
}

async fn b_030_issuer_as_audience(server: Shared) {
    let client = client_with_key(server);
    assert_tokens(&present(server, &client.assertion(&client.assertion_claims())).await);
    let methods = metadata(server).await["token_endpoint_auth_methods_supported"].clone();
    assert_eq!(methods, json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]));
}

/// Strict: the issuer alone.
async fn b_031_other_audiences(server: Shared) {
    let client = client_with_key(server);
    let issuer = &*server.issuer;
    let audiences = [
        json!(server.url("/oauth2/token")),
        json!(server.url("/oauth2/par")),
        json!(server.url("/oauth2/introspect")),
        json!([[issuer]]),
        json!([issuer, issuer]),
        json!([issuer, "https://other.example"]),
        json!(["https://other.example", issuer]),
        json!([]),
        json!("https://other.example"),
        json!(&issuer[..issuer.len() - 1]),
        json!(&issuer[..7]),
        json!(format!("{issuer}/")),
        json!(format!("{issuer} ")),
        json!(issuer.to_uppercase()),
        json!(client.id),
        json!(""),
        json!(null),
        json!(7),
        json!({"iss": issuer}),
    ];
    refused(server, &client, audiences.map(|audience| claims_with(&client, "aud", audience))).await;
    refused(server, &client, [claims_without(&client, "aud")]).await;
    // A list of one names nobody else either.
    assert_tokens(&present(server, &client.assertion(&claims_with(&client, "aud", json!([issuer])))).await);
}

async fn b_033_unusable_jti(server: Shared) {
    let client = client_with_key(server);
    let values = [json!(7), json!(null), json!([random(8)]), json!({}), json!(true), json!(""), json!("j".repeat(257))];
    refused(server, &client, values.map(|jti| claims_with(&client, "jti", jti))).await;
    refused(server, &client, [claims_without(&client, "jti")]).await;
    assert_tokens(&present(server, &client.assertion(&claims_with(&client, "jti", "j".repeat(256)))).await);
    // A megabyte never reaches the check: no body of that size is read.
    let huge = client.assertion(&claims_with(&client, "jti", "j".repeat(1 << 20)));
    assert_j(&present(server, &huge).await, 413, "payload_too_large");
}

async fn b_034_expiry(server: Shared) {
    let client = client_with_key(server);
    let at = now();
    let values = [
        json!(at - 120),
        json!(at + 900),
        json!(at + 10 * 365 * 86_400),
        json!((at + 60).to_string()),
        json!(-1),
        json!(0),
        json!(1_u64 << 63),
        json!(i64::MAX),
        json!(1e300),
        json!(null),
        json!([at + 60]),
    ];
    refused(server, &client, values.map(|exp| claims_with(&client, "exp", exp))).await;
    refused(server, &client, [claims_without(&client, "exp")]).await;
    // Within the skew of a minute, and as far ahead as is remembered.
    for exp in [at - 20, at + 590] {
        assert_tokens(&present(server, &client.assertion(&claims_with(&client, "exp", exp))).await);
    }
}

async fn b_035_not_yet_valid(server: Shared) {
    let client = client_with_key(server);
    for name in ["nbf", "iat"] {
        for ahead in [0, 8] {
            let claims = claims_with(&client, name, now() + ahead);
            assert_tokens(&present(server, &client.assertion(&claims)).await);
        }
        let at = now();
        let values = [json!(at + 90), json!(at + 86_400), json!((at - 5).to_string()), json!(-1)];
        refused(server, &client, values.map(|value| claims_with(&client, name, value))).await;
    }
    assert_tokens(&present(server, &client.assertion(&claims_without(&client, "iat"))).await);
}

async fn b_036_issuer_and_subject(server: Shared) {
    let (client, other) = (client_with_key(server), client_with_key(server));
    let mut all = Vec::new();
    for name in ["iss", "sub"] {
        all.push(claims_without(&client, name));
        for value in [json!(other.id), json!("nobody"), json!(""), json!(null), json!([client.id])] {
            all.push(claims_with(&client, name, value));
        }
    }
    let mut both = claims_with(&client, "iss", other.id.clone());
    both["sub"] = json!(other.id);
    all.push(both);
    refused(server, &client, all).await;
    for named in [&*other.id, "nobody"] {
        let form = [("grant_type", "client_credentials"), ("client_id", named)];
        assert_ic(&client.token(&form).await);
    }
    assert_tokens(&client.token(&[("grant_type", "client_credentials"), ("client_id", &*client.id)]).await);
}

/// A compact JWS with an HMAC under some public bytes.
fn hs256(key: &[u8], claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let input = format!("{}.{}", part(&json!({"alg": "HS256"})), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), input.as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn b_037_algorithms(server: Shared) {
    let client = client_with_key(server);
    let key = client.key.clone().expect("a key");
    let jwk = key.jwk();
    let claims = || client.assertion_claims();
    let mut forged = Vec::new();
    for alg in ["none", "None", "nOnE", "NONE", "", "ES256"] {
        forged.push(unsigned(&json!({"alg": alg, "kid": key.kid}), &claims()));
        forged.push(unsigned(&json!({"alg": alg}), &claims()));
    }
    for alg in ["none", "HS256", "RS256", "PS256", "EdDSA", "ES384", "es256", ""] {
        forged.push(key.sign_with(&json!({"alg": alg, "kid": key.kid}), &claims()));
    }
    forged.push(key.sign_with(&json!({"kid": key.kid}), &claims()));
    forged.push(key.sign_with(&json!({"alg": ["ES256"], "kid": key.kid}), &claims()));
    let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().expect("x")).expect("base64url");
    for secret in [x, jwk.to_string().into_bytes(), key.jwks().to_string().into_bytes(), Vec::new()] {
        forged.push(hs256(&secret, &claims()));
    }
    forged.push(EsKey::new().sign(&claims()));
    forged.push(EsKey::new().sign_with(&json!({"alg": "ES256", "kid": key.kid}), &claims()));
    // Signed well, and changed after that.
    let good = client.assertion(&claims());
    let other = client.assertion(&claims());
    forged.push(format!("{}.{}", good.rsplit_once('.').expect("parts").0, other.rsplit_once('.').expect("parts").1));
    for cut in [1, 10, good.len() - good.rfind('.').expect("a dot")] {
        forged.push(good[..good.len() - cut].to_owned());
    }
    forged.push(format!("{good}."));
    forged.push(format!("{good}="));
    for assertion in forged {
        let answer = present(server, &assertion).await;
        assert_eq!(answer.status, 401, "{assertion} is taken: {answer:?}");
        assert_ic(&answer);
    }
    assert_tokens(&present(server, &key.sign_with(&json!({"alg": "ES256"}), &claims())).await);
    // A secret as key (client_secret_jwt) is no method here.
    let by_secret = Client::confidential(server);
    let secret = by_secret.secret.clone().expect("a secret");
    assert_ic(&present(server, &hs256(secret.as_bytes(), &by_secret.assertion_claims())).await);
}

async fn b_037_keys_in_the_header(server: Shared) {
    let client = client_with_key(server);
    let (key, mine) = (client.key.clone().expect("a key"), EsKey::new());
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("a listener that does not wait");
    let url = format!("http://{}/jwks.json", canary.local_addr().expect("an address"));
    for (name, value) in [
        ("jwk", mine.jwk()),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["jku"])),
    ] {
        for (signer, kid) in [(&mine, &mine.kid), (&mine, &key.kid), (&*key, &key.kid)] {
            let mut header = json!({"alg": "ES256", "kid": kid});
            header[name] = value.clone();
            assert_ic(&present(server, &signer.sign_with(&header, &client.assertion_claims())).await);
        }
    }
    for kid in [json!("unknown"), json!("../../dev/null"), json!("' OR 1=1 --"), json!(7), json!(null), json!(url)] {
        let header = json!({"alg": "ES256", "kid": kid});
        assert_ic(&present(server, &key.sign_with(&header, &client.assertion_claims())).await);
    }
    let caller = canary.accept();
    assert!(caller.is_err(), "the server called {caller:?}");
}

async fn b_038_other_kinds_of_token(server: Shared) {
    let (client, user) = (client_with_key(server), User::new(server));
    let key = client.key.clone().expect("a key");
    for typ in
        [json!("at+jwt"), json!("application/at+jwt"), json!("logout+jwt"), json!("dpop+jwt"), json!(7), json!("")]
    {
        let header = json!({"alg": "ES256", "kid": key.kid, "typ": typ});
        assert_ic(&present(server, &key.sign_with(&header, &client.assertion_claims())).await);
    }
    for typ in ["JWT", "client-authentication+jwt"] {
        let header = json!({"alg": "ES256", "kid": key.kid, "typ": typ});
        assert_tokens(&present(server, &key.sign_with(&header, &client.assertion_claims())).await);
    }
    let family = Family::new(&client, &Browser::new(server), &user).await;
    let own = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    for token in [&family.access, &family.id_token, &own] {
        assert_ic(&present(server, token).await);
    }
}

async fn b_039_no_grant_by_assertion(server: Shared) {
    let client = client_with_key(server);
    let assertion = client.assertion(&client.assertion_claims());
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    assert_j(&client.token(&[("grant_type", grant), ("assertion", &assertion)]).await, 400, "unsupported_grant_type");
    let offered = metadata(server).await["grant_types_supported"].clone();
    assert_eq!(offered, json!(["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT]));
    Spec::confidential().grants(&["authorization_code", grant]).try_create(server).expect_err(grant);
}

/// Keys are registered, never fetched: a new one is taken at once, the old one is gone with it.
async fn b_040_rotated_keys(server: Shared) {
    let client = client_with_key(server);
    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
    let flags = ["--jwks-uri", "https://app.example/jwks.json"];
    Spec::confidential().auth(Auth::PrivateKeyJwt).flags(&flags).try_create(server).expect_err("no jwks_uri");
    let rotated = Client { key: Some(EsKey::new().into()), ..client.clone() };
    let file = server.dir.join(format!("{}.jwks.json", random(8)));
    let keys = rotated.key.as_ref().expect("a key").jwks().to_string();
    std::fs::write(&file, keys).expect("a file");
    assert_ic(&rotated.token(&[("grant_type", "client_credentials")]).await);
    server.cli(&["client", "update", &client.id, "--jwks-file", &file.display().to_string()]);
    assert_tokens(&rotated.token(&[("grant_type", "client_credentials")]).await);
    assert_ic(&client.token(&[("grant_type", "client_credentials")]).await);
}

both![
    b_030_issuer_as_audience,
    b_031_other_audiences,
    b_033_unusable_jti,
    b_034_expiry,
    b_035_not_yet_valid,
    b_036_issuer_and_subject,
    b_037_algorithms,
    b_037_keys_in_the_header,
    b_038_other_kinds_of_token,
    b_039_no_grant_by_assertion,
    b_040_rotated_keys,
];
