//! A key that is made with an access token is no wider than that in any way, is its child, and ends with it.

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

/// An app that a person allowed to manage keys for one of two APIs, and both APIs.
struct Scene {
    server: Server,
    apis: [String; 2],
    resource_servers: [Client; 2],
    user: User,
    browser: Browser,
    app: Client,
}

impl Scene {
    fn new(db: Db) -> Self {
        // A used refresh token is a stolen one at once.
        let server = Server::start(db, &[("tokens.refresh_retry_seconds", "0")]);
        register(&server, "records:read");
        register(&server, "records:write");
        let apis = ["https://a.example", "https://b.example"].map(str::to_owned);
        let resource_servers = [0, 1].map(|n| Spec::api(&apis[n]).create(&server));
        let spec = Spec::confidential().scope("openid api_keys records:read offline_access");
        let app = apis.iter().fold(spec, |spec, api| spec.audience(api)).create(&server);
        let (user, browser) = (User::new(&server), Browser::new(&server));
        Self { server, apis, resource_servers, user, browser, app }
    }

    /// Access and refresh token, for the first API.
    async fn allow(&self, scope: &str) -> (String, String) {
        let request = self.app.request().set("scope", scope).add("resource", &self.apis[0]);
        let code = self.browser.grant(&self.user, &request).await.code();
        let tokens = self.app.redeem(&request, &code).await;
        (tokens.text("access_token"), tokens.text("refresh_token"))
    }

    async fn make(&self, token: &str, change: Value) -> Answer {
        let mut body = json!({"name": "K", "scope": "records:read", "audience": [self.apis[0]]});
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        call(&self.server, Method::POST, KEYS, token, Some(body)).await
    }

    async fn key(&self, token: &str) -> Key {
        let made = self.make(token, json!({})).await;
        assert_eq!(made.status, 201, "{made:?}");
        Key::read(&made.json())
    }

    async fn is_active(&self, key: &Key) -> bool {
        self.resource_servers[0].introspect(&key.text).await.json()["active"] == true
    }

    fn end_of_family(&self) -> i64 {
        let rows = self.server.database.rows("grants", "revoked_at IS NULL");
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows[0]["expires_at"].as_i64().expect("a time")
    }
}

/// P7: fails if an app makes a key for an API or with a scope that it was not allowed, or one that lasts longer.
async fn p07_a_key_is_no_wider_than_its_token(db: Db) {
    let it = Scene::new(db);
    let (token, _) = it.allow("openid api_keys records:read").await;
    let end = it.end_of_family();
    for (change, code) in [
        (json!({"audience": [it.apis[1]]}), "invalid_target"),
        (json!({"audience": it.apis}), "invalid_target"),
        (json!({"audience": ["https://unheard.example"]}), "invalid_target"),
        (json!({"scope": "records:read records:write"}), "invalid_scope"),
        (json!({"scope": "openid"}), "invalid_scope"),
    ] {
        assert_j(&it.make(&token, change).await, 400, code);
    }
    for change in [json!({}), json!({"expires_in": 315_360_000})] {
        assert_eq!(it.make(&token, change).await.json()["expires_at"].as_i64(), Some(end));
    }
    let short = it.make(&token, json!({"expires_in": 60})).await.json();
    assert_eq!(short["expires_at"].as_i64(), short["created_at"].as_i64().map(|at| at + 60));
    // A program's token is for one API as well.
    let spec = Spec::confidential().grants(&["client_credentials"]).scope("api_keys records:read");
    let program = it.apis.iter().fold(spec, |spec, api| spec.audience(api)).create(&it.server);
    let form = [("grant_type", "client_credentials"), ("resource", it.apis[0].as_str())];
    let own = program.token(&form).await.text("access_token");
    assert_j(&it.make(&own, json!({"audience": [it.apis[1]]})).await, 400, "invalid_target");
    let made = it.make(&own, json!({})).await;
    assert_eq!((made.status, made.json()["expires_at"].is_null()), (201, true), "{made:?}");
    let wide = Key::of_client(&it.server, &program, "records:read", &["--audience", &it.apis[1]]);
    let path = format!("{KEYS}/{}/rotate", wide.id);
    assert_j(&call(&it.server, Method::POST, &path, &own, None).await, 400, "invalid_target");
}

/// P7: fails if a key outlives what the person allowed the app that made it.
async fn p07_a_key_ends_with_its_family(db: Db) {
    let it = Scene::new(db);
    let server = &it.server;
    let scope = "openid api_keys records:read offline_access";

    // The person removes the app.
    let (token, _) = it.allow(scope).await;
    let (first, second) = (it.key(&token).await, it.key(&token).await);
    assert!(it.is_active(&first).await && it.is_active(&second).await);
    it.browser.submit(&it.browser.get("/account").await.form("/account/revoke")).await;
    for key in [&first, &second] {
        assert!(!it.is_active(key).await);
    }
    let listed = server.cli(&["api-key", "list", "--user", &it.user.username]);
    let listed: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|key| key["status"].as_str()).collect();
    assert_eq!(listed, ["revoked", "revoked"]);
    assert!(it.browser.get("/account/api-keys").await.select("li[data-key-id]").is_empty());

    // A refresh token is used twice.
    let (token, refresh) = it.allow(scope).await;
    let key = it.key(&token).await;
    assert_eq!(it.app.refresh(&refresh).await.status, 200);
    assert!(it.is_active(&key).await);
    assert_ig(&it.app.refresh(&refresh).await);
    assert!(!it.is_active(&key).await, "the family ended by reuse");

    // The app gives its token back.
    let (token, refresh) = it.allow(scope).await;
    let key = it.key(&token).await;
    it.app.revoke(&refresh).await;
    assert!(!it.is_active(&key).await);

    // The person logs out of what was to last as long as the session.
    let (token, _) = it.allow("openid api_keys records:read").await;
    let key = it.key(&token).await;
    assert!(it.is_active(&key).await);
    it.browser.submit(&it.browser.get("/account").await.form("/logout")).await;
    assert!(!it.is_active(&key).await);

    // The operator takes the API, the scope, or the app itself away.
    let (token, _) = it.allow(scope).await;
    let key = it.key(&token).await;
    for (taken, back) in [
        (
            ["client", "update", &it.app.id, "--scope", "openid records:read offline_access"],
            ["client", "update", &it.app.id, "--scope", &it.app.scope],
        ),
        (
            ["client", "update", &it.app.id, "--audience", &it.apis[1]],
            ["client", "update", &it.app.id, "--audience", &it.apis[0]],
        ),
    ] {
        server.cli(&taken);
        assert!(!it.is_active(&key).await, "{taken:?}");
        server.cli(&back);
        assert!(it.is_active(&key).await, "{back:?}");
    }
    server.cli(&["client", "disable", &it.app.id]);
    assert!(!it.is_active(&key).await);
}

/// P7: fails if renewing a key gives an app a credential that lasts longer than its own, or for an API of others.
async fn p07_a_renewed_key_is_the_apps(db: Db) {
    let it = Scene::new(db);
    let (token, refresh) = it.allow("openid api_keys records:read offline_access").await;
    let mine = Key::of_person(&it.server, &it.user, "records:read", &["--audience", &it.apis[0]]);
    let foreign = Key::of_person(&it.server, &it.user, "records:read", &["--audience", &it.apis[1]]);
    let rotate = |key: &Key| {
        let path = format!("{KEYS}/{}/rotate", key.id);
        let (server, token) = (&it.server, &token);
        async move { call(server, Method::POST, &path, token, Some(json!({"overlap": 0}))).await }
    };
    assert_j(&rotate(&foreign).await, 400, "invalid_target");
    let renewed = rotate(&mine).await;
    assert_eq!(renewed.json()["expires_at"].as_i64(), Some(it.end_of_family()), "{renewed:?}");
    let renewed = Key::read(&renewed.json());
    assert!(it.is_active(&renewed).await);
    it.app.revoke(&refresh).await;
    assert!(!it.is_active(&renewed).await);
}

/// P7: fails if an old token makes or renews a key of a person who did not prove of late who they are (RFC 9470).
async fn p07_a_key_needs_a_fresh_login(db: Db) {
    let it = Scene::new(db);
    let (token, refresh) = it.allow("openid api_keys records:read offline_access").await;
    let key = it.key(&token).await;
    it.server.database.execute("UPDATE users SET password_changed_at = password_changed_at - 86400");
    it.server.database.execute("UPDATE grants SET auth_time = auth_time - 301");
    let renewed = it.app.refresh(&refresh).await.text("access_token");
    for token in [&token, &renewed] {
        let rotated = call(&it.server, Method::POST, &format!("{KEYS}/{}/rotate", key.id), token, None).await;
        for stale in [it.make(token, json!({})).await, rotated] {
            assert_j(&stale, 401, "insufficient_user_authentication");
            assert!(stale.header_or_empty("www-authenticate").contains("max_age=\"300\""), "{stale:?}");
        }
    }
    // To look and to take back is always possible.
    assert_eq!(call(&it.server, Method::GET, KEYS, &renewed, None).await.status, 200);
    assert_eq!(call(&it.server, Method::DELETE, &format!("{KEYS}/{}", key.id), &renewed, None).await.status, 204);
    assert!(!it.is_active(&key).await);
}

/// P2: fails if a token manages keys that is not for that: an own audience, which comes with the scope alone.
async fn p02_key_management_has_an_audience_of_its_own(db: Db) {
    let it = Scene::new(db);
    let (token, _) = it.allow("openid api_keys records:read").await;
    let own = format!("{}{KEYS}", it.server.issuer);
    assert_eq!(claims_of(&token)["aud"], json!([it.apis[0], own, it.server.issuer]));
    let (without, _) = it.allow("openid records:read").await;
    assert_eq!(claims_of(&without)["aud"], json!([it.apis[0], it.server.issuer]));
    assert_j(&call(&it.server, Method::GET, KEYS, &without, None).await, 403, "insufficient_scope");
    // The scope alone is not enough: what a token is for decides.
    it.server.database.execute(&format!("UPDATE access_tokens SET audience = '{}'", it.server.issuer));
    assert_j(&call(&it.server, Method::GET, KEYS, &token, None).await, 401, "invalid_token");
    // The operator's own app makes keys, which end when the person logs out of it.
    let spec = FirstParty::spec().scope("api_keys records:read").audience(&it.apis[0]);
    let own_app = FirstParty::native_of(spec.create(&it.server));
    let tokens = own_app.login(&it.user).await;
    let key = it.key(&tokens.text("access_token")).await;
    assert!(it.is_active(&key).await);
    assert_eq!(own_app.logout(&tokens.text("refresh_token")).await.status, 204);
    assert!(!it.is_active(&key).await);
}

both![
    p07_a_key_is_no_wider_than_its_token,
    p07_a_key_ends_with_its_family,
    p07_a_renewed_key_is_the_apps,
    p07_a_key_needs_a_fresh_login,
    p02_key_management_has_an_audience_of_its_own,
];
