//! 3 JWT and keys: what is presented as a token of ours and is none.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::{Engine, engine::general_purpose::URL_SAFE};
use serde_json::{Value, json};

use super::held::Held;
use super::metadata;
use crate::harness::*;

async fn jwks(server: &Server) -> Vec<Value> {
    let answer = Browser::new(server).get("/.well-known/jwks.json").await;
    answer.json()["keys"].as_array().expect("keys").clone()
}

async fn c_001_alg_none(server: Shared) {
    let held = Held::new(server).await;
    let (claims, kid) = (claims_of(&held.access), header_of(&held.access)["kid"].clone());
    for alg in ["none", "None", "nOnE", "NONE", "", "ES256"] {
        held.refused(&unsigned(&json!({"typ": "at+jwt", "alg": alg, "kid": kid}), &claims)).await;
        held.refused(&unsigned(&json!({"typ": "at+jwt", "alg": alg}), &claims)).await;
    }
    held.refused(&unsigned(&json!({"typ": "at+jwt", "kid": kid}), &claims)).await;
    let (message, _) = held.access.rsplit_once('.').expect("three parts");
    held.refused(message).await;
    held.refused(&format!("{message}.")).await;
    held.refused(&format!("{message}.AA")).await;
    // The same for an ID token, as a hint: the forged one is refused at the app, and nobody is let in by it.
    for alg in ["none", "nOnE"] {
        let hint = unsigned(&json!({"typ": "JWT", "alg": alg}), &claims_of(&held.id));
        let request = held.client.request().set("prompt", "none").set("id_token_hint", &hint);
        assert_red(&held.browser.authorize(&request).await, &request, "invalid_request");
    }
}

async fn c_002_public_key_as_hmac_key(server: Shared) {
    let held = Held::new(server).await;
    let mut secrets: Vec<(Value, Vec<u8>)> = Vec::new();
    for jwk in jwks(server).await {
        let kid = jwk["kid"].clone();
        let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).expect("base64url");
        secrets.push((kid.clone(), jwk.to_string().into_bytes()));
        secrets.extend(["x", "n"].map(|name| (kid.clone(), member(name))));
        if jwk["kty"] == "EC" {
            let head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
            let der = [&head[..], &member("x"), &member("y")].concat();
            let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
            secrets.extend([(kid.clone(), der), (kid.clone(), pem.trim_end().into()), (kid, pem.into_bytes())]);
        }
    }
    assert!(secrets.len() > 10, "keys to try: {}", secrets.len());
    for (kid, secret) in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        for alg in ["HS256", "ES256", "RS256"] {
            let message = unsigned(&json!({"typ": "at+jwt", "alg": alg, "kid": kid}), &claims_of(&held.access));
            let message = message.trim_end_matches('.');
            let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
            held.refused(&format!("{message}.{tag}")).await;
        }
    }
}

async fn c_003_algorithm_from_the_header(server: Shared) {
    let held = Held::new(server).await;
    let (key, claims) = (EsKey::stolen(server), claims_of(&held.access));
    let header = |alg: &str, kid: &Value| json!({"typ": "at+jwt", "alg": alg, "kid": kid});
    let own = Value::from(key.kid.clone());
    assert!(held.is_active(&key.sign_with(&header("ES256", &own), &claims)).await, "what the key signs as it should");
    for alg in ["ES384", "ES512", "ES256K", "RS256", "PS256", "EdDSA", "HS256", "es256", "ES256 "] {
        held.refused(&key.sign_with(&header(alg, &own), &claims)).await;
    }
    for jwk in jwks(server).await.iter().filter(|jwk| jwk["kid"] != own) {
        held.refused(&key.sign_with(&header("ES256", &jwk["kid"]), &claims)).await;
        held.refused(&key.sign_with(&header(jwk["alg"].as_str().expect("alg"), &jwk["kid"]), &claims)).await;
    }
}

/// Nothing symmetric is offered, neither for ID tokens nor for clients.
async fn c_004_no_symmetric_algorithm(server: Shared) {
    for (name, value) in metadata(server).await.as_object().expect("an object") {
        if name.ends_with("alg_values_supported") {
            let text = value.to_string();
            assert!(!text.contains("HS") && !text.to_lowercase().contains("none"), "{name}: {text}");
        }
    }
    for alg in ["HS256", "none"] {
        let failure = Spec::confidential().flags(&["--id-token-alg", alg]).try_create(server).expect_err(alg);
        assert!(failure.output.contains(alg), "names what is wrong: {failure:?}");
    }
    assert!(Spec::confidential().flags(&["--id-token-alg", "ES256"]).try_create(server).is_ok(), "the flag exists");
}

async fn c_005_keys_from_the_header(server: Shared) {
    let held = Held::new(server).await;
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("nonblocking");
    let url = format!("http://{}/keys", canary.local_addr().expect("its address"));
    let (evil, stolen, claims) = (EsKey::new(), EsKey::stolen(server), claims_of(&held.access));
    for (name, value) in [
        ("jwk", evil.jwk()),
        ("jku", Value::from(url.clone())),
        ("x5u", Value::from(url)),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
    ] {
        let header = |kid: &str| {
            let mut header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
            header[name] = value.clone();
            header
        };
        held.refused(&evil.sign_with(&header(&evil.kid), &claims)).await;
        held.refused(&evil.sign_with(&header(&stolen.kid), &claims)).await;
        held.refused(&stolen.sign_with(&header(&stolen.kid), &claims)).await;
    }
    for kid in ["../../dev/null", "/dev/null", "' OR '1'='1", "x' UNION SELECT 'a", "", "\u{0}", &"k".repeat(9_000)] {
        held.refused(&evil.sign_with(&json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}), &claims)).await;
    }
    for kid in [json!(null), json!(1), json!(["a"]), json!({})] {
        held.refused(&evil.sign_with(&json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}), &claims)).await;
    }
    let huge = evil.sign_with(&json!({"typ": "at+jwt", "alg": "ES256", "kid": "k".repeat(1_000_000)}), &claims);
    assert_j(&held.client.introspect(&huge).await, 413, "payload_too_large");
    assert!(canary.accept().is_err(), "NONET: the server fetched a key");
}

/// The choice: a token of ours always names its key, so one that does not is none.
async fn c_006_no_kid(server: Shared) {
    let held = Held::new(server).await;
    let (key, claims) = (EsKey::stolen(server), claims_of(&held.access));
    held.refused(&key.sign_with(&json!({"typ": "at+jwt", "alg": "ES256"}), &claims)).await;
}

async fn c_007_critical_extensions(server: Shared) {
    let held = Held::new(server).await;
    let (key, claims) = (EsKey::stolen(server), claims_of(&held.access));
    for (name, value) in [
        ("crit", json!(["b64"])),
        ("crit", json!(["foo"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        let mut header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid});
        header[name] = value;
        held.refused(&key.sign_with(&header, &claims)).await;
    }
}

async fn c_008_one_kind_for_another(server: Shared) {
    let held = Held::new(server).await;
    held.refused(&held.id).await;
    let key = EsKey::stolen(server);
    for typ in ["JWT", "jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "AT+JWT", "application/at+jwt", ""] {
        held.refused(&key.sign_with(&json!({"typ": typ, "alg": "ES256", "kid": key.kid}), &claims_of(&held.access)))
            .await;
    }
    held.refused(&key.sign(&claims_of(&held.access))).await;
    // An access token is no hint, no refresh token and no code; an ID token is a hint, and nothing else.
    let hinted = |hint: &str| held.client.request().set("id_token_hint", hint);
    let request = hinted(&held.access);
    assert_red(&held.browser.authorize(&request).await, &request, "invalid_request");
    assert_goes_on(&held.browser.authorize(&hinted(&held.id)).await);
    for token in [&held.access, &held.id] {
        assert_ig(&held.client.refresh(token).await);
        assert_ig(&held.client.redeem(&held.client.request(), token).await);
    }
    assert_j(&held.client.userinfo(&held.refresh).await, 401, "invalid_token");
}

async fn c_009_claims_of_the_wrong_type(server: Shared) {
    let held = Held::new(server).await;
    let (key, good) = (EsKey::stolen(server), claims_of(&held.access));
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid});
    assert!(held.is_active(&key.sign_with(&header, &good)).await, "good claims are taken");
    let far = now() + 600;
    for (name, value) in [
        ("exp", json!(far.to_string())),
        ("exp", json!([far])),
        ("exp", json!({"exp": far})),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!(true)),
        ("exp", json!(far as f64 + 0.5)),
        ("nbf", json!("0")),
        ("nbf", json!([0])),
        ("aud", json!({})),
        ("aud", json!([])),
        ("aud", json!([1])),
        ("aud", json!(null)),
        ("iss", json!([server.issuer])),
        ("iss", json!(null)),
        ("scope", json!(["openid"])),
        ("jti", json!(["a"])),
        ("jti", json!("no-uuid")),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        held.refused(&key.sign_with(&header, &claims)).await;
    }
    let (header, text) = (header.to_string(), good.to_string());
    for name in ["exp", "iss", "aud", "jti"] {
        let mut claims = good.clone();
        claims.as_object_mut().expect("an object").remove(name);
        held.refused(&key.sign_text(&header, &claims.to_string())).await;
        let twice = text.replacen('{', &format!("{{\"{name}\":{},", good[name]), 1);
        held.refused(&key.sign_text(&header, &twice)).await;
    }
    held.refused(&key.sign_text(&header, &text.replace(&format!("\"exp\":{}", good["exp"]), "\"exp\":1e400"))).await;
    held.refused(&key.sign_text(&header.replacen('{', "{\"alg\":\"ES256\",", 1), &text)).await;
    for rubbish in ["", "null", "[]", "{", "\"text\"", "{}"] {
        held.refused(&key.sign_text(&header, rubbish)).await;
    }
}

async fn c_010_not_yet_valid(server: Shared) {
    let held = Held::new(server).await;
    let key = EsKey::stolen(server);
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid});
    let mut claims = claims_of(&held.access);
    claims["nbf"] = json!(now() - 5);
    assert!(held.is_active(&key.sign_with(&header, &claims)).await, "valid since a while");
    claims["nbf"] = json!(now() + 600);
    held.refused(&key.sign_with(&header, &claims)).await;
}

/// The choice: we wrote the time ourselves and read it by the same clock, so nothing is forgiven, on any path.
async fn c_011_expiry_without_skew(server: Shared) {
    let held = Held::new(server).await;
    let key = EsKey::stolen(server);
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid});
    let mut claims = claims_of(&held.access);
    for seconds in [-61, -59, -1, 0] {
        claims["exp"] = json!(now() + seconds);
        held.refused(&key.sign_with(&header, &claims)).await;
    }
    claims["exp"] = json!(now() + 30);
    assert!(held.is_active(&key.sign_with(&header, &claims)).await, "not expired");
}

async fn c_012_tokens_that_cost(server: Shared) {
    let held = Held::new(server).await;
    let deep = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = claims_of(&held.access).to_string();
    let jwe = r#"{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483648,"p2s":"AAAA"}"#;
    let begin = Instant::now();
    for token in [
        ".".repeat(10_000),
        format!("{}.{}.AA", part(&deep("[", "]", 2_500)), part(&claims)),
        format!("{}.{}.AA", part(&deep(r#"{"a":"#, "}", 1_000)), part(&claims)),
        format!("{}.{}.AA", header_part(&held.access), part(&deep("[", "]", 2_500))),
        format!("{}.AAAA.AAAA.AAAA.AAAA", part(jwe)),
        format!("{}.AAAA.AAAA.AAAA.AAAA", part(r#"{"alg":"dir","enc":"A128GCM","zip":"DEF"}"#)),
    ] {
        held.refused(&token).await;
    }
    for token in [".".repeat(1_000_000), format!("{}.{}.AA", "A".repeat(10_000_000), part(&claims))] {
        assert_j(&held.client.introspect(&token).await, 413, "payload_too_large");
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "took {:?}", begin.elapsed());
}

fn header_part(token: &str) -> &str {
    token.split('.').next().expect("a header")
}

/// Another spelling of a token is refused, or is that very token, so that revocation hits it.
async fn c_013_another_spelling_of_the_signature(server: Shared) {
    let held = Held::new(server).await;
    let (message, signature) = held.access.rsplit_once('.').expect("three parts");
    let raw = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let twin = format!("{message}.{}", URL_SAFE_NO_PAD.encode([&raw[..32], &negated(&raw[32..])].concat()));
    let last = signature.chars().last().expect("a character");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).expect("base64url") + 1).expect("canonical, so not the last");
    for other in [
        format!("{message}.{}", URL_SAFE.encode(&raw)),
        format!("{message}.{}", STANDARD.encode(&raw)),
        format!("{message}.{}{next}", &signature[..signature.len() - 1]),
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(der(&raw))),
        format!("{message}.{} ", signature),
        format!("{message}. {}", signature),
        format!("{message}.{}", &signature[..signature.len() - 2]),
        format!("{message}.{signature}AA"),
    ] {
        let told = held.client.introspect(&other).await;
        assert_eq!(told.json(), json!({"active": false}), "{other}: {told:?}");
    }
    let told = held.client.introspect(&twin).await.json();
    assert!(told["active"] == false || told["jti"] == claims_of(&held.access)["jti"], "{told}");
    assert_eq!(held.client.revoke(&held.access).await.status, 200);
    held.refused(&held.access).await;
    held.refused(&twin).await;
}

/// n - s for the order n of P-256.
fn negated(s: &[u8]) -> Vec<u8> {
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let byte = |at: usize| i32::from(u8::from_str_radix(&order[at * 2..at * 2 + 2], 16).expect("hexadecimal"));
    let (mut out, mut borrow) = (vec![0; 32], 0);
    for at in (0..32).rev() {
        let difference = byte(at) - i32::from(s[at]) - borrow;
        borrow = i32::from(difference < 0);
        out[at] = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
    out
}

/// A raw ECDSA signature as ASN.1 writes it.
fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| [&[2, 33, 0][..], half].concat();
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [&[0x30, u8::try_from(body.len()).expect("short")][..], &body].concat()
}

async fn c_021_another_issuer(server: Shared) {
    let held = Held::new(server).await;
    let (key, good) = (EsKey::stolen(server), claims_of(&held.access));
    assert_eq!(good["iss"], server.issuer.as_str());
    let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid});
    for issuer in [
        format!("{}/", server.issuer),
        server.issuer.replace("http://", "https://"),
        server.issuer.replace("127.0.0.1", "localhost"),
        server.issuer.to_uppercase(),
        format!("{} ", server.issuer),
        "https://evil.example".to_owned(),
    ] {
        let mut claims = good.clone();
        claims["iss"] = Value::from(issuer);
        held.refused(&key.sign_with(&header, &claims)).await;
    }
}

both![
    c_001_alg_none,
    c_002_public_key_as_hmac_key,
    c_003_algorithm_from_the_header,
    c_004_no_symmetric_algorithm,
    c_005_keys_from_the_header,
    c_006_no_kid,
    c_007_critical_extensions,
    c_008_one_kind_for_another,
    c_009_claims_of_the_wrong_type,
    c_010_not_yet_valid,
    c_011_expiry_without_skew,
    c_012_tokens_that_cost,
    c_013_another_spelling_of_the_signature,
    c_021_another_issuer,
];
