//! An app on a phone: tokens in the body.

use serde_json::json;

use crate::harness::*;

async fn from_login_to_logout(server: Shared) {
    let (app, user) = (FirstParty::native(server), User::new(server));
    for name in [&user.username, &user.email, &user.email.to_uppercase()] {
        let answer = app.try_login(name, &user.password).await;
        assert_tokens(&answer);
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    }
    let first = app.login(&user).await;
    let mut members: Vec<String> = first.json().as_object().expect("an object").keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["access_token", "device_mark", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!((first.text("scope").as_str(), &first.json()["expires_in"]), ("notes:read profile", &json!(900)));
    assert_audit(server, &first, "login_succeeded");
    assert_audit(server, &first, "token_issued");
    let request_id = first.header_or_empty("x-request-id");
    let event = audit(server, &format!("kind = 'login_succeeded' AND request_id = '{request_id}'")).remove(0);
    assert!(event["detail"].to_string().contains("not asked: first-party client"), "{event}");
    assert_eq!(event["client_id"], json!(app.client.id));

    let me = app.me(&first.text("access_token")).await;
    assert_eq!(me.status, 200, "{me:?}");
    let expected = json!({
        "sub": user.id, "username": user.username, "name": user.username, "email": user.email,
        "email_verified": false, "roles": ["user"], "auth_time": me.json()["auth_time"],
    });
    assert_eq!(me.json(), expected);
    assert!((now() - me.json()["auth_time"].as_i64().expect("a time")).abs() < 30);
    let claims = claims_of(&first.text("access_token"));
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!([server.issuer]), &json!(user.id)));

    let second = app.refresh(&first.text("refresh_token")).await;
    assert_tokens(&second);
    assert_audit(server, &second, "token_refreshed");
    assert_ne!(second.text("refresh_token"), first.text("refresh_token"));
    assert_eq!(second.text("scope"), first.text("scope"));
    assert_eq!(app.me(&second.text("access_token")).await.json()["auth_time"], me.json()["auth_time"]);

    let out = app.logout(&second.text("refresh_token")).await;
    assert_eq!((out.status, out.body.as_str(), out.header("set-cookie")), (204, "", None), "{out:?}");
    assert_audit(server, &out, "logged_out");
    for token in [&first, &second] {
        assert_j(&app.me(&token.text("access_token")).await, 401, "invalid_token");
        assert_ig(&app.refresh(&token.text("refresh_token")).await);
    }
    for token in [second.text("refresh_token"), first.text("refresh_token"), "lwrt_nothing".to_owned()] {
        assert_eq!(app.logout(&token).await.status, 204, "twice is as good as once");
    }
}

/// What ended on one node has ended on the other when the answer is there.
async fn logout_counts_everywhere(db: Db) {
    if db == Db::Sqlite {
        return;
    }
    let server = Server::start(db, &[]);
    let node = server.another_node();
    let (app, user) = (FirstParty::native(&server), User::new(&server));
    let elsewhere = app.at(&node);
    for _ in 0..5 {
        let tokens = app.login(&user).await;
        assert_eq!(elsewhere.me(&tokens.text("access_token")).await.status, 200);
        assert_eq!(app.logout(&tokens.text("refresh_token")).await.status, 204);
        assert_j(&elsewhere.me(&tokens.text("access_token")).await, 401, "invalid_token");
        assert_ig(&elsewhere.refresh(&tokens.text("refresh_token")).await);
    }
}

async fn logout_by_the_access_token(server: Shared) {
    let (app, user) = (FirstParty::native(server), User::new(server));
    let tokens = app.login(&user).await;
    let out =
        |token: String| http().post(server.url("/api/v1/logout")).header("Authorization", format!("Bearer {token}"));
    assert_eq!(Answer::of(out(tokens.text("access_token"))).await.status, 204);
    assert_ig(&app.refresh(&tokens.text("refresh_token")).await);
    assert_eq!(Answer::of(out(tokens.text("access_token"))).await.status, 204, "again");
    assert_j(&Answer::of(out("nonsense".to_owned())).await, 401, "invalid_token");
    let nothing = Answer::of(http().post(server.url("/api/v1/logout"))).await;
    assert_j(&nothing, 400, "invalid_request");
    assert!(nothing.text("error_description").contains("refresh_token"), "{nothing:?}");
}

/// The rotation of the token endpoint under the strict policy: a retry after a lost answer, and the end of the family after
/// a theft.
async fn one_use_each(server: Shared) {
    let (app, user) = (FirstParty::native(server), User::new(server));
    server.cli(&["client", "update", &app.client.id, "--refresh", "strict"]);
    let first = app.login(&user).await.text("refresh_token");
    let (lost, again) = (app.refresh(&first).await, app.refresh(&first).await);
    assert_tokens(&lost);
    assert_tokens(&again);
    assert_eq!(lost.text("refresh_token"), again.text("refresh_token"), "the same successor");
    assert_eq!(app.me(&again.text("access_token")).await.status, 200, "the answer arrived");
    let thief = app.refresh(&first).await;
    assert_ig(&thief);
    assert_audit(server, &thief, "refresh_reuse");
    assert_ig(&app.refresh(&again.text("refresh_token")).await);
    assert_j(&app.me(&again.text("access_token")).await, 401, "invalid_token");
}

async fn at_once_is_one_use(server: Shared) {
    let (app, user) = (FirstParty::native(server), User::new(server));
    let first = app.login(&user).await.text("refresh_token");
    let body = json!({"client_id": app.client.id, "refresh_token": first});
    let requests = (0..20).map(|_| app.request("/token/refresh", &body));
    let mut running: tokio::task::JoinSet<Answer> = requests.map(Answer::of).collect();
    let mut successors = std::collections::BTreeSet::new();
    while let Some(answer) = running.join_next().await {
        let answer = answer.expect("an answer");
        assert_tokens(&answer);
        successors.insert(answer.text("refresh_token"));
    }
    assert_eq!(successors.len(), 1, "one successor for all of them");
}

/// A family belongs to the endpoint at which it began, unless the client is registered for both.
async fn families_keep_to_their_endpoint(server: Shared) {
    let user = User::new(server);
    let app = FirstParty::native(server);
    let tokens = app.login(&user).await;
    assert_j(&app.client.refresh(&tokens.text("refresh_token")).await, 400, "unauthorized_client");
    assert_tokens(&app.refresh(&tokens.text("refresh_token")).await);

    let both = FirstParty::spec().grants(&["refresh_token"]).create(server);
    let app = FirstParty::native_of(both);
    let tokens = app.login(&user).await;
    let there = app.client.refresh(&tokens.text("refresh_token")).await;
    assert_tokens(&there);
    assert_tokens(&app.refresh(&there.text("refresh_token")).await);

    let spec = Spec::public().flags(&["--first-party", "--application-type", "native"]);
    let app = FirstParty::native_of(spec.create(server));
    let request = app.client.request();
    let code = Browser::new(server).grant(&user, &request).await.code();
    let tokens = app.client.redeem(&request, &code).await;
    assert_tokens(&tokens);
    let here = app.refresh(&tokens.text("refresh_token")).await;
    assert_ig(&here);
    assert!(here.text("error_description").contains("/oauth2/token"), "{here:?}");
    assert_j(&app.logout(&tokens.text("refresh_token")).await, 400, "unauthorized_client");
    assert_eq!(
        app.me(&tokens.text("access_token")).await.status,
        200,
        "it is a first-party client's token all the same"
    );
    assert_tokens(&app.client.refresh(&tokens.text("refresh_token")).await);
}

/// Another client's refresh token is worth nothing, and its family lives.
async fn another_clients_token(server: Shared) {
    let (one, other, user) = (FirstParty::native(server), FirstParty::native(server), User::new(server));
    let tokens = one.login(&user).await;
    assert_ig(&other.refresh(&tokens.text("refresh_token")).await);
    assert_j(&other.logout(&tokens.text("refresh_token")).await, 400, "unauthorized_client");
    assert_eq!(one.me(&tokens.text("access_token")).await.status, 200);
    assert_tokens(&one.refresh(&tokens.text("refresh_token")).await);
}

async fn scope_and_resource(server: Shared) {
    let (api, other) = ("https://api.notes.example", "https://other.notes.example");
    let spec = FirstParty::spec().scope("openid profile notes:read notes:write").audience(api).audience(other);
    let (app, user) = (FirstParty::native_of(spec.create(server)), User::new(server));
    let ask = async |member: &str, value: serde_json::Value| {
        let mut body = app.credentials(&user.username, &user.password);
        body[member] = value;
        app.post("/login", &body).await
    };
    let all = app.login(&user).await;
    assert_eq!(all.text("scope"), "notes:read notes:write openid profile");
    assert_eq!(all.json().get("id_token"), None, "who it is tells /api/v1/me");
    assert_eq!(claims_of(&all.text("access_token"))["aud"], json!([api, other, server.issuer]));
    let narrow = ask("scope", json!("notes:read")).await;
    assert_eq!(narrow.text("scope"), "notes:read");
    let refreshed = app.refresh(&narrow.text("refresh_token")).await;
    assert_eq!(refreshed.text("scope"), "notes:read");
    assert_eq!(app.me(&refreshed.text("access_token")).await.status, 200);
    for wide in ["notes:read admin", "admin", "no\"scope"] {
        assert_j(&ask("scope", json!(wide)).await, 400, "invalid_scope");
    }
    for resource in [json!(api), json!([api])] {
        let mut body = app.credentials(&user.username, &user.password);
        (body["resource"], body["scope"]) = (resource, json!("notes:read"));
        let bound = app.post("/login", &body).await;
        assert_eq!(claims_of(&bound.text("access_token"))["aud"], json!([api]));
        assert_j(&app.me(&bound.text("access_token")).await, 401, "invalid_token");
        let refreshed = app.refresh(&bound.text("refresh_token")).await;
        assert_eq!(claims_of(&refreshed.text("access_token"))["aud"], json!([api]));
    }
    assert_j(&ask("resource", json!("https://elsewhere.example")).await, 400, "invalid_target");
}

/// `/account` lists the app like any other, and takes it away.
async fn the_account_takes_it_back(server: Shared) {
    let (app, user) = (FirstParty::native(server), User::new(server));
    let tokens = app.login(&user).await;
    let browser = Browser::of(server, &user).await;
    let page = browser.get("/account").await;
    assert!(page.body.contains(&format!("data-client-id=\"{}\"", app.client.id)), "{page:?}");
    let form = page
        .forms()
        .into_iter()
        .find(|form| form.action.path() == "/account/revoke" && form.encoded().contains(&app.client.id));
    browser.submit(&form.expect("a form that removes it")).await;
    assert_j(&app.me(&tokens.text("access_token")).await, 401, "invalid_token");
    assert_ig(&app.refresh(&tokens.text("refresh_token")).await);
}

/// API keys and tokens of others stand for nobody here.
async fn who_may_ask(server: Shared) {
    let (app, user) = (FirstParty::native(server), User::new(server));
    let url = server.url("/api/v1/me");
    let anonymous = Answer::of(http().get(&url)).await;
    assert_j(&anonymous, 401, "invalid_token");
    assert_eq!(anonymous.header("www-authenticate"), Some(r#"Bearer realm="latchway""#));
    assert_j(&Answer::of(http().get(&url).header("X-API-Key", "lw_0123456789")).await, 401, "invalid_token");
    for wrong in ["lw_0123456789abcdef", "", "a.b.c", &app.login(&user).await.text("refresh_token")] {
        assert_j(&app.me(wrong).await, 401, "invalid_token");
    }
    let token = app.login(&user).await.text("access_token");
    let in_url = Answer::of(http().get(format!("{url}?access_token={token}"))).await;
    assert_j(&in_url, 400, "invalid_request");
    let twice = http().get(&url).header("Authorization", format!("Bearer {token}"));
    let twice = twice.header("Cookie", format!("latchway_access={token}"));
    assert_j(&Answer::of(twice).await, 400, "invalid_request");

    let third = Client::public(server);
    let request = third.request();
    let code = Browser::new(server).grant(&user, &request).await.code();
    let tokens = third.redeem(&request, &code).await;
    assert_eq!(third.userinfo(&tokens.text("access_token")).await.status, 200);
    assert_j(&app.me(&tokens.text("access_token")).await, 403, "forbidden");
    let machine = Spec::confidential().scope("reports:read").create(server);
    let tokens = machine.token(&[("grant_type", "client_credentials")]).await;
    assert_j(&app.me(&tokens.text("access_token")).await, 401, "invalid_token");
}

both![
    from_login_to_logout,
    logout_counts_everywhere,
    logout_by_the_access_token,
    one_use_each,
    at_once_is_one_use,
    families_keep_to_their_endpoint,
    another_clients_token,
    scope_and_resource,
    the_account_takes_it_back,
    who_may_ask,
];
