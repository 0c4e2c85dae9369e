//! 2.3 What a refresh token is good for: its client, its scope, its APIs, its time.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use super::family::{Family, api_uri, assert_active, assert_inactive, issued};
use super::metadata;
use crate::harness::*;

async fn family(server: &Server, client: &Client) -> Family {
    let user = User::new(server);
    Family::new(client, &Browser::new(server), &user).await
}

async fn refresh_with(client: &Client, refresh_token: &str, more: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    client.token(&[&form[..], more].concat()).await
}

fn scopes(text: &str) -> Vec<&str> {
    let mut scopes: Vec<&str> = text.split(' ').collect();
    scopes.sort_unstable();
    scopes
}

async fn b_054_other_clients(server: Shared) {
    let confidential = Client::confidential(server);
    let public = Client::public(server);
    for (owner, thieves) in [
        (&confidential, [Client::confidential(server), Client::public(server)]),
        (&public, [Client::public(server), Client::confidential(server)]),
    ] {
        let one = family(server, owner).await;
        for thief in thieves {
            assert_ig(&thief.refresh(&one.refresh).await);
            // Nor does the thief get it with the owner's name beside its own credentials.
            let answer = refresh_with(&thief, &one.refresh, &[("client_id", &*owner.id)]).await;
            assert_j(&answer, 400, "invalid_request");
        }
        assert_tokens(&owner.refresh(&one.refresh).await);
    }
    let one = family(server, &confidential).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*one.refresh), ("client_id", &*confidential.id)];
    assert_ic(&Answer::of(http().post(server.url("/oauth2/token")).form(&form)).await);
    assert_ic(&Answer::of(http().post(server.url("/oauth2/token")).form(&form[..2])).await);
    assert_tokens(&confidential.refresh(&one.refresh).await);
}

async fn b_055_scopes_narrow_and_never_widen(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::new(server);
    let granted = "openid profile offline_access";
    let request = client.request().set("scope", granted);
    let one = Family::of(&client, &browser, &user, &request).await;
    for wider in ["openid profile offline_access email", "email", "unknown", "openid unknown", "open\"id", "\u{e9}"] {
        assert_j(&refresh_with(&client, &one.refresh, &[("scope", wider)]).await, 400, "invalid_scope");
    }
    let narrow = refresh_with(&client, &one.refresh, &[("scope", "openid")]).await;
    let two = Family::read(&narrow);
    assert_eq!(narrow.text("scope"), "openid");
    assert_eq!(claims_of(&two.access)["scope"], "openid");
    assert_eq!(client.introspect(&two.access).await.json()["scope"], "openid");
    assert!(client.userinfo(&two.access).await.json().get("name").is_none(), "no profile");
    // The refresh token keeps what was granted.
    let full = refresh_with(&client, &two.refresh, &[]).await;
    assert_eq!(scopes(&full.text("scope")), scopes(granted), "{full:?}");
    let narrow = refresh_with(&client, &full.text("refresh_token"), &[("scope", "profile")]).await;
    assert!(narrow.json().get("id_token").is_none(), "no ID token without openid: {narrow:?}");
    let full = refresh_with(&client, &narrow.text("refresh_token"), &[("scope", granted)]).await;
    assert_eq!(scopes(&full.text("scope")), scopes(granted), "{full:?}");
    assert_j(&refresh_with(&client, &full.text("refresh_token"), &[("scope", "email")]).await, 400, "invalid_scope");
}

async fn b_056_resources(server: Shared) {
    let (granted, other) = (api_uri(), api_uri());
    let client = Spec::confidential().audience(&granted).audience(&other).create(server);
    let api = Spec::api(&granted).create(server);
    let user = User::new(server);
    let request = client.request().set("resource", &granted);
    let one = Family::of(&client, &Browser::new(server), &user, &request).await;
    for resource in [&*other, "https://unknown.example", "not a uri", &format!("{granted}/")] {
        let answer = refresh_with(&client, &one.refresh, &[("resource", resource)]).await;
        assert_j(&answer, 400, "invalid_target");
        let answer = refresh_with(&client, &one.refresh, &[("resource", &granted), ("resource", resource)]).await;
        assert_j(&answer, 400, "invalid_target");
    }
    let two = Family::read(&refresh_with(&client, &one.refresh, &[("resource", &granted)]).await);
    assert_eq!(claims_of(&two.access)["aud"], json!([granted, server.issuer]));
    assert_active(&api.introspect(&two.access).await);

    // The client may not use that API any more.
    server.cli(&["client", "update", &client.id, "--audience", &other]);
    let before = issued(server, &client);
    for more in [&[("resource", &*granted)][..], &[]] {
        assert_j(&refresh_with(&client, &two.refresh, more).await, 400, "invalid_target");
    }
    assert_eq!(issued(server, &client), before);
    assert_inactive(&api.introspect(&two.access).await);
}

/// Idle for 4 seconds, or 8 in all.
async fn b_058_lifetimes(db: Db) {
    let config = [("tokens.refresh_idle_seconds", "4"), ("tokens.refresh_absolute_seconds", "8")];
    let server = Server::start(db, &config);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let idle = Family::new(&client, &browser, &user).await;
    let mut used = Family::new(&client, &browser, &user).await;
    let claims = claims_of(&used.access);
    let life = claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat");
    assert!(life <= 8, "an access token does not outlive its family: {claims}");
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(2_600)).await;
        used = Family::read(&client.refresh(&used.refresh).await);
    }
    assert_inactive(&client.introspect(&idle.refresh).await);
    assert_ig(&client.refresh(&idle.refresh).await);
    assert_active(&client.introspect(&used.refresh).await);
    tokio::time::sleep(Duration::from_millis(3_600)).await;
    assert_inactive(&client.introspect(&used.refresh).await);
    assert_ig(&client.refresh(&used.refresh).await);
    assert_revoked(&client, &used.access).await;
}

/// Neither DPoP nor mTLS: a proof that nobody would look at is refused, not ignored.
async fn b_059_no_bound_tokens(server: Shared) {
    let client = Client::confidential(server);
    let one = family(server, &client).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*one.refresh)];
    let header = basic(&client.id, client.secret.as_deref().expect("a secret"));
    let request = http().post(server.url("/oauth2/token")).header("Authorization", header).header("DPoP", "e30.e30.x");
    assert_j(&Answer::of(request.form(&form)).await, 400, "invalid_dpop_proof");
    let metadata = metadata(server).await;
    for name in ["dpop_signing_alg_values_supported", "tls_client_certificate_bound_access_tokens"] {
        assert!(metadata.get(name).is_none(), "{metadata}");
    }
    let two = client.refresh(&one.refresh).await;
    assert_eq!(two.text("token_type"), "Bearer");
    assert!(claims_of(&two.text("access_token")).get("cnf").is_none());
}

async fn b_062_id_token_of_a_refresh(server: Shared) {
    let client = Client::confidential(server);
    let one = family(server, &client).await;
    let before = claims_of(&one.id_token);
    assert!(before["nonce"].is_string(), "{before}");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let two = Family::read(&client.refresh(&one.refresh).await);
    let after = claims_of(&two.id_token);
    for name in ["iss", "sub", "aud", "auth_time", "acr", "amr", "sid"] {
        assert!(!before[name].is_null(), "{name} in {before}");
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(after.get("nonce").is_none(), "{after}");
    assert!(after["iat"].as_i64() > before["iat"].as_i64(), "{before} {after}");
    assert_ne!(before["at_hash"], after["at_hash"]);
}

async fn b_063_mangled_tokens(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let browser = Browser::of(server, &user).await;
    let code = browser.grant(&user, &client.request()).await.code();
    let one = Family::new(&client, &browser, &user).await;
    let good = &*one.refresh;
    let last = good.chars().last().expect("a character");
    let (prefix, body) = good.split_once('_').expect("a prefix");
    let flipped: String =
        body.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    let mut mangled: Vec<String> = (1..good.len()).step_by(4).map(|length| good[..length].to_owned()).collect();
    mangled.push(good[..good.len() - 1].to_owned());
    mangled.push(good[1..].to_owned());
    mangled.push(body.to_owned());
    mangled.push(format!("{prefix}_{flipped}"));
    mangled.push(format!("{}_{body}", prefix.to_uppercase()));
    mangled.push(format!("{prefix}_{good}"));
    for end in ["A", "=", "==", ".", " ", "%3D", "/../"] {
        mangled.push(format!("{good}{end}"));
        mangled.push(format!("{end}{good}"));
    }
    mangled.push(format!("{}{}", &good[..good.len() - 1], if last == 'A' { 'B' } else { 'A' }));
    mangled.extend([one.access.clone(), one.id_token.clone(), code.clone(), format!("{prefix}_{code}")]);
    mangled.push("' OR '1'='1".to_owned());
    mangled.push("x".repeat(4_000));
    for token in mangled {
        let answer = client.refresh(&token).await;
        assert_eq!(answer.status, 400, "{token} of {good}: {answer:?}");
        assert_ig(&answer);
    }
    assert_j(&client.refresh("").await, 400, "invalid_request");
    let form = [("grant_type", "refresh_token")];
    let in_header = http().post(server.url("/oauth2/token")).header("Authorization", format!("Bearer {good}"));
    // Another scheme than the one that is taken there, which the challenge names.
    assert_ic(&Answer::of(in_header.form(&form)).await);
    assert_eq!(client.userinfo(good).await.status, 401);
    assert_tokens(&client.refresh(good).await);
}

async fn b_064_no_refresh_token_without_a_person(server: Shared) {
    let answer = Client::confidential(server).token(&[("grant_type", "client_credentials")]).await;
    assert_tokens(&answer);
    for name in ["refresh_token", "id_token"] {
        assert!(answer.json().get(name).is_none(), "{answer:?}");
    }
}

/// Of what the table holds nothing can be used.
async fn b_065_stolen_rows(server: Shared) {
    let client = Client::confidential(server);
    let one = family(server, &client).await;
    let two = Family::read(&client.refresh(&one.refresh).await);
    let of_client = format!("grant_id IN (SELECT id FROM grants WHERE client_id = '{}')", client.id);
    let rows = server.database.rows("refresh_tokens", &of_client);
    assert_eq!(rows.len(), 2, "{rows:?}");
    let text = format!("{rows:?}").to_lowercase();
    for token in [&one.refresh, &two.refresh] {
        let body = token.split_once('_').expect("a prefix").1;
        let bytes = URL_SAFE_NO_PAD.decode(body).expect("base64url");
        let secret: String = bytes[16..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains(&body.to_lowercase()) && !text.contains(&secret), "{text}");
    }
    for row in &rows {
        let column = |name: &str| {
            let text = row[name].as_str().unwrap_or_default().trim_start_matches("\\x").to_lowercase();
            let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
            (0..text.len()).step_by(2).map(byte).collect::<Vec<u8>>()
        };
        let (id, hash, successor) = (column("id"), column("secret_hash"), column("successor"));
        assert_eq!((id.len(), hash.len()), (16, 32), "{row}");
        for bytes in [[&id[..], &hash].concat(), hash, successor] {
            assert_ig(&client.refresh(&format!("lwrt_{}", URL_SAFE_NO_PAD.encode(bytes))).await);
        }
    }
    assert_tokens(&client.refresh(&two.refresh).await);
}

both![
    b_054_other_clients,
    b_055_scopes_narrow_and_never_widen,
    b_056_resources,
    b_058_lifetimes,
    b_059_no_bound_tokens,
    b_062_id_token_of_a_refresh,
    b_063_mangled_tokens,
    b_064_no_refresh_token_without_a_person,
    b_065_stolen_rows,
];
