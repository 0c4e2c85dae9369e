//! 4 Introspection: who may ask, and what they are told.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::sleep;

use super::held::Held;
use crate::harness::*;

fn ask(server: &Server, form: &[(&str, &str)]) -> RequestBuilder {
    http().post(server.url("/oauth2/introspect")).form(form)
}

async fn d_001_who_may_not_ask(server: Shared) {
    let held = Held::new(server).await;
    let public = Client::public(server);
    let token = ("token", held.access.as_str());
    let id = ("client_id", held.client.id.as_str());
    let mut refusals = vec![
        Answer::of(ask(server, &[token])).await,
        Answer::of(ask(server, &[token, id])).await,
        Answer::of(ask(server, &[token, ("client_id", &public.id)])).await,
        Answer::of(ask(server, &[token]).bearer_auth(&held.access)).await,
        Answer::of(ask(server, &[token]).basic_auth(&held.client.id, Some("wrong"))).await,
        Answer::of(ask(server, &[token]).basic_auth(&held.client.id, Some(""))).await,
        Answer::of(ask(server, &[token]).basic_auth("nobody", Some("wrong"))).await,
        Answer::of(ask(server, &[token, id, ("client_secret", "wrong")])).await,
    ];
    for refused in &refusals {
        assert_ic(refused);
        assert!(refused.json().get("active").is_none(), "nothing about the token: {refused:?}");
    }
    // The same for a token that is none.
    let garbage = Answer::of(ask(server, &[("token", "garbage")]).basic_auth(&held.client.id, Some("wrong"))).await;
    assert_same(&refusals.remove(4), &garbage);
    assert_ic(&public.introspect(&held.access).await);
}

async fn d_002_a_stranger_is_told_nothing(server: Shared) {
    let api = "https://d002.example";
    let held = Held::by(server, Spec::confidential().audience(api).create(server)).await;
    let stranger = Spec::api("https://other.example").create(server);
    for token in [&held.access, &held.refresh, &held.id] {
        let told = stranger.introspect(token).await;
        assert_eq!((told.status, told.json()), (200, json!({"active": false})), "{told:?}");
        let secret = stranger.secret.clone();
        let signed = ask(server, &[("token", token)]).header("Accept", "application/token-introspection+jwt");
        let told = Answer::of(signed.basic_auth(&stranger.id, secret)).await;
        assert!(told.header_or_empty("content-type").starts_with("application/json"), "{told:?}");
        assert_eq!(told.json(), json!({"active": false}), "{told:?}");
    }
    // The API that the token is for learns of it; of the refresh token, only whose it is.
    let resource_server = Spec::api(api).create(server);
    assert_eq!(resource_server.introspect(&held.access).await.json()["active"], true);
    assert_eq!(resource_server.introspect(&held.refresh).await.json(), json!({"active": false}));
    assert_eq!(held.client.introspect(&held.refresh).await.json()["active"], true);
}

async fn d_003_all_that_is_dead_looks_the_same(db: Db) {
    let server = Server::start(db, &[("tokens.access_token_seconds", "3")]);
    let (held, other) = (Held::new(&server).await, Held::new(&server).await);
    let expired = held.access.clone();
    sleep(Duration::from_secs(4)).await;
    let refreshed = held.client.refresh(&held.refresh).await;
    let (revoked, used_up) = (refreshed.text("access_token"), held.refresh.clone());
    assert_eq!(held.client.revoke(&revoked).await.status, 200);
    let mut answers = Vec::new();
    for token in [
        &expired,
        &revoked,
        &used_up,
        &other.refresh,
        &other.access,
        &held.id,
        "garbage",
        "a.b.c",
        "lwrt_garbage",
        &format!("{}x", &refreshed.text("refresh_token")),
    ] {
        for hint in ["", "access_token", "refresh_token", "id_token", "nonsense"] {
            let form = [("token", token), ("token_type_hint", hint)];
            answers.push(held.client.post("/oauth2/introspect", &form).await);
        }
    }
    for answer in &answers {
        assert_eq!((answer.status, answer.json()), (200, json!({"active": false})), "{answer:?}");
        assert_same(&answers[0], answer);
        assert_no_store(answer);
    }
    // A wrong hint still finds a living one.
    let live = held.client.refresh(&refreshed.text("refresh_token")).await;
    for (token, hint) in [("access_token", "refresh_token"), ("refresh_token", "access_token"), ("access_token", "foo")]
    {
        let form = [("token", live.text(token)), ("token_type_hint", hint.to_owned())];
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(held.client.post("/oauth2/introspect", &form).await.json()["active"], true, "{token} as {hint}");
    }
}

async fn d_004_of_somebody_or_something_that_is_gone(server: Shared) {
    let api = Spec::api("https://d004.example").create(server);
    let spec = || Spec::confidential().audience("https://d004.example");
    let (disabled, deleted) =
        (Held::by(server, spec().create(server)).await, Held::by(server, spec().create(server)).await);
    let user = Held::by(server, spec().create(server)).await;
    let password = Held::by(server, spec().create(server)).await;
    let session = Held::by(server, spec().scope("openid profile").create(server)).await;
    let withdrawn = Held::by(server, spec().create(server)).await;
    let all = [&disabled, &deleted, &user, &password, &session, &withdrawn];
    for held in all {
        assert_eq!(api.introspect(&held.access).await.json()["active"], true);
    }
    server.cli(&["client", "disable", &disabled.client.id]);
    server.cli(&["client", "delete", &deleted.client.id]);
    server.cli(&["user", "disable", &user.user.username]);
    let args = ["user", "set-password", &password.user.username, "--password-stdin"];
    server.try_cli(&args, "another horse battery").expect("a new password");
    let account = session.browser.get("/account").await;
    session.browser.submit(&account.form("/logout")).await;
    let account = withdrawn.browser.get("/account").await;
    let done = withdrawn.browser.submit(&account.form("/account/revoke")).await;
    assert_eq!(done.status, 200, "{done:?}");
    for (index, held) in all.into_iter().enumerate() {
        let told = api.introspect(&held.access).await;
        assert_eq!(told.json(), json!({"active": false}), "{index}: {told:?}");
        assert_j(&held.client.userinfo(&held.access).await, 401, "invalid_token");
    }
    for held in [&user, &password, &withdrawn] {
        assert_eq!(held.client.introspect(&held.refresh).await.json(), json!({"active": false}));
        assert_ig(&held.client.refresh(&held.refresh).await);
    }
    assert_ic(&disabled.client.introspect(&disabled.access).await);
    assert_ic(&deleted.client.introspect(&deleted.access).await);
}

async fn d_005_how_not_to_ask(server: Shared) {
    let held = Held::new(server).await;
    let secret = held.client.secret.as_deref();
    let url = server.url(&format!("/oauth2/introspect?token={}", held.access));
    let got = Answer::of(http().get(&url).basic_auth(&held.client.id, secret)).await;
    assert_j(&got, 405, "method_not_allowed");
    let in_the_url = http().post(&url).form(&[("token_type_hint", "access_token")]);
    assert_j(&Answer::of(in_the_url.basic_auth(&held.client.id, secret)).await, 400, "invalid_request");
    let twice = held.client.post("/oauth2/introspect", &[("token", &held.access), ("token", &held.access)]).await;
    assert_j(&twice, 400, "invalid_request");
    assert_j(&held.client.post("/oauth2/introspect", &[]).await, 400, "invalid_request");
    assert_j(&held.client.introspect(&"t".repeat(1_000_000)).await, 413, "payload_too_large");
}

async fn d_006_guessing(db: Db) {
    let server = Server::start(db, &[("limits.introspect_misses_per_minute", "10")]);
    let held = Held::new(&server).await;
    let mut refused = None;
    for guess in 0..12 {
        let answer = held.client.introspect(&format!("guess-{guess}")).await;
        if answer.status == 429 {
            refused = Some((guess, answer));
            break;
        }
        assert_eq!(answer.json(), json!({"active": false}), "{answer:?}");
    }
    let (guess, answer) = refused.expect("a limit");
    assert!(guess >= 10, "refused early, at {guess}");
    assert_j(&answer, 429, "slow_down");
    assert!(answer.header_or_empty("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    // Whoever asks for tokens that there are is not hindered.
    assert!(held.is_active(&held.access).await);
    // 128 bits at least, of which every one counts.
    assert!(held.refresh.strip_prefix("lwrt_").is_some_and(|random| random.len() == 64), "{}", held.refresh);
}

async fn d_007_told_no_more_than_needed(server: Shared) {
    let api = "https://d007.example";
    let scope = "openid profile email offline_access reports:read";
    let held = Held::by(server, Spec::confidential().scope(scope).audience(api).create(server)).await;
    let told = Spec::api(api).create(server).introspect(&held.access).await.json();
    assert_eq!(told["active"], true);
    assert_eq!(told["sub"], held.user.id.as_str());
    assert_eq!(told["client_id"], held.client.id.as_str());
    assert_eq!(told["iss"], server.issuer.as_str());
    let known = [
        "active",
        "scope",
        "client_id",
        "username",
        "token_type",
        "exp",
        "iat",
        "sub",
        "aud",
        "iss",
        "jti",
        "auth_time",
        "roles",
    ];
    for (name, value) in told.as_object().expect("an object") {
        assert!(known.contains(&name.as_str()), "{name}: {value}");
    }
    assert!(!told.to_string().contains(&held.user.email), "no e-mail address: {told}");
    // A program that acts for itself stands for no person.
    let token = held.client.token(&[("grant_type", "client_credentials"), ("scope", "reports:read")]).await;
    let told = held.client.introspect(&token.text("access_token")).await.json();
    assert_eq!((told.get("username"), told.get("auth_time")), (None::<&Value>, None::<&Value>), "{told}");
}

both![
    d_001_who_may_not_ask,
    d_002_a_stranger_is_told_nothing,
    d_003_all_that_is_dead_looks_the_same,
    d_004_of_somebody_or_something_that_is_gone,
    d_005_how_not_to_ask,
    d_006_guessing,
    d_007_told_no_more_than_needed,
];
