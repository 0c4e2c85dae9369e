//! 4 Introspection and revocation of API keys, and the places where nobody takes one.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::json;
use tokio::time::sleep;

use super::held::{Held, at_once};
use crate::harness::*;

fn ask(server: &Server, form: &[(&str, &str)]) -> RequestBuilder {
    http().post(server.url("/oauth2/introspect")).form(form)
}

fn program(server: &Server, api: &str) -> Client {
    let spec = Spec::confidential().scope("openid profile offline_access orders:read orders:write");
    spec.audience(api).is(api).create(server)
}

async fn d_001_api_keys_who_may_not_ask(server: Shared) {
    let client = program(server, "https://k001.example");
    let key = Key::of_client(server, &client, "orders:read", &[]);
    let public = Client::public(server);
    let token = ("token", key.text.as_str());
    for refused in [
        Answer::of(ask(server, &[token])).await,
        Answer::of(ask(server, &[token, ("client_id", &client.id)])).await,
        Answer::of(ask(server, &[token]).bearer_auth(&key.text)).await,
        Answer::of(ask(server, &[token]).basic_auth(&client.id, Some(&key.text))).await,
        Answer::of(ask(server, &[token, ("client_id", &client.id), ("client_secret", &key.text)])).await,
        public.introspect(&key.text).await,
    ] {
        assert_ic(&refused);
        assert!(refused.json().get("active").is_none(), "nothing about the key: {refused:?}");
    }
}

async fn d_002_api_keys_a_stranger_is_told_nothing(server: Shared) {
    let api = "https://k002.example";
    let client = program(server, api);
    let key = Key::of_client(server, &client, "orders:read", &["--audience", api]);
    let general = Key::of_client(server, &client, "orders:read", &[]);
    let resource_server = Spec::api(api).create(server);
    let stranger = Spec::api("https://other.example").create(server);
    for key in [&key, &general] {
        let told = stranger.introspect(&key.text).await;
        assert_eq!((told.status, told.json()), (200, json!({"active": false})), "{told:?}");
        assert_same(&told, &stranger.introspect("garbage").await);
        assert_eq!(client.introspect(&key.text).await.json()["active"], true, "its owner may ask");
    }
    assert_eq!(resource_server.introspect(&key.text).await.json()["active"], true);
    assert_eq!(resource_server.introspect(&general.text).await.json(), json!({"active": false}), "not for that API");
}

async fn d_003_api_keys_all_that_is_dead_looks_the_same(server: Shared) {
    let client = program(server, "https://k003.example");
    let expired = Key::of_client(server, &client, "orders:read", &["--expires", "1s"]);
    let live = Key::of_client(server, &client, "orders:read", &[]);
    let revoked = Key::of_client(server, &client, "orders:read", &[]);
    server.cli(&["api-key", "revoke", &revoked.id]);
    let superseded = Key::of_client(server, &client, "orders:read", &[]);
    server.cli(&["api-key", "rotate", &superseded.id, "--overlap", "0"]);
    let bound = Key::of_client(server, &client, "orders:read", &["--network", "192.0.2.0/24"]);
    let foreign = Key::of_client(server, &program(server, "https://k003b.example"), "orders:read", &[]);
    sleep(Duration::from_secs(2)).await;
    let mut typo = live.text.clone();
    typo.replace_range(30..31, if &typo[30..31] == "x" { "y" } else { "x" });
    let mut answers = Vec::new();
    for token in [
        &expired.text,
        &revoked.text,
        &superseded.text,
        &bound.text,
        &foreign.text,
        &typo,
        "lw_",
        "lw_garbage",
        &live.text[..74],
        &format!("{}0", live.text),
        &live.text.to_uppercase(),
        &format!(" {}", live.text),
        &live.id,
    ] {
        for hint in ["", "access_token", "refresh_token", "api_key"] {
            answers.push(client.post("/oauth2/introspect", &[("token", token), ("token_type_hint", hint)]).await);
        }
    }
    for answer in &answers {
        assert_eq!((answer.status, answer.json()), (200, json!({"active": false})), "{answer:?}");
        assert_same(&answers[0], answer);
        assert_no_store(answer);
    }
    for hint in ["access_token", "refresh_token", "foo"] {
        let form = [("token", live.text.as_str()), ("token_type_hint", hint)];
        assert_eq!(client.post("/oauth2/introspect", &form).await.json()["active"], true, "as {hint}");
    }
}

/// Matrix M for keys: whatever is taken from the owner is gone from the key at once.
async fn d_004_api_keys_of_an_owner_that_lost_something(server: Shared) {
    let apis = ["https://k004.example", "https://k004b.example"];
    let asks = Spec::api(apis[0]).create(server);
    let owner =
        || Spec::confidential().scope("orders:read orders:write").audience(apis[0]).audience(apis[1]).create(server);
    let clients: Vec<Client> = (0..5).map(|_| owner()).collect();
    let flags = ["--audience", apis[0], "--audience", apis[1]];
    let of_clients: Vec<Key> =
        clients.iter().map(|client| Key::of_client(server, client, "orders:read orders:write", &flags)).collect();
    let people: Vec<User> = (0..2).map(|_| User::new(server)).collect();
    let own_scope = format!("scope-{}:read", random(6).to_lowercase());
    let of_people: Vec<Key> =
        people.iter().map(|user| Key::of_person(server, user, "orders:read", &["--audience", apis[0]])).collect();
    let of_scope = Key::of_person(server, &User::new(server), &own_scope, &["--audience", apis[0]]);
    for key in of_clients.iter().chain(&of_people).chain([&of_scope]) {
        assert_eq!(asks.introspect(&key.text).await.json()["active"], true);
    }
    server.cli(&["client", "disable", &clients[0].id]);
    server.cli(&["client", "delete", &clients[1].id]);
    server.cli(&["client", "update", &clients[2].id, "--scope", "orders:write other"]);
    server.cli(&["client", "update", &clients[3].id, "--scope", "other"]);
    server.cli(&["client", "update", &clients[4].id, "--audience", apis[1]]);
    server.cli(&["user", "disable", &people[0].username]);
    let args = ["user", "set-password", &people[1].username, "--password-stdin"];
    server.try_cli(&args, "another horse battery").expect("a new password");
    server.cli(&["scope", "delete", &own_scope]);
    let dead =
        [&of_clients[0], &of_clients[1], &of_clients[3], &of_clients[4], &of_people[0], &of_people[1], &of_scope];
    for (index, key) in dead.into_iter().enumerate() {
        assert_eq!(asks.introspect(&key.text).await.json(), json!({"active": false}), "{index}");
    }
    let less = asks.introspect(&of_clients[2].text).await.json();
    assert_eq!(less["scope"], "orders:write", "what is left: {less}");
    // A client that comes back brings its keys back; a person that comes back does not.
    server.cli(&["client", "update", &clients[0].id, "--enable"]);
    server.cli(&["user", "enable", &people[0].username]);
    assert_eq!(asks.introspect(&of_clients[0].text).await.json()["active"], true);
    assert_eq!(asks.introspect(&of_people[0].text).await.json(), json!({"active": false}));
}

async fn d_005_api_keys_how_not_to_ask(server: Shared) {
    let client = program(server, "https://k005.example");
    let key = Key::of_client(server, &client, "orders:read", &[]);
    let (secret, url) = (client.secret.as_deref(), server.url(&format!("/oauth2/introspect?token={}", key.text)));
    assert_j(&Answer::of(http().get(&url).basic_auth(&client.id, secret)).await, 405, "method_not_allowed");
    for form in [
        &[("token", key.text.as_str()), ("token", key.text.as_str())][..],
        &[("token", key.text.as_str()), ("address", "10.0.0.1"), ("address", "10.0.0.2")],
        &[("address", "10.0.0.1")],
    ] {
        assert_j(&client.post("/oauth2/introspect", form).await, 400, "invalid_request");
    }
    let long = format!("lw_{}", "a".repeat(1_000_000));
    assert_j(&client.introspect(&long).await, 413, "payload_too_large");
}

async fn d_006_api_keys_guessing(db: Db) {
    let server = Server::start(db, &[("limits.introspect_misses_per_minute", "10")]);
    let client = program(&server, "https://k006.example");
    let key = Key::of_client(&server, &client, "orders:read", &[]);
    server.cli(&["api-key", "revoke", &key.id]);
    let mut refused = None;
    for guess in 0..12 {
        let answer = client.introspect(&key.text).await;
        if answer.status == 429 {
            refused = Some((guess, answer));
            break;
        }
    }
    let (guess, answer) = refused.expect("a limit");
    assert!(guess >= 9, "{guess}");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}

async fn d_010_api_keys_who_may_revoke(server: Shared) {
    let client = program(server, "https://k010.example");
    let (other, public, user) = (Client::confidential(server), Client::public(server), User::new(server));
    let key = Key::of_client(server, &client, "orders:read", &[]);
    let own = Key::of_person(server, &user, "orders:read", &["--audience", "https://k010.example"]);
    let plain = http().post(server.url("/oauth2/revoke")).form(&[("token", &key.text), ("client_id", &client.id)]);
    assert_ic(&Answer::of(plain).await);
    for (client, key) in [(&other, &key), (&public, &key), (&client, &own), (&other, &own)] {
        assert_j(&client.revoke(&key.text).await, 400, "unauthorized_client");
    }
    for key in [&key, &own] {
        assert_eq!(client.introspect(&key.text).await.json()["active"], true);
    }
    // D-013: what is none is as good as revoked.
    for garbage in ["lw_", "lw_garbage", &key.text[..74], &key.id] {
        let answer = other.revoke(garbage).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{answer:?}");
    }
    let revoked = client.revoke(&key.text).await;
    assert_eq!((revoked.status, revoked.body.as_str()), (200, ""), "{revoked:?}");
    assert_audit(server, &revoked, "api_key_revoked");
    assert_eq!(client.introspect(&key.text).await.json(), json!({"active": false}));
}

async fn d_016_api_keys_again_and_at_once(server: Shared) {
    let client = program(server, "https://k016.example");
    let key = Key::of_client(server, &client, "orders:read", &[]);
    let post = |path: &str| {
        let request = http().post(server.url(path)).basic_auth(&client.id, client.secret.as_deref());
        request.form(&[("token", &key.text)])
    };
    let mixed = (0..40).map(|n| post(if n % 2 == 0 { "/oauth2/revoke" } else { "/oauth2/introspect" }));
    for answer in at_once(mixed).await {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let after = at_once((0..20).map(|_| post("/oauth2/introspect"))).await;
    assert!(after.iter().all(|answer| answer.json() == json!({"active": false})), "used after a 200");
    assert_eq!(audit(server, &format!("kind = 'api_key_revoked' AND client_id = '{}'", client.id)).len(), 1);
}

/// A key stands for a program: where people are, and where tokens are given, it is answered like garbage of its form.
async fn api_keys_are_taken_nowhere_else(server: Shared) {
    let held = Held::by(server, program(server, "https://knowhere.example")).await;
    let client = &held.client;
    let of_client = Key::of_client(server, client, "orders:read orders:write", &[]);
    let of_person = Key::of_person(server, &held.user, "orders:read", &[]);
    let garbage = "lw_0123456789ABCDEFGHIJKL_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn";
    let token_endpoint = |grant: &'static str, name: &'static str, text: String| {
        let verifier = "v".repeat(43);
        async move {
            let form = [("grant_type", grant), (name, text.as_str()), ("code_verifier", verifier.as_str())];
            client.token(&form).await
        }
    };
    let answers = async |text: String| {
        let login = Browser::new(server);
        let page = login.get("/login").await;
        let form = page.form("/login").with("username", &held.user.username).with("password", &text);
        let hinted = client.request().set("id_token_hint", &text).set("prompt", "none");
        let bearer = |path: &str| http().get(server.url(path)).bearer_auth(&text);
        let header = |path: &str| http().get(server.url(path)).header("X-API-Key", &text);
        let cookie = |path: &str| {
            let cookies = format!("latchway_session={text}; latchway_browser={text}; latchway_access={text}");
            http().get(server.url(path)).header("Cookie", cookies)
        };
        vec![
            Answer::of(bearer("/oauth2/userinfo")).await,
            Answer::of(header("/oauth2/userinfo")).await,
            Answer::of(http().post(server.url("/oauth2/userinfo")).form(&[("access_token", &text)])).await,
            Answer::of(bearer("/account")).await,
            Answer::of(header("/account")).await,
            Answer::of(cookie("/account")).await,
            Answer::of(bearer("/account/api-keys")).await,
            Answer::of(cookie("/account/api-keys")).await,
            Answer::of(http().get(client.request().url()).bearer_auth(&text)).await,
            Answer::of(http().get(client.request().set("prompt", "none").url()).header("X-API-Key", &text)).await,
            Answer::of(http().get(hinted.url())).await,
            login.post(&form).await,
            token_endpoint("authorization_code", "code", text.clone()).await,
            token_endpoint("refresh_token", "refresh_token", text.clone()).await,
            Answer::of(
                http()
                    .post(server.url("/oauth2/token"))
                    .basic_auth(&client.id, Some(&text))
                    .form(&[("grant_type", "client_credentials")]),
            )
            .await,
            Answer::of(
                http()
                    .post(server.url("/oauth2/token"))
                    .bearer_auth(&text)
                    .form(&[("grant_type", "client_credentials")]),
            )
            .await,
            Answer::of(http().get(server.url(&format!("/setup?token={text}")))).await,
        ]
    };
    let wanted = answers(garbage.to_owned()).await;
    for key in [&of_client, &of_person] {
        for (index, (answer, wanted)) in answers(key.text.clone()).await.iter().zip(&wanted).enumerate() {
            assert_eq!(answer.status, wanted.status, "{index}: {answer:?}\n{wanted:?}");
            let told = |answer: &Answer| {
                answer.location().and_then(|to| query_of(&to).into_iter().find(|(name, _)| name == "error"))
            };
            assert_eq!(told(answer), told(wanted), "{index}: {answer:?}");
            assert!(!answer.body.contains(&key.text), "{index}: {answer:?}");
            assert!(!answer.body.contains("access_token\":"), "{index}: {answer:?}");
        }
    }
}

both![
    d_001_api_keys_who_may_not_ask,
    d_002_api_keys_a_stranger_is_told_nothing,
    d_003_api_keys_all_that_is_dead_looks_the_same,
    d_004_api_keys_of_an_owner_that_lost_something,
    d_005_api_keys_how_not_to_ask,
    d_006_api_keys_guessing,
    d_010_api_keys_who_may_revoke,
    d_016_api_keys_again_and_at_once,
    api_keys_are_taken_nowhere_else,
];
