//! 2.5 What is not offered is refused; what a client gets for itself; how every answer looks.

use serde_json::json;

use super::family::{Family, api_uri, assert_active, assert_inactive};
use super::metadata;
use crate::harness::*;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Never in silence the client's own identity.
async fn b_090_to_092_no_token_exchange(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let family = Family::new(&client, &Browser::new(server), &user).await;
    let forms: [&[(&str, &str)]; 7] = [
        &[],
        &[("subject_token", "")],
        &[("subject_token", &family.access)],
        &[("subject_token", &family.access), ("subject_token_type", ACCESS_TOKEN)],
        &[("subject_token", &family.id_token), ("subject_token_type", ACCESS_TOKEN)],
        &[("subject_token", &family.refresh), ("subject_token_type", "urn:x"), ("scope", "openid profile email")],
        &[("subject_token", &family.access), ("subject_token_type", ACCESS_TOKEN), ("audience", "https://x.example")],
    ];
    for form in forms {
        let answer = client.token(&[&[("grant_type", EXCHANGE)], form].concat()).await;
        assert_j(&answer, 400, "unsupported_grant_type");
    }
    let offered = metadata(server).await["grant_types_supported"].clone();
    assert_eq!(offered, json!(["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT]));
    // The parameters of an exchange change nothing in another grant.
    let form = [("grant_type", "client_credentials"), ("subject_token", &*family.access)];
    let own = client.token(&form).await;
    assert_eq!(claims_of(&own.text("access_token"))["sub"], json!(client.id));
}

async fn b_093_a_client_for_itself(server: Shared) {
    let client = Spec::confidential().scope("openid profile email reports").create(server);
    let answer = client.token(&[("grant_type", "client_credentials")]).await;
    assert_tokens(&answer);
    assert_eq!(answer.text("scope"), "reports", "nothing that is about a person");
    assert!(answer.json().get("id_token").is_none(), "{answer:?}");
    let access = answer.text("access_token");
    let claims = claims_of(&access);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(client.id), &json!(client.id)), "{claims}");
    for name in ["name", "email", "preferred_username", "auth_time", "acr", "amr", "nonce", "sid"] {
        assert!(claims.get(name).is_none(), "{claims}");
    }
    assert_eq!(client.userinfo(&access).await.status, 403);
    let state = client.introspect(&access).await.json();
    assert_eq!((&state["active"], &state["sub"]), (&json!(true), &json!(client.id)), "{state}");
    assert!(state.get("username").is_none(), "{state}");
    for scope in ["openid", "openid reports", "profile", "email", "offline_access"] {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        assert_j(&client.token(&form).await, 400, "invalid_scope");
    }
    // No client is ever taken for a person, nor the other way round.
    let user = User::new(server);
    let flags = ["--id", &*user.id];
    Spec::confidential().flags(&flags).try_create(server).expect_err("the id of a person");
    assert_ne!(user.id.parse::<uuid::Uuid>().ok(), None, "people have UUIDs");
    assert_eq!(client.id.parse::<uuid::Uuid>().ok(), None, "clients have none");
}

async fn b_094_scopes_outside_the_list(server: Shared) {
    let client = Spec::confidential().scope("reports stock").create(server);
    for scope in
        ["admin", "reports admin", "Reports", "reports\u{a0}stock", "rep\"orts", "\\", "*", "report", "reportsx"]
    {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        assert_j(&client.token(&form).await, 400, "invalid_scope");
    }
    let many: Vec<String> = (0..1_000).map(|n| format!("s{n}")).collect();
    let form = [("grant_type", "client_credentials"), ("scope", &*many.join(" "))];
    assert_j(&client.token(&form).await, 400, "invalid_scope");
    for scope in ["stock", "reports stock", "stock reports", "stock stock"] {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        let answer = client.token(&form).await;
        let given = answer.text("scope");
        assert!(given.split(' ').all(|one| scope.split(' ').any(|asked| asked == one)), "{answer:?}");
        assert_eq!(claims_of(&answer.text("access_token"))["scope"], json!(given));
    }
    let target = [("grant_type", "client_credentials"), ("resource", "https://unknown.example")];
    assert_j(&client.token(&target).await, 400, "invalid_target");
}

async fn b_095_every_answer(server: Shared) {
    let (client, user) = (Client::confidential(server), User::new(server));
    let request = client.request();
    let code = Browser::new(server).grant(&user, &request).await.code();
    let redeemed = client.redeem(&request, &code).await;
    let refreshed = client.refresh(&redeemed.text("refresh_token")).await;
    let own = client.token(&[("grant_type", "client_credentials")]).await;
    for answer in [redeemed, refreshed, own] {
        assert_tokens(&answer);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{answer:?}");
        assert!(answer.header_or_empty("content-type").starts_with("application/json"), "{answer:?}");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
        assert_eq!(answer.text("token_type"), "Bearer");
        assert_eq!(answer.json()["expires_in"], json!(900), "{answer:?}");
        let claims = claims_of(&answer.text("access_token"));
        assert_eq!(claims["exp"].as_i64().expect("exp") - claims["iat"].as_i64().expect("iat"), 900, "{claims}");
        // Always told, whether or not it differs from what was asked for.
        assert_eq!(answer.text("scope"), claims["scope"].as_str().unwrap_or_default(), "{answer:?}");
    }
    let refused = client.token(&[("grant_type", "client_credentials"), ("scope", "unknown")]).await;
    assert_j(&refused, 400, "invalid_scope");
    assert_eq!(refused.header("pragma"), Some("no-cache"), "{refused:?}");
}

/// No node remembers what another has ended: not even for a moment.
async fn b_096_no_cache_outlives_a_revocation(db: Db) {
    let server = Server::start(db, &[]);
    let audience = api_uri();
    let client = Spec::confidential().audience(&audience).create(&server);
    let api = Spec::api(&audience).create(&server);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    // SQLite has one node; the command line is another process on the same file.
    let node = (db == Db::Postgres).then(|| server.another_node());
    let there = node.as_ref().map_or_else(|| api.clone(), |node| api.at(node));
    for way in ["access", "refresh", "user", "client"] {
        let family = Family::new(&client, &browser, &user).await;
        for _ in 0..3 {
            assert_active(&there.introspect(&family.access).await);
            assert_eq!(there.userinfo(&family.access).await.status, 200);
        }
        match way {
            "access" => assert_eq!(client.revoke(&family.access).await.status, 200),
            "refresh" => assert_eq!(client.revoke(&family.refresh).await.status, 200),
            "user" => drop(server.cli(&["user", "disable", &user.username])),
            _ => drop(server.cli(&["client", "disable", &client.id])),
        }
        assert_inactive(&there.introspect(&family.access).await);
        assert_revoked(&api, &family.access).await;
        if way == "user" {
            server.cli(&["user", "enable", &user.username]);
        }
    }
}

both![
    b_090_to_092_no_token_exchange,
    b_093_a_client_for_itself,
    b_094_scopes_outside_the_list,
    b_095_every_answer,
    b_096_no_cache_outlives_a_revocation,
];
