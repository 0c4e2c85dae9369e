//! 3 JWT and keys: what this server signs, and the keys that it shows.

use std::collections::HashSet;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::held::Held;
use super::metadata;
use crate::harness::*;

fn names(claims: &Value) -> HashSet<&str> {
    claims.as_object().expect("an object").keys().map(String::as_str).collect()
}

async fn c_014_id_token(server: Shared) {
    let client = Client::confidential(server);
    let request = client.request().set("max_age", "600");
    let held = Held::asked(server, client, &request).await;
    let (header, claims) = (header_of(&held.id), claims_of(&held.id));
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    assert_eq!(claims["iss"], server.issuer.as_str());
    assert!(claims["aud"] == held.client.id.as_str() || claims["aud"] == json!([held.client.id]), "{claims}");
    assert!(claims.get("azp").is_none_or(|azp| *azp == held.client.id.as_str()), "{claims}");
    assert_eq!(claims["nonce"], request.get("nonce").expect("a nonce"));
    let time = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("{name} in {claims}"));
    assert!((now() - 60..=now()).contains(&time("iat")), "{claims}");
    assert!(time("exp") > now() && time("exp") - time("iat") <= 3_600, "{claims}");
    assert!((now() - 60..=now()).contains(&time("auth_time")), "{claims}");
    let hash = digest::digest(&digest::SHA256, held.access.as_bytes());
    assert_eq!(claims["at_hash"], URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]));
    let subject = claims["sub"].as_str().expect("sub");
    assert!(subject.is_ascii() && (1..=255).contains(&subject.len()), "{subject}");
    // Stable: the same at the next login and in the access token.
    assert_eq!(claims_of(&held.access)["sub"], subject);
    let request = held.client.request();
    let code = Browser::new(server).grant(&held.user, &request).await.code();
    assert_eq!(claims_of(&held.client.redeem(&request, &code).await.text("id_token"))["sub"], subject);
}

async fn c_015_access_token(server: Shared) {
    let held = Held::by(server, Spec::confidential().audience("https://api.example").create(server)).await;
    let (header, claims) = (header_of(&held.access), claims_of(&held.access));
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(names(&header), HashSet::from(["typ", "alg", "kid"]), "{header}");
    assert_eq!(claims["iss"], server.issuer.as_str());
    assert_eq!(claims["client_id"], held.client.id.as_str());
    assert_eq!(claims["sub"], held.user.id.as_str());
    assert!(claims["aud"].as_array().is_some_and(|aud| aud.contains(&json!("https://api.example"))), "{claims}");
    assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 900);
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 16), "{claims}");
    // RFC 9068 §2.2 and no person's data, though the scope has profile and email.
    let known = ["iss", "sub", "aud", "client_id", "scope", "jti", "iat", "exp", "auth_time", "acr", "amr", "roles"];
    assert!(names(&claims).is_subset(&HashSet::from(known)), "{claims}");
    let text = claims.to_string();
    assert!(!text.contains(&held.user.email) && !text.contains(&held.user.username), "{text}");
}

/// P20: fails if an app or an API learns a person's role that nobody allowed it; the operator's own apps know it.
async fn p20_roles_are_told_where_they_were_allowed(server: Shared) {
    let api = super::family::api_uri();
    let asking = Spec::api(&api).create(server);
    let spec = || Spec::confidential().scope("openid profile offline_access roles").audience(&api);
    let client = spec().create(server);
    let request = client.request().set("scope", "openid profile offline_access");
    let without = Held::asked(server, client.clone(), &request).await;
    let renewed = client.refresh(&without.refresh).await.text("access_token");
    for token in [&without.access, &renewed] {
        assert!(claims_of(token).get("roles").is_none(), "{}", claims_of(token));
        for caller in [&client, &asking] {
            let told = caller.introspect(token).await.json();
            assert!(told["active"] == true && told.get("roles").is_none(), "{told}");
        }
    }
    assert!(client.userinfo(&without.access).await.json().get("roles").is_none());
    let page = Browser::of(server, &User::new(server)).await.open(&client.request().url()).await;
    assert!(page.words().contains("See your role"), "{page:?}");
    let with = Held::by(server, spec().create(server)).await;
    assert_eq!(claims_of(&with.access)["roles"], json!(["user"]));
    assert_eq!(asking.introspect(&with.access).await.json()["roles"], json!(["user"]));
    // A token that is narrower than what was allowed.
    let form = [("grant_type", "refresh_token"), ("refresh_token", with.refresh.as_str()), ("scope", "openid")];
    let narrow = with.client.token(&form).await.text("access_token");
    assert!(claims_of(&narrow).get("roles").is_none(), "{}", claims_of(&narrow));
    let own = FirstParty::native(server);
    let own_token = own.login(&with.user).await.text("access_token");
    assert_eq!(claims_of(&own_token)["roles"], json!(["user"]));
    let silent = Key::of_person(server, &with.user, "orders:read", &["--audience", &api]);
    let telling = Key::of_person(server, &with.user, "roles", &["--audience", &api]);
    assert!(asking.introspect(&silent.text).await.json().get("roles").is_none());
    assert_eq!(asking.introspect(&telling.text).await.json()["roles"], json!(["user"]));
}

/// RFC 9068 §2.2.3.1: what a person is stands in the token, and introspection says what they are now.
async fn c_015_roles(server: Shared) {
    let held = Held::by(server, Spec::confidential().scope("openid profile offline_access roles").create(server)).await;
    assert_eq!(claims_of(&held.access)["roles"], json!(["user"]));
    assert!(claims_of(&held.id).get("roles").is_none(), "an ID token has none");
    assert_eq!(held.client.introspect(&held.access).await.json()["roles"], json!(["user"]));
    server.database.execute(&format!("UPDATE users SET role = 'admin' WHERE username = '{}'", held.user.username));
    assert_eq!(held.client.introspect(&held.access).await.json()["roles"], json!(["admin"]), "of this moment");
    let renewed = held.client.refresh(&held.refresh).await.text("access_token");
    assert_eq!(claims_of(&renewed)["roles"], json!(["admin"]));
    // A machine is nobody.
    let answer = held.client.token(&[("grant_type", "client_credentials")]).await;
    let machine = answer.text("access_token");
    assert!(claims_of(&machine).get("roles").is_none(), "{}", claims_of(&machine));
    let told = held.client.introspect(&machine).await.json();
    assert!(told["active"] == true && told.get("roles").is_none(), "{told}");
}

/// There are no custom claims, and what a request says of claims changes none.
async fn c_016_reserved_claims(server: Shared) {
    assert_eq!(metadata(server).await["claims_parameter_supported"], false);
    let client = Client::confidential(server);
    let evil = r#"{"id_token":{"sub":{"value":"admin"},"acr":{"essential":false,"value":"gold"},"email":null}}"#;
    let request = client.request().set("claims", evil).add("sub", "admin").add("aud", "https://evil.example");
    let held = Held::asked(server, client, &request).await;
    for claims in [claims_of(&held.id), claims_of(&held.access)] {
        assert_eq!(claims["sub"], held.user.id.as_str(), "{claims}");
        let text = claims.to_string();
        assert!(!text.contains("gold") && !text.contains("evil") && !text.contains("email\""), "{text}");
    }
}

async fn c_017_jwks(server: Shared) {
    let answer = Browser::new(server).get("/.well-known/jwks.json").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cache = answer.header_or_empty("cache-control");
    assert!(cache.contains("public") && cache.contains("max-age="), "{answer:?}");
    let keys = answer.json()["keys"].as_array().expect("keys").clone();
    assert!(keys.len() >= 2, "{answer:?}");
    let mut kids = HashSet::new();
    for key in &keys {
        assert_eq!(key["use"], "sig", "{key}");
        let known: HashSet<&str> = match key["kty"].as_str() {
            Some("EC") => HashSet::from(["kty", "crv", "x", "y", "kid", "alg", "use"]),
            Some("OKP") => HashSet::from(["kty", "crv", "x", "kid", "alg", "use"]),
            Some("RSA") => HashSet::from(["kty", "n", "e", "kid", "alg", "use"]),
            _ => panic!("{key}"),
        };
        assert_eq!(names(key), known, "public parts and nothing else");
        assert!(kids.insert(key["kid"].as_str().expect("kid").to_owned()), "kids are unique: {answer:?}");
        if let Some(n) = key["n"].as_str() {
            assert!(URL_SAFE_NO_PAD.decode(n).expect("base64url").len() >= 256, "RSA of 2048 bits: {key}");
        }
    }
    let algorithms: HashSet<&str> = keys.iter().filter_map(|key| key["alg"].as_str()).collect();
    assert!(algorithms.is_superset(&HashSet::from(["ES256", "RS256"])), "{algorithms:?}");
}

/// What is signed by default is signed in constant time: ES256, by aws-lc, and the crate `rsa` is not in the binary.
async fn c_020_no_rsa_crate(server: Shared) {
    let held = Held::new(server).await;
    assert_eq!(header_of(&held.access)["alg"], "ES256");
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).expect("Cargo.lock");
    let ours = lock.split("[[package]]").find(|package| package.contains("name = \"latchway\"")).expect("latchway");
    assert!(ours.contains("aws-lc-rs") && !ours.contains("\"rsa\""), "{ours}");
}

both![
    p20_roles_are_told_where_they_were_allowed,
    c_014_id_token,
    c_015_access_token,
    c_015_roles,
    c_016_reserved_claims,
    c_017_jwks,
    c_020_no_rsa_crate
];
