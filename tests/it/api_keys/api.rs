//! `/api/v1/api-keys`: a person by an app, or a client for itself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

const KEYS: &str = "/api/v1/api-keys";

async fn call(server: &Server, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
    let request = http().request(method, server.url(path)).bearer_auth(token);
    let request = match body {
        Some(body) => request.header("Content-Type", "application/json").body(body.to_string()),
        None => request,
    };
    Answer::of(request).await
}

/// A client's own access token.
async fn machine(server: &Server, scope: &str) -> (Client, String) {
    let client = Spec::confidential().grants(&["client_credentials"]).scope(scope).create(server);
    let token = client.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await;
    let token = token.text("access_token");
    (client, token)
}

/// An app's access token for a person.
async fn person(server: &Server, user: &User, scope: &str) -> (Client, String) {
    let client = Spec::confidential().scope(scope).create(server);
    let request = client.request();
    let code = Browser::new(server).grant(user, &request).await.code();
    let token = client.redeem(&request, &code).await.text("access_token");
    (client, token)
}

async fn a_client_manages_its_keys(server: Shared) {
    let (client, token) = machine(server, "orders:read api_keys").await;
    let body = json!({
        "name": "Export", "scope": "orders:read", "networks": ["127.0.0.0/8"], "rate_limit": 600, "expires_in": 3600,
    });
    let made = call(server, Method::POST, KEYS, &token, Some(body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_no_store(&made);
    let key = Key::read(&made.json());
    assert_audit(server, &made, "api_key_created");
    assert_eq!(made.json()["client_id"], client.id);
    assert_eq!(made.json()["expires_at"].as_i64(), made.json()["created_at"].as_i64().map(|at| at + 3600));
    let form = [("token", key.text.as_str()), ("address", "127.0.0.1")];
    assert_eq!(client.post("/oauth2/introspect", &form).await.json()["active"], true);

    let listed = call(server, Method::GET, KEYS, &token, None).await;
    assert_eq!(listed.json()["api_keys"][0]["id"], key.id, "{listed:?}");
    assert!(!listed.body.contains("lw_"), "{listed:?}");

    let path = format!("{KEYS}/{}/rotate", key.id);
    let rotated = call(server, Method::POST, &path, &token, Some(json!({"overlap": 0}))).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    assert_eq!(client.post("/oauth2/introspect", &form).await.json(), json!({"active": false}));
    let renewed = Key::read(&rotated.json());
    let form = [("token", renewed.text.as_str()), ("address", "127.0.0.1")];
    assert_eq!(client.post("/oauth2/introspect", &form).await.json()["active"], true);

    let path = format!("{KEYS}/{}", key.id);
    for _ in 0..2 {
        let revoked = call(server, Method::DELETE, &path, &token, None).await;
        assert_eq!((revoked.status, revoked.body.as_str()), (204, ""), "{revoked:?}");
    }
    assert_eq!(client.post("/oauth2/introspect", &form).await.json(), json!({"active": false}));
}

async fn a_person_manages_keys_through_an_app(server: Shared) {
    register(server, "orders:read");
    register(server, "orders:write");
    let user = User::new(server);
    let (_, token) = person(server, &user, "openid orders:read api_keys").await;
    let body = |scope: &str| Some(json!({"name": "Script", "scope": scope, "audience": server.issuer}));
    let made = call(server, Method::POST, KEYS, &token, body("orders:read")).await;
    assert_eq!((made.status, made.json()["user_id"].as_str()), (201, Some(user.id.as_str())), "{made:?}");
    assert!(made.json().get("client_id").is_none(), "{made:?}");
    // No app gets more by a key than it was allowed itself.
    let beyond = call(server, Method::POST, KEYS, &token, body("orders:read orders:write")).await;
    assert_j(&beyond, 400, "invalid_scope");
    let strong = Key::of_person(server, &user, "orders:write", &[]);
    let path = format!("{KEYS}/{}/rotate", strong.id);
    assert_j(&call(server, Method::POST, &path, &token, None).await, 400, "invalid_scope");
    assert_j(&call(server, Method::POST, KEYS, &token, body("openid")).await, 400, "invalid_scope");
    assert_j(&call(server, Method::POST, KEYS, &token, body("api_keys")).await, 400, "invalid_scope");
    let listed = call(server, Method::GET, KEYS, &token, None).await;
    assert_eq!(listed.json()["api_keys"].as_array().map(Vec::len), Some(2), "{listed:?}");
}

/// D-022: fails if a token without the scope, of somebody else, or an API key gets anywhere.
async fn d_022_others_keys_and_weak_tokens(server: Shared) {
    register(server, "orders:read");
    let (alice, bob) = (User::new(server), User::new(server));
    let (_, weak) = person(server, &alice, "openid orders:read").await;
    let (_, strong) = person(server, &alice, "openid orders:read api_keys").await;
    let (machine_client, machine_token) = machine(server, "orders:read api_keys").await;
    let (of_bob, of_alice) =
        (Key::of_person(server, &bob, "orders:read", &[]), Key::of_person(server, &alice, "orders:read", &[]));
    let of_machine = Key::of_client(server, &machine_client, "orders:read", &[]);
    let body = || Some(json!({"name": "K", "scope": "orders:read"}));
    let refused = call(server, Method::POST, KEYS, &weak, body()).await;
    assert_j(&refused, 403, "insufficient_scope");
    assert!(refused.header_or_empty("www-authenticate").contains("scope=\"api_keys\""), "{refused:?}");
    for (token, foreign) in [(&strong, &of_bob), (&strong, &of_machine), (&machine_token, &of_alice)] {
        let own = format!("{KEYS}/{}", foreign.id);
        let answer = call(server, Method::DELETE, &own, token, None).await;
        assert_j(&answer, 404, "not_found");
        // The same as for one that there never was.
        let none = format!("{KEYS}/0197c2f4-a1b2-7d3e-8f00-0123456789ab");
        assert_same(&answer, &call(server, Method::DELETE, &none, token, None).await);
        assert_j(&call(server, Method::POST, &format!("{own}/rotate"), token, None).await, 404, "not_found");
        let listed = call(server, Method::GET, KEYS, token, None).await;
        assert!(!listed.body.contains(&foreign.id), "{listed:?}");
    }
    let mine = format!("{KEYS}/{}", of_alice.id);
    for (method, path) in [(Method::GET, KEYS), (Method::POST, KEYS), (Method::DELETE, mine.as_str())] {
        for token in [of_alice.text.as_str(), of_machine.text.as_str(), "garbage", ""] {
            let answer = call(server, method.clone(), path, token, body()).await;
            assert_j(&answer, 401, "invalid_token");
        }
        let header = http().request(method, server.url(path)).header("X-API-Key", &of_alice.text);
        assert_j(&Answer::of(header).await, 401, "invalid_token");
    }
    assert_eq!(server.database.rows("api_keys", "name = 'K' AND user_id IS NOT NULL").len(), 0);
}

async fn bad_bodies_are_named(server: Shared) {
    let (_, token) = machine(server, "orders:read api_keys").await;
    for (body, code, word) in [
        (json!({"scope": "orders:read"}), "invalid_request", "name"),
        (json!({"name": "K"}), "invalid_request", "scope"),
        (json!({"name": "K", "scope": "orders:read", "scopes": []}), "invalid_request", "scopes"),
        (json!({"name": 5, "scope": "orders:read"}), "invalid_request", "name"),
        (json!({"name": "", "scope": "orders:read"}), "invalid_request", "name"),
        (json!({"name": "K\u{0}", "scope": "orders:read"}), "invalid_request", "name"),
        (json!({"name": "K", "scope": "orders:read", "networks": ["10.0.0.1/99"]}), "invalid_request", "networks"),
        (json!({"name": "K", "scope": "orders:read", "rate_limit": -1}), "invalid_request", "rate_limit"),
        (json!({"name": "K", "scope": "orders:read", "expires_in": 0}), "invalid_request", "expires_in"),
        (json!({"name": "K", "scope": "orders:read", "expires_in": -5}), "invalid_request", "expires_in"),
        (json!({"name": "K", "scope": "orders:read", "audience": "https://x.example"}), "invalid_target", "audience"),
        (json!({"name": "K", "scope": "\u{fc}"}), "invalid_request", "scope"),
        (json!(["K", "orders:read"]), "invalid_request", "object"),
    ] {
        let answer = call(server, Method::POST, KEYS, &token, Some(body.clone())).await;
        assert_j(&answer, 400, code);
        assert!(answer.text("error_description").contains(word), "{body}: {answer:?}");
    }
    let form = http().post(server.url(KEYS)).bearer_auth(&token).form(&[("name", "K")]);
    assert_j(&Answer::of(form).await, 415, "unsupported_media_type");
    for expires_in in [i64::MAX, i64::MAX / 2] {
        let body = json!({"name": "K", "scope": "orders:read", "expires_in": expires_in});
        let answer = call(server, Method::POST, KEYS, &token, Some(body)).await;
        assert!(answer.status < 500, "{answer:?}");
    }
}

/// Fails if one owner can make keys without end, or if keys that have ended count.
async fn g_016_keys_have_an_end(db: Db) {
    let server = Server::start(db, &[("api_keys.max_per_owner", "3")]);
    let (_, token) = machine(&server, "orders:read api_keys").await;
    let body = || Some(json!({"name": "K", "scope": "orders:read"}));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(call(&server, Method::POST, KEYS, &token, body()).await.text("id"));
    }
    assert_j(&call(&server, Method::POST, KEYS, &token, body()).await, 400, "invalid_request");
    call(&server, Method::DELETE, &format!("{KEYS}/{}", ids[0]), &token, None).await;
    assert_eq!(call(&server, Method::POST, KEYS, &token, body()).await.status, 201);
}

/// Making a key costs the same however many the owner has had, the day's number is bounded, and the list has pages.
async fn p15_ended_keys_cost_nothing(db: Db) {
    let server = Server::start(db, &[("api_keys.max_made_per_day", "4")]);
    let (client, token) = machine(&server, "orders:read api_keys").await;
    let body = || Some(json!({"name": "K", "scope": "orders:read"}));
    let made = call(&server, Method::POST, KEYS, &token, body()).await;
    assert_eq!(made.status, 201, "{made:?}");
    // 20,000 keys that were made, rotated and revoked long ago.
    let columns = "secret_hash, name, client_id, scope, audience, networks, created_at, revoked_at";
    let old = "secret_hash, name, client_id, scope, audience, networks, 1, 2";
    let (series, id) = match db {
        Db::Sqlite => (
            "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 20000)",
            "unhex(printf('%032x', n))",
        ),
        Db::Postgres => {
            ("WITH series AS (SELECT generate_series(1, 20000) AS n)", "decode(lpad(to_hex(n), 32, '0'), 'hex')")
        }
    };
    let owned = format!("client_id = '{}'", client.id);
    server.database.execute(&format!(
        "INSERT INTO api_keys (id, {columns}) {series} SELECT {id}, {old} FROM api_keys, series WHERE {owned}"
    ));
    assert_eq!(server.database.number(&format!("SELECT count(*) FROM api_keys WHERE {owned}")), 20_001);
    // How the database finds them is what makes it cheap; a clock would show how busy the machine is.
    if db == Db::Sqlite {
        let count = format!("SELECT count(*) FROM api_keys WHERE {owned} AND revoked_at IS NULL AND expires_at > 5");
        let plan = server.database.plan(&count);
        assert!(plan.contains("api_keys_live_client"), "{plan}");
    }
    for _ in 0..3 {
        assert_eq!(call(&server, Method::POST, KEYS, &token, body()).await.status, 201);
    }
    let refused = call(&server, Method::POST, KEYS, &token, body()).await;
    assert_j(&refused, 429, "slow_down");
    let wait: i64 = refused.header_or_empty("retry-after").parse().expect("seconds");
    assert!((86_000..=86_400).contains(&wait), "until the first of the four is a day old: {refused:?}");
    // Pages, the newest first, without gaps.
    let page = async |query: &str| call(&server, Method::GET, &format!("{KEYS}{query}"), &token, None).await;
    let first = page("?limit=3").await.json();
    let second = page(&format!("?limit=3&before={}", first["next"].as_str().expect("more"))).await.json();
    let names = |page: &Value| page["api_keys"].as_array().expect("keys").clone();
    assert_eq!((names(&first).len(), names(&second).len()), (3, 3));
    assert_eq!(names(&second)[0]["id"], made.json()["id"], "the fourth of four, and then the old ones");
    assert_eq!(names(&page("").await.json()).len(), 100, "never more than that");
    for bad in ["?limit=0", "?limit=101", "?limit=x", "?before=x", "?limit=1&limit=2"] {
        assert_j(&page(bad).await, 400, "invalid_request");
    }
}

both![
    p15_ended_keys_cost_nothing,
    a_client_manages_its_keys,
    a_person_manages_keys_through_an_app,
    d_022_others_keys_and_weak_tokens,
    bad_bodies_are_named,
    g_016_keys_have_an_end,
];
