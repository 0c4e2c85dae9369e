//! 2.1 Clients: how often they may fail, what they may do, and their secrets.

use std::time::Duration;

use aws_lc_rs::digest;
use reqwest::header::AUTHORIZATION;

use super::family::Family;
use crate::harness::*;

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// client_credentials as they come through a proxy from this address.
async fn token_from(server: &Server, address: &str, client: &Client, secret: &str) -> Answer {
    let request = http().post(server.url("/oauth2/token")).header(AUTHORIZATION, basic(&client.id, secret));
    Answer::of(request.header("X-Forwarded-For", address).form(&GRANT)).await
}

/// Counted for a client and an address together: whoever fails shuts out nobody but themselves.
async fn b_011_too_many_failures(db: Db) {
    let config = [
        ("limits.client_auth_failures", "3"),
        ("limits.client_auth_window_seconds", "3"),
        ("server.trusted_proxies", "127.0.0.0/8"),
    ];
    let server = Server::start(db, &config);
    let (client, other) = (Client::confidential(&server), Client::confidential(&server));
    let right = client.secret.clone().expect("a secret");
    let (here, elsewhere) = ("203.0.113.1", "203.0.113.2");
    for _ in 0..3 {
        assert_ic(&token_from(&server, here, &client, "wrong").await);
    }
    for secret in ["wrong", &right] {
        let answer = token_from(&server, here, &client, secret).await;
        assert_j(&answer, 429, "slow_down");
        let seconds = answer.header_or_empty("retry-after").parse::<u64>();
        assert!(seconds.is_ok_and(|seconds| (1..=60).contains(&seconds)), "Retry-After: {answer:?}");
    }
    assert_tokens(&token_from(&server, elsewhere, &client, &right).await);
    assert_tokens(&token_from(&server, here, &other, other.secret.as_deref().expect("a secret")).await);
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    assert_tokens(&token_from(&server, here, &client, &right).await);
}

async fn b_012_disabled_and_deleted_clients(server: Shared) {
    for verb in ["disable", "delete"] {
        let (client, user) = (Client::confidential(server), User::new(server));
        let family = Family::new(&client, &Browser::new(server), &user).await;
        // Used a moment ago, and so surely remembered.
        assert_tokens(&client.token(&GRANT).await);
        server.cli(&["client", verb, &client.id]);
        assert_ic(&client.token(&GRANT).await);
        assert_ic(&client.refresh(&family.refresh).await);
        assert_ic(&client.introspect(&family.access).await);
        assert_ic(&client.revoke(&family.access).await);
    }
}

async fn b_012_grants_that_are_not_the_clients(server: Shared) {
    let user = User::new(server);
    let service = Spec::confidential().grants(&["authorization_code", "client_credentials"]).create(server);
    let web = Spec::confidential().grants(&["authorization_code"]).create(server);
    let request = web.request();
    let code = Browser::new(server).grant(&user, &request).await.code();
    let tokens = web.redeem(&request, &code).await;
    assert_tokens(&tokens);
    assert!(tokens.json().get("refresh_token").is_none(), "{tokens:?}");
    assert_j(&web.token(&GRANT).await, 400, "unauthorized_client");
    assert_j(&web.refresh("lwrt_x").await, 400, "unauthorized_client");
    assert_j(&service.refresh("lwrt_x").await, 400, "unauthorized_client");
    assert_tokens(&service.token(&GRANT).await);
}

async fn b_012_client_credentials_by_a_public_client(server: Shared) {
    assert_ic(&Client::public(server).token(&GRANT).await);
    Spec::public().grants(&["authorization_code", "client_credentials"]).try_create(server).expect_err("no secret");
}

async fn b_013_rotated_secrets(server: Shared) {
    let client = Client::confidential(server);
    let rotate = |overlap: &str| {
        let answer = server.cli(&["client", "rotate-secret", &client.id, "--overlap", overlap]);
        Client { secret: answer["client_secret"].as_str().map(str::to_owned), ..client.clone() }
    };
    let second = rotate("4");
    assert_tokens(&client.token(&GRANT).await);
    assert_tokens(&second.token(&GRANT).await);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_ic(&client.token(&GRANT).await);
    assert_tokens(&second.token(&GRANT).await);
    let third = rotate("0");
    assert_ic(&client.token(&GRANT).await);
    assert_ic(&second.token(&GRANT).await);
    assert_tokens(&third.token(&GRANT).await);
}

/// 256 random bits need no slow hash: SHA-256, and nothing else of the secret is kept.
async fn b_014_secrets_at_rest(server: Shared) {
    let mut seen = std::collections::HashSet::new();
    for auth in [Auth::Basic, Auth::Post] {
        let client = Spec::confidential().auth(auth).create(server);
        let secret = client.secret.clone().expect("a secret");
        assert!(secret.len() >= 43, "256 bits in base64url: {secret:?}");
        assert!(seen.insert(secret[..8].to_owned()), "the same beginning twice");
        let rows = server.database.rows("clients", &format!("client_id = '{}'", client.id));
        assert!(!format!("{rows:?}").contains(&secret), "{rows:?}");
        let hash = digest::digest(&digest::SHA256, secret.as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let stored = rows[0]["secret_hash"].as_str().expect("a hash").to_lowercase();
        assert_eq!(stored.trim_start_matches("\\x"), hash);
        let shown = server.cli(&["client", "show", &client.id]).to_string();
        assert!(!shown.contains(&secret) && !shown.contains(&hash), "{shown}");
    }
}

both![
    b_011_too_many_failures,
    b_012_disabled_and_deleted_clients,
    b_012_grants_that_are_not_the_clients,
    b_012_client_credentials_by_a_public_client,
    b_013_rotated_secrets,
    b_014_secrets_at_rest,
];
