//! `orders_api_actix` and `orders_api_axum` as they are, in front of a real Latchway: every way in, and every refusal. What is
//! expected of one is expected of the other.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use latchway_resource_server::ResourceServer;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::harness::*;

const SCOPE: &str = "openid orders:read orders:write orders:admin stock:write roles";

/// An example as a process.
struct Api {
    url: String,
    child: Child,
}

impl Api {
    /// Starts the program of this name.
    fn start(server: &Server, example: &str) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let url = format!("http://{listen}");
        let client = Spec::api(&url).create(server);
        let binary = Path::new(env!("CARGO_BIN_EXE_latchway")).with_file_name("examples").join(example);
        let mut command = Command::new(&binary);
        command.env("ISSUER", &server.issuer).env("LISTEN", &listen).env("API_CLIENT_ID", &client.id);
        command.env("API_CLIENT_SECRET", client.secret.expect("a secret"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = child
            .unwrap_or_else(|error| panic!("{} ({error}): build it by `cargo build --examples`", binary.display()));
        started(child.id());
        let begin = Instant::now();
        while TcpStream::connect(&listen).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(10), "the example does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { url, child }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        http().request(method, format!("{}{path}", self.url))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// An app that people may allow anything.
    fn app(&self, server: &Server) -> Client {
        Spec::confidential().scope(SCOPE).audience(&self.url).create(server)
    }

    fn metadata(&self) -> String {
        format!("resource_metadata=\"{}/.well-known/oauth-protected-resource\"", self.url)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        ended(self.child.id());
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// What a person allows an app, as an access token.
async fn person(server: &Server, client: &Client, user: &User, scope: &str) -> String {
    let request = client.request().set("scope", scope);
    let code = Browser::new(server).grant(user, &request).await.code();
    client.redeem(&request, &code).await.text("access_token")
}

async fn machine(client: &Client, scope: &str) -> String {
    client.token(&[("grant_type", "client_credentials"), ("scope", scope)]).await.text("access_token")
}

/// A 401, 400 or 403 as RFC 6750 §3 has it.
#[track_caller]
fn assert_challenge(answer: &Answer, status: u16, error: &str, api: &Api) {
    assert_j(answer, status, error);
    let challenge = answer.header_or_empty("www-authenticate");
    let begin = format!("Bearer realm=\"{}\", error=\"{error}\", error_description=\"", api.url);
    assert!(challenge.starts_with(&begin) && challenge.ends_with(&api.metadata()), "{answer:?}");
}

async fn open_to_all_and_it_knows_its_guests(server: Shared, example: &str) {
    let api = Api::start(server, example);
    let answer = Answer::of(api.get("/")).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"api": "orders", "person": null})));
    let user = User::new(server);
    let token = person(server, &api.app(server), &user, "openid").await;
    let answer = Answer::of(api.get("/").header("Authorization", bearer(&token))).await;
    assert_eq!(answer.json()["person"], user.id.as_str());
    // Bad credentials do not make a stranger.
    assert_challenge(&Answer::of(api.get("/").bearer_auth("x.y.z")).await, 401, "invalid_token", &api);
    // RFC 9728 §3
    let answer = Answer::of(api.get("/.well-known/oauth-protected-resource")).await;
    let expected = json!({
        "resource": api.url, "authorization_servers": [server.issuer], "bearer_methods_supported": ["header"],
        "resource_name": "Orders", "scopes_supported": ["orders:read", "orders:write", "orders:admin"],
    });
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
}

async fn refusals_say_what_is_missing(server: Shared, example: &str) {
    let api = Api::start(server, example);
    // RFC 6750 §3.1: who brought nothing, or something that is not understood, is told no error.
    for request in [
        api.get("/orders"),
        api.get("/orders").basic_auth("a", Some("b")),
        api.get("/orders").header("Authorization", "DPoP a"),
    ] {
        let answer = Answer::of(request).await;
        assert_j(&answer, 401, "unauthorized");
        let challenge = format!("Bearer realm=\"{}\", {}", api.url, api.metadata());
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
    }
    let (app, user) = (api.app(server), User::new(server));
    let token = person(server, &app, &user, "openid orders:read").await;
    let ok = Answer::of(api.get("/orders").header("Authorization", format!("bEARER {token}"))).await;
    assert_eq!((ok.status, &ok.json()["of"]), (200, &json!(user.id)));

    let request = app.request().set("scope", "openid orders:read");
    let code = Browser::new(server).grant(&user, &request).await.code();
    let id_token = app.redeem(&request, &code).await.text("id_token");
    let elsewhere = Spec::confidential().scope(SCOPE).audience("https://other.example").create(server);
    let elsewhere = person(server, &elsewhere, &user, "openid orders:read").await;
    for bad in ["x", "x.y.z", &token[..token.len() - 1], &id_token, &elsewhere] {
        assert_challenge(&Answer::of(api.get("/orders").bearer_auth(bad)).await, 401, "invalid_token", &api);
    }
    for twice in [
        api.get("/orders").bearer_auth(&token).header("Authorization", "Bearer x"),
        api.get("/orders").bearer_auth(&token).header("Cookie", format!("latchway_access={token}")),
        api.get("/orders").bearer_auth(&token).header("X-API-Key", "lw_x"),
        api.get(&format!("/orders?access_token={token}")),
        api.get("/orders").header("Authorization", "Bearer"),
    ] {
        assert_challenge(&Answer::of(twice).await, 400, "invalid_request", &api);
    }
    let answer = Answer::of(api.post("/orders").bearer_auth(&token)).await;
    assert_challenge(&answer, 403, "insufficient_scope", &api);
    assert!(answer.header_or_empty("www-authenticate").contains("scope=\"orders:write\""), "{answer:?}");
}

async fn people_and_machines(server: Shared, example: &str) {
    let api = Api::start(server, example);
    let (app, user) = (api.app(server), User::new(server));
    let (robot, human) = (machine(&app, "stock:write").await, person(server, &app, &user, "openid stock:write").await);
    let answer = Answer::of(api.post("/machines/stock").bearer_auth(&robot)).await;
    assert_eq!((answer.status, &answer.json()["by"]), (200, &json!(app.id)));
    let answer = Answer::of(api.post("/machines/stock").bearer_auth(&human)).await;
    assert_challenge(&answer, 403, "insufficient_scope", &api);
    assert!(answer.text("error_description").contains("machines"), "{answer:?}");
    let robot = machine(&app, "orders:read").await;
    let answer = Answer::of(api.get("/orders").bearer_auth(&robot)).await;
    assert_eq!((answer.status, &answer.json()["person"]), (200, &json!(null)));
    assert_challenge(
        &Answer::of(api.post("/machines/stock").bearer_auth(&robot)).await,
        403,
        "insufficient_scope",
        &api,
    );
    // Neither scope nor kind: of two ways in, the one that can be asked for is named.
    let answer = Answer::of(api.get("/orders").bearer_auth(&human)).await;
    assert!(answer.header_or_empty("www-authenticate").contains("scope=\"orders:read\""), "{answer:?}");
}

async fn administrators(server: Shared, example: &str) {
    let api = Api::start(server, example);
    let (app, user) = (api.app(server), User::new(server));
    let delete = |token: &str| Answer::of(api.request(Method::DELETE, "/orders/7").bearer_auth(token));
    let token = person(server, &app, &user, "openid orders:admin roles").await;
    let answer = delete(&token).await;
    assert_challenge(&answer, 403, "insufficient_scope", &api);
    assert!(answer.text("error_description").contains("the role admin"), "{answer:?}");

    server.database.execute(&format!("UPDATE users SET role = 'admin' WHERE username = '{}'", user.username));
    let token = person(server, &app, &user, "openid orders:admin roles").await;
    let answer = delete(&token).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"deleted": 7, "by": user.id})));
    // The role alone is not enough: an administrator's token in an app of somebody else.
    let answer = delete(&person(server, &app, &user, "openid orders:read roles").await).await;
    assert_challenge(&answer, 403, "insufficient_scope", &api);
    assert!(answer.header_or_empty("www-authenticate").contains("scope=\"orders:admin\""), "{answer:?}");

    // RFC 9470: the login was too long ago, though after the password was chosen.
    let browser = Browser::of(server, &user).await;
    let owner = format!("(SELECT id FROM users WHERE username = '{}')", user.username);
    server.database.execute(&format!("UPDATE users SET password_changed_at = 1 WHERE id = {owner}"));
    server.database.execute(&format!("UPDATE sessions SET auth_time = auth_time - 400 WHERE user_id = {owner}"));
    let request = app.request().set("scope", "openid orders:admin roles");
    let code = browser.grant(&user, &request).await.code();
    let old = app.redeem(&request, &code).await.text("access_token");
    let answer = delete(&old).await;
    assert_challenge(&answer, 401, "insufficient_user_authentication", &api);
    assert!(answer.header_or_empty("www-authenticate").contains("max_age=\"300\""), "{answer:?}");
    let request = app.request().set("scope", "openid orders:admin roles").set("max_age", "300");
    let code = browser.grant(&user, &request).await.code();
    let fresh = app.redeem(&request, &code).await.text("access_token");
    assert_eq!(delete(&fresh).await.status, 200, "the client did as it was told");
}

/// A login of the operator's own app in a browser, as `name=value` of its cookies.
async fn cookies(server: &Server, app: &Client, user: &User) -> Vec<String> {
    let login = json!({"client_id": app.id, "username": user.username, "password": user.password});
    let request = http().post(server.url("/api/v1/login")).header("Sec-Fetch-Site", "same-origin").json(&login);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|cookie| cookie.split(';').next()).map(str::to_owned).collect()
}

async fn a_browser_app_with_its_cookie(server: Shared, example: &str) {
    let api = Api::start(server, example);
    let spec = Spec::public().scope("openid orders:read orders:write").audience(&api.url);
    let app = spec.flags(&["--first-party"]).create(server);
    let cookies = cookies(server, &app, &User::new(server)).await;
    let proof = cookies.iter().find_map(|cookie| cookie.strip_prefix("latchway_csrf=")).expect("a CSRF token");
    let cookie = cookies.join("; ");
    let get = Answer::of(api.get("/orders").header("Cookie", &cookie)).await;
    assert_eq!(get.status, 200, "{get:?}");
    let post = || api.post("/orders").header("Cookie", &cookie);
    for forged in [
        post(),
        post().header("X-CSRF-Token", "guess"),
        post().header("X-CSRF-Token", proof).header("Sec-Fetch-Site", "cross-site"),
    ] {
        let answer = Answer::of(forged).await;
        assert_j(&answer, 403, "forbidden");
    }
    let answer = Answer::of(post().header("X-CSRF-Token", proof).header("Sec-Fetch-Site", "same-origin")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    // Who has a wrong one is no stranger either.
    let answer = Answer::of(api.get("/").header("Cookie", "latchway_access=x.y.z")).await;
    assert_challenge(&answer, 401, "invalid_token", &api);
    // A handshake for a WebSocket is a GET, and what follows it is not safe.
    let socket = |site: &str| {
        let request = api.get("/orders").header("Cookie", &cookie).header("Upgrade", "websocket");
        if site.is_empty() { request } else { request.header("Sec-Fetch-Site", site) }
    };
    for site in ["", "same-site", "cross-site"] {
        assert_j(&Answer::of(socket(site)).await, 403, "forbidden");
    }
    assert_eq!(Answer::of(socket("same-origin")).await.status, 200);
    // Where cookies are not switched on, one is not looked at.
    assert_j(&Answer::of(api.post("/refunds/1").header("Cookie", &cookie)).await, 401, "unauthorized");
}

async fn programs_with_an_api_key(server: Shared, example: &str) {
    let api = Api::start(server, example);
    let client = Spec::confidential().scope("reports:read orders:read").audience(&api.url).create(server);
    let key = |scope: &str, network: &str| {
        Key::of_client(server, &client, scope, &["--audience", &api.url, "--network", network])
    };
    let report = |key: &Key| Answer::of(api.get("/reports").header("X-API-Key", &key.text));
    let good = key("reports:read", "127.0.0.1");
    let answer = report(&good).await;
    assert_eq!((answer.status, &answer.json()["for"]), (200, &json!(client.id)), "{answer:?}");
    assert_eq!(Answer::of(api.get("/reports").bearer_auth(&good.text)).await.status, 200, "as Bearer too");
    assert_challenge(&report(&key("orders:read", "127.0.0.1")).await, 403, "insufficient_scope", &api);
    // The issuer learns where the program is.
    assert_challenge(&report(&key("reports:read", "192.0.2.0/24")).await, 401, "invalid_token", &api);
    let elsewhere = Key::of_client(server, &client, "reports:read", &[]);
    assert_challenge(&report(&elsewhere).await, 401, "invalid_token", &api);
    let mistyped = Key { text: good.text.replace("lw_", "lw_0"), ..good.clone() };
    let answer = report(&mistyped).await;
    assert_challenge(&answer, 401, "invalid_token", &api);
    assert!(answer.text("error_description").contains("mistyped"), "{answer:?}");
    // Two ways to say who one is are one too many.
    let both = api.get("/reports").header("X-API-Key", &good.text).header("Cookie", "latchway_access=a.b.c");
    assert_challenge(&Answer::of(both).await, 400, "invalid_request", &api);

    server.cli(&["api-key", "revoke", &good.id]);
    let begin = Instant::now();
    while report(&good).await.status == 200 {
        assert!(begin.elapsed() < Duration::from_secs(8), "five seconds after its end a key still works");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_challenge(&report(&good).await, 401, "invalid_token", &api);
}

async fn a_revocation_is_seen_where_it_matters(server: Shared, example: &str) {
    let api = Api::start(server, example);
    let app = api.app(server);
    let token = person(server, &app, &User::new(server), "openid orders:read orders:write").await;
    let refund = || Answer::of(api.post("/refunds/1").bearer_auth(&token));
    assert_eq!(refund().await.status, 200);
    assert_eq!(app.revoke(&token).await.status, 200);
    assert_challenge(&refund().await, 401, "invalid_token", &api);
    // What docs/resource-server.md says of tokens that are verified by the keys alone.
    assert_eq!(Answer::of(api.get("/orders").bearer_auth(&token)).await.status, 200);
}

async fn while_the_issuer_is_away(db: Db, example: &str) {
    let server = Server::start(db, &[]);
    let api = Api::start(&server, example);
    let app = api.app(&server);
    let token = person(&server, &app, &User::new(&server), "openid orders:read orders:write").await;
    let (read, refund) = (
        || Answer::of(api.get("/orders").bearer_auth(&token)),
        || Answer::of(api.post("/refunds/1").bearer_auth(&token)),
    );
    assert_eq!((read().await.status, refund().await.status), (200, 200));
    server.stop();
    assert_eq!(read().await.status, 200, "the keys are known");
    let answer = refund().await;
    assert_j(&answer, 503, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    // One that never met its issuer lets nobody in.
    let stranger = ResourceServer::builder(&server.issuer, &api.url).build().expect("a server");
    super::assert_unavailable(&stranger, &token).await;
    server.spawn();
    assert_eq!(refund().await.status, 200);
}

async fn keys_change(db: Db, example: &str) {
    let server = Server::start(db, &[]);
    let api = Api::start(&server, example);
    let app = api.app(&server);
    let read = |token: String| async { Answer::of(api.get("/orders").bearer_auth(token)).await.status };
    let old = machine(&app, "orders:read").await;
    assert_eq!(read(old.clone()).await, 200);
    server.cli(&["keys", "rotate", "--now"]);
    let begin = Instant::now();
    let new = loop {
        let token = machine(&app, "orders:read").await;
        if header_of(&token)["kid"] != header_of(&old)["kid"] {
            break token;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "the new key does not sign");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(read(new).await, 200, "an unknown key is looked for at once");
    assert_eq!(read(old).await, 200);
}

async fn every_algorithm(db: Db) {
    for alg in ["ES256", "EdDSA", "RS256", "PS256"] {
        let server = Server::start(db, &[("keys.access_token_alg", alg)]);
        let app = Spec::confidential().scope("orders:read").audience("https://api.example").create(&server);
        let token = machine(&app, "orders:read").await;
        assert_eq!(header_of(&token)["alg"], alg);
        let api = ResourceServer::builder(&server.issuer, "https://api.example").build().expect("a server");
        let claims = api.verify(&token).await.expect(alg);
        assert_eq!((claims.sub.as_str(), claims.person()), (app.id.as_str(), None));
    }
}

/// Makes a test of each expectation, for one example on both databases.
macro_rules! run_example {
    ($example:ident: $($name:ident),+) => {
        mod $example {
            mod sqlite {
                use crate::harness::{Db, run};
                $(#[test] fn $name() { run(Db::Sqlite, |on| super::super::$name(on, stringify!($example))) })+
            }
            mod postgres {
                use crate::harness::{Db, run};
                $(#[test] fn $name() { run(Db::Postgres, |on| super::super::$name(on, stringify!($example))) })+
            }
        }
    };
}

/// The one list of expectations, which both examples meet.
macro_rules! expectations {
    ($($name:ident),+ $(,)?) => {
        run_example!(orders_api_actix: $($name),+);
        run_example!(orders_api_axum: $($name),+);
    };
}

expectations![
    open_to_all_and_it_knows_its_guests,
    refusals_say_what_is_missing,
    people_and_machines,
    administrators,
    a_browser_app_with_its_cookie,
    programs_with_an_api_key,
    a_revocation_is_seen_where_it_matters,
    while_the_issuer_is_away,
    keys_change,
];

both![every_algorithm];
