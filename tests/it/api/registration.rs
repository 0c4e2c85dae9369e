//! `client create --first-party`: who may use the API.

use serde_json::json;

use crate::harness::*;

async fn only_first_party_clients(server: Shared) {
    let user = User::new(server);
    for client in [Client::public(server), Client::confidential(server)] {
        let app = FirstParty::native_of(client);
        assert_j(&app.try_login(&user.username, &user.password).await, 400, "unauthorized_client");
        assert_j(&app.refresh("lwrt_x").await, 400, "unauthorized_client");
    }
    let app = FirstParty::native(server);
    let (nobody, disabled) = (FirstParty::native(server), FirstParty::native(server));
    server.cli(&["client", "delete", &nobody.client.id]);
    server.cli(&["client", "disable", &disabled.client.id]);
    let gone = nobody.try_login(&user.username, &user.password).await;
    assert_j(&gone, 401, "invalid_client");
    assert_same(&gone, &disabled.try_login(&user.username, &user.password).await);
    assert_tokens(&app.login(&user).await);
    // And it may do nothing else that was not said.
    let cc = app.client.token(&[("grant_type", "client_credentials")]).await;
    assert!([400, 401].contains(&cc.status), "{cc:?}");
    assert_j(&app.client.refresh("lwrt_x").await, 400, "unauthorized_client");
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", "y")];
    assert_j(&app.client.token(&code).await, 400, "unauthorized_client");
}

async fn what_is_shown(server: Shared) {
    let create = |flags: &[&str]| {
        let args = [&["client", "create", "--name", "My app", "--scope", "profile"], flags].concat();
        server.try_cli(&args, "")
    };
    let made = create(&["--first-party"]).expect("a client");
    assert_eq!(made["first_party"], json!(true));
    assert_eq!((&made["public"], &made["application_type"]), (&json!(true), &json!("native")));
    assert_eq!(made.get("client_secret"), None);
    assert_eq!(create(&["--public", "--first-party"]).expect("a client")["application_type"], json!("native"));
    let web = create(&["--first-party", "--application-type", "web"]).expect("a client");
    assert_eq!(web["application_type"], json!("web"));
    let id = web["client_id"].as_str().expect("an id");
    assert_eq!(server.cli(&["client", "show", id])["first_party"], json!(true));
    assert_eq!(server.cli(&["client", "update", id, "--name", "Other"])["application_type"], json!("web"));
    assert_eq!(server.cli(&["client", "update", id, "--first-party=false"])["first_party"], json!(false));
    assert_eq!(server.cli(&["client", "update", id, "--first-party"])["first_party"], json!(true));
    let native = server.cli(&["client", "update", "--application-type", "native", id]);
    assert_eq!(native["application_type"], json!("native"));
    let listed = server.cli(&["client", "list"]);
    let found = listed.as_array().expect("a list").iter().find(|client| client["client_id"] == json!(id));
    assert_eq!(found.expect("it is there")["first_party"], json!(true));
    for wrong in [
        &["--first-party", "--auth-method", "client_secret_basic"][..],
        &["--first-party", "--application-type", "desktop"],
        &["--first-party", "--application-type", "web", "--redirect-uri", "com.example.app:/cb"],
        &["--public", "--grant", "refresh_token"],
    ] {
        let failure = create(wrong).expect_err("refused");
        assert!(failure.output.contains("error"), "{wrong:?}: {failure:?}");
    }
    let ordinary = create(&["--public", "--redirect-uri", "https://app.example/cb"]).expect("a client");
    assert_eq!(ordinary["first_party"], json!(false));
}

/// Whatever is taken away ends what came of it, on each way on which tokens are used (matrix M).
async fn what_ends_a_family(server: Shared) {
    type End = fn(&Server, &FirstParty, &User);
    let ends: &[(&str, End)] = &[
        ("user disabled", |server, _, user| _ = server.cli(&["user", "disable", &user.username])),
        ("password changed", |server, _, user| {
            let args = ["user", "set-password", &user.username, "--password-stdin"];
            server.try_cli(&args, "another horse battery").expect("a password");
        }),
        ("client disabled", |server, app, _| _ = server.cli(&["client", "disable", &app.client.id])),
        ("client deleted", |server, app, _| _ = server.cli(&["client", "delete", &app.client.id])),
        ("third party", |server, app, _| _ = server.cli(&["client", "update", &app.client.id, "--first-party=false"])),
        ("scope removed", |server, app, _| _ = server.cli(&["client", "update", &app.client.id, "--scope", "profile"])),
    ];
    for (what, end) in ends {
        let (app, user) = (FirstParty::native(server), User::new(server));
        let tokens = app.login(&user).await;
        assert_eq!(app.me(&tokens.text("access_token")).await.status, 200, "{what}");
        end(server, &app, &user);
        assert_j(&app.me(&tokens.text("access_token")).await, 401, "invalid_token");
        let refreshed = app.refresh(&tokens.text("refresh_token")).await;
        assert!([400, 401].contains(&refreshed.status), "{what}: {refreshed:?}");
        assert_eq!(refreshed.json().get("access_token"), None, "{what}: {refreshed:?}");
        assert_eq!(app.logout(&tokens.text("refresh_token")).await.status, 204, "{what}: one can always log out");
    }
}

both![only_first_party_clients, what_is_shown, what_ends_a_family];
