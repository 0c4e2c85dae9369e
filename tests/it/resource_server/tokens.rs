//! `docs/security/catalogue.md` §3, as far as it concerns who verifies: what is no token of the issuer's for this API.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use latchway_resource_server::{Algorithm, Confirmation, Presented, Refusal, ResourceServer};
use serde_json::{Value, json};

use super::issuer::{Issuer, JWKS, Says};
use super::{assert_invalid, refusal, tests};
use crate::harness::*;

fn ready() -> (Issuer, ResourceServer) {
    let issuer = Issuer::new();
    let server = issuer.api().build().expect("a server");
    (issuer, server)
}

async fn a_good_token() {
    let (issuer, server) = ready();
    let claims = server.verify(&issuer.token()).await.expect("a good token");
    assert_eq!((claims.sub.as_str(), claims.client_id.as_str()), ("anna", "app"));
    assert_eq!((claims.person(), claims.presented), (Some("anna"), Presented::Bearer));
    assert!(claims.has_scope("orders:read") && claims.has_role("user") && !claims.has_role("admin"));
    assert!(claims.exp.is_some_and(|exp| exp > now()) && claims.auth_time.is_some() && claims.jti.is_some());
}

async fn c_001_alg_none() {
    let (issuer, server) = ready();
    let (claims, kid) = (issuer.claims(), &issuer.key.kid);
    for alg in ["none", "None", "nOnE", "NONE", "", "ES256"] {
        assert_invalid(&server, &unsigned(&json!({"typ": "at+jwt", "alg": alg, "kid": kid}), &claims)).await;
        assert_invalid(&server, &unsigned(&json!({"typ": "at+jwt", "alg": alg}), &claims)).await;
    }
    let token = issuer.token();
    let (message, _) = token.rsplit_once('.').expect("three parts");
    for forged in [message.to_owned(), format!("{message}."), format!("{message}.AA")] {
        assert_invalid(&server, &forged).await;
    }
}

async fn c_002_public_key_as_hmac_key() {
    let (issuer, server) = ready();
    let jwk = issuer.key.jwk();
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap_or_default()).expect("base64url");
    let head =
        b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    let der = [&head[..], &member("x"), &member("y")].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    for secret in [jwk.to_string().into_bytes(), member("x"), der, pem.trim_end().into(), pem.into_bytes()] {
        for alg in ["HS256", "ES256", "RS256"] {
            let header = json!({"typ": "at+jwt", "alg": alg, "kid": issuer.key.kid});
            let message = unsigned(&header, &issuer.claims());
            let message = message.trim_end_matches('.');
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
            assert_invalid(&server, &format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))).await;
        }
    }
    // A symmetric key in the set is none.
    let oct = json!({"kty": "oct", "kid": "shared", "alg": "HS256", "k": "AAAA"});
    issuer.says(JWKS, Says::json(&json!({"keys": [issuer.key.jwk(), oct]})));
    let server = issuer.api().build().expect("a server");
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": "shared"});
    let message = unsigned(&header, &issuer.claims());
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[0, 0, 0]), message.trim_end_matches('.').as_bytes());
    assert_invalid(&server, &format!("{message}{}", URL_SAFE_NO_PAD.encode(tag))).await;
}

async fn c_003_algorithm_from_the_header() {
    let (issuer, server) = ready();
    for alg in ["ES384", "ES512", "ES256K", "RS256", "PS256", "EdDSA", "HS256", "es256", "ES256 "] {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": issuer.key.kid});
        assert_invalid(&server, &issuer.key.sign_with(&header, &issuer.claims())).await;
    }
    // The key verifies; the API does not want its algorithm.
    let server = issuer.api().algorithms(&[Algorithm::EdDsa, Algorithm::Rs256]).build().expect("a server");
    assert_invalid(&server, &issuer.token()).await;
}

async fn c_005_keys_from_the_header() {
    let (issuer, server) = ready();
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("nonblocking");
    let url = format!("http://{}/keys", canary.local_addr().expect("its address"));
    let evil = EsKey::new();
    for (name, value) in
        [("jwk", evil.jwk()), ("jku", Value::from(url.clone())), ("x5u", Value::from(url)), ("x5c", json!(["MIIB"]))]
    {
        for (key, kid) in [(&evil, &evil.kid), (&evil, &issuer.key.kid), (&issuer.key, &issuer.key.kid)] {
            let mut header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
            header[name] = value.clone();
            assert_invalid(&server, &key.sign_with(&header, &issuer.claims())).await;
        }
    }
    for kid in ["../../dev/null", "' OR '1'='1", "", "\u{0}", &"k".repeat(9_000)] {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid});
        assert_invalid(&server, &evil.sign_with(&header, &issuer.claims())).await;
    }
    let huge = json!({"typ": "at+jwt", "alg": "ES256", "kid": "k".repeat(1_000_000)});
    assert_invalid(&server, &evil.sign_with(&huge, &issuer.claims())).await;
    assert!(canary.accept().is_err(), "NONET: a key was fetched from elsewhere");
}

/// The choice: the issuer names the key of every token, so one that does not is none.
async fn c_006_no_kid() {
    let (issuer, server) = ready();
    assert_invalid(&server, &issuer.key.sign_with(&json!({"typ": "at+jwt", "alg": "ES256"}), &issuer.claims())).await;
}

async fn c_007_critical_extensions() {
    let (issuer, server) = ready();
    for (name, value) in [
        ("crit", json!(["b64"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        let mut header = issuer.header();
        header[name] = value;
        assert_invalid(&server, &issuer.key.sign_with(&header, &issuer.claims())).await;
    }
}

async fn c_008_other_kinds_of_token() {
    let (issuer, server) = ready();
    for typ in ["JWT", "jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "at+jwt+x", ""] {
        let mut header = issuer.header();
        header["typ"] = json!(typ);
        assert_invalid(&server, &issuer.key.sign_with(&header, &issuer.claims())).await;
    }
    assert_invalid(&server, &issuer.key.sign(&issuer.claims())).await;
    for typ in ["AT+JWT", "application/at+jwt"] {
        let mut header = issuer.header();
        header["typ"] = json!(typ);
        assert!(server.verify(&issuer.key.sign_with(&header, &issuer.claims())).await.is_ok(), "{typ}");
    }
}

async fn c_009_duplicate_members() {
    let (issuer, server) = ready();
    let (header, claims) = (issuer.header().to_string(), issuer.claims().to_string());
    assert!(server.verify(&issuer.key.sign_text(&header, &claims)).await.is_ok());
    let twice = |json: &str, member: &str| json.replacen('{', &format!("{{{member},"), 1);
    for member in [r#""sub":"eve""#, r#""\u0073ub":"eve""#, r#""x":1,"x":2"#, r#""exp":1"#] {
        assert_invalid(&server, &issuer.key.sign_text(&header, &twice(&claims, member))).await;
    }
    for member in [r#""alg":"none""#, r#""kid":"other""#, r#""typ":"JWT""#] {
        assert_invalid(&server, &issuer.key.sign_text(&twice(&header, member), &claims)).await;
    }
}

async fn c_010_c_011_times_and_their_leeway() {
    let (issuer, server) = ready();
    let at = |name: &str, seconds: i64| {
        let mut claims = issuer.claims();
        claims[name] = json!(now() + seconds);
        issuer.key.sign_with(&issuer.header(), &claims)
    };
    // 30 seconds by default, and the second in which this runs.
    for (name, seconds) in [("exp", -31), ("exp", -3600), ("nbf", 33), ("iat", 33)] {
        assert_invalid(&server, &at(name, seconds)).await;
    }
    for (name, seconds) in [("exp", -28), ("nbf", 29), ("iat", 29)] {
        assert!(server.verify(&at(name, seconds)).await.is_ok(), "{name} {seconds}");
    }
    let strict = issuer.api().leeway(Duration::ZERO).build().expect("a server");
    assert_invalid(&strict, &at("exp", -1)).await;
}

async fn c_012_bombs() {
    let (issuer, server) = ready();
    assert!(server.verify(&issuer.token()).await.is_ok(), "the keys are there");
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    let bombs = [
        ".".repeat(1_000_000),
        format!("{}.e30.AA", "A".repeat(10_000_000)),
        format!("{}.{}.AA", URL_SAFE_NO_PAD.encode(&deep), URL_SAFE_NO_PAD.encode(&deep)),
        issuer.key.sign_text(&issuer.header().to_string(), &deep),
        issuer.key.sign_text(&deep, &issuer.claims().to_string()),
        format!("{}.AA.AA.AA.AA", URL_SAFE_NO_PAD.encode(r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483648}"#)),
    ];
    for bomb in bombs {
        let begin = Instant::now();
        assert_invalid(&server, &bomb).await;
        assert!(begin.elapsed() < Duration::from_millis(500), "{:?} for {} bytes", begin.elapsed(), bomb.len());
    }
}

async fn c_013_malleability() {
    let (issuer, server) = ready();
    let token = issuer.token();
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let raw = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let last = signature.chars().last().expect("a character");
    let other_bits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let position = other_bits.find(last).expect("of the alphabet");
    let neighbour = other_bits.as_bytes()[position ^ 1] as char;
    let integer = |bytes: &[u8]| {
        let bytes: Vec<u8> = if bytes[0] >= 0x80 { [&[0], bytes].concat() } else { bytes.to_vec() };
        [&[2, u8::try_from(bytes.len()).expect("short")], &bytes[..]].concat()
    };
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).expect("short")], &body[..]].concat();
    for forged in [
        format!("{message}.{}", URL_SAFE.encode(&raw)),
        format!("{message}.{}", STANDARD.encode(&raw)),
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(der)),
        format!("{message}.{}{neighbour}", &signature[..signature.len() - 1]),
        format!("{message}.{signature}\n"),
        format!("{message}. {signature}"),
        format!(" {token}"),
        format!("{message}=.{signature}"),
    ] {
        assert_invalid(&server, &forged).await;
    }
}

async fn c_021_issuer_and_audience_exactly() {
    let (issuer, server) = ready();
    let url = &issuer.url;
    for (name, value) in [
        ("iss", json!(format!("{url}/"))),
        ("iss", json!(url.replace("http", "https"))),
        ("iss", json!(url.replace("127.0.0.1", "localhost"))),
        ("aud", json!(["https://other.example"])),
        ("aud", json!("https://api.example/")),
        ("aud", json!([])),
        ("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})),
    ] {
        let mut claims = issuer.claims();
        claims[name] = value;
        assert_invalid(&server, &issuer.key.sign_with(&issuer.header(), &claims)).await;
    }
}

async fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let (issuer, server) = ready();
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let digest: [u8; 32] = URL_SAFE_NO_PAD.decode(thumbprint).expect("base64url").try_into().expect("32 bytes");
    for (member, confirmation) in
        [("jkt", Confirmation::DpopKey(digest)), ("x5t#S256", Confirmation::Certificate(digest))]
    {
        let mut claims = issuer.claims();
        claims["cnf"] = json!({member: thumbprint});
        let token = issuer.key.sign_with(&issuer.header(), &claims);
        assert_invalid(&server, &token).await;
        let (claims, bound_to) = server.verify_bound(&token).await.expect("a bound token");
        assert_eq!((claims.sub.as_str(), bound_to), ("anna", confirmation));
    }
    let outcome = server.verify_bound(&issuer.token()).await.map(|(claims, _)| claims);
    assert!(matches!(refusal(outcome, "not bound"), Refusal::InvalidToken(_)));
}

/// An algorithm, a public key, and what signs.
type Signer = (&'static str, Value, Box<dyn Fn(&[u8]) -> Vec<u8>>);

fn signers() -> Vec<Signer> {
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let ed = Ed25519KeyPair::generate().expect("a key");
    let ed_jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": "EdDSA", "x": b64(ed.public_key().as_ref())});
    let mut all: Vec<Signer> = vec![("EdDSA", ed_jwk, Box::new(move |message| ed.sign(message).as_ref().to_vec()))];
    for (name, encoding) in [("RS256", &RSA_PKCS1_SHA256), ("PS256", &RSA_PSS_SHA256)] {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let public = rsa.public_key();
        let (n, e) =
            (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
        let jwk = json!({"kty": "RSA", "alg": name, "use": "sig", "kid": name, "n": b64(n), "e": b64(e)});
        all.push((
            name,
            jwk,
            Box::new(move |message| {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(encoding, &SystemRandom::new(), message, &mut signature).expect("a signature");
                signature
            }),
        ));
    }
    all
}

async fn every_algorithm_by_its_own_key_alone() {
    let issuer = Issuer::new();
    let signers = signers();
    let keys: Vec<&Value> = signers.iter().map(|(_, jwk, _)| jwk).collect();
    issuer.says(JWKS, Says::json(&json!({"keys": keys})));
    let server = issuer.api().build().expect("a server");
    for (kid, ..) in &signers {
        for (alg, _, sign) in &signers {
            let header = json!({"typ": "at+jwt", "alg": alg, "kid": kid});
            let message = unsigned(&header, &issuer.claims());
            let signature = sign(message.trim_end_matches('.').as_bytes());
            let token = format!("{message}{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(server.verify(&token).await.is_ok(), kid == alg, "signed by {alg}, said to be by {kid}");
        }
    }
}

tests![
    a_good_token,
    c_001_alg_none,
    c_002_public_key_as_hmac_key,
    c_003_algorithm_from_the_header,
    c_005_keys_from_the_header,
    c_006_no_kid,
    c_007_critical_extensions,
    c_008_other_kinds_of_token,
    c_009_duplicate_members,
    c_010_c_011_times_and_their_leeway,
    c_012_bombs,
    c_013_malleability,
    c_021_issuer_and_audience_exactly,
    a_token_that_is_bound_to_a_key_is_no_bearer_token,
    every_algorithm_by_its_own_key_alone,
];
