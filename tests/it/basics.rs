//! What everything else stands on: the process, its state over a crash, and nothing secret where it does not belong.

use crate::harness::*;

/// Fails if one of the ways to authenticate is not taken, or if a wrong secret or key is.
async fn every_client_authentication(server: Shared) {
    let user = User::new(server);
    for auth in [Auth::Basic, Auth::Post, Auth::PrivateKeyJwt, Auth::None] {
        let spec = if auth == Auth::None { Spec::public() } else { Spec::confidential().auth(auth) };
        let client = spec.create(server);
        let request = client.request();
        let code = Browser::new(server).grant(&user, &request).await.code();
        if auth != Auth::None {
            let mut wrong = client.clone();
            wrong.secret = wrong.secret.map(|secret| secret + "x");
            wrong.key = wrong.key.map(|_| EsKey::new().into());
            assert_ic(&wrong.redeem(&request, &code).await);
        }
        let tokens = client.redeem(&request, &code).await;
        assert_tokens(&tokens);
        let header = header_of(&tokens.text("access_token"));
        assert_eq!(header["typ"], "at+jwt", "{auth:?}: {header}");
        assert_eq!(header["alg"], "ES256", "{auth:?}: {header}");
    }
}

/// Fails if something that a client was told with 200 is gone, or forgotten as used, after SIGKILL.
async fn what_was_answered_survives_a_crash(db: Db) {
    let server = Server::start(db, &[("tokens.refresh_retry_seconds", "0")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    assert_tokens(&tokens);
    assert!(server.is_alive());
    server.crash();
    assert!(!server.is_alive());
    server.spawn();

    let told = client.introspect(&tokens.text("access_token")).await;
    assert_eq!(told.json()["active"], true, "{told:?}");
    let refreshed = client.refresh(&tokens.text("refresh_token")).await;
    assert_tokens(&refreshed);
    assert_eq!(browser.get("/account").await.status, 200, "the session is there still");
    server.crash();
    server.spawn();
    // The rotation is durable too, so this is a replay, and it ends the family.
    assert_ig(&client.refresh(&tokens.text("refresh_token")).await);
    assert_revoked(&client, &refreshed.text("access_token")).await;
}

/// Fails if SIGTERM does not end the process in time.
async fn sigterm_stops_it(db: Db) {
    let server = Server::start(db, &[]);
    assert!(server.stop(), "still there ten seconds after SIGTERM:\n{}", server.log());
}

/// Fails if a password, a secret, a code, a token or a cookie stands in any table or in the log.
async fn no_secret_is_stored_or_logged(db: Db) {
    let server = Server::start(db, &[("log.level", "trace")]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let browser = Browser::of(&server, &user).await;
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    let refreshed = client.refresh(&tokens.text("refresh_token")).await;
    client.introspect(&refreshed.text("access_token")).await;
    client.userinfo(&refreshed.text("access_token")).await;

    let mut secrets = vec![
        ("password", user.password.clone()),
        ("client secret", client.secret.clone().expect("a secret")),
        ("code", code),
        ("verifier", request.pkce.verifier.clone()),
        ("refresh token", tokens.text("refresh_token")),
        ("next refresh token", refreshed.text("refresh_token")),
        ("access token", tokens.text("access_token")),
        ("ID token", tokens.text("id_token")),
    ];
    let jar = browser.jar();
    secrets.extend(jar.names().iter().map(|name| ("cookie", jar.get(name).expect("a cookie").to_owned())));
    let log = server.log();
    let tables: Vec<(String, String)> = server
        .database
        .tables()
        .into_iter()
        .map(|table| (format!("{:?}", server.database.rows(&table, "1 = 1")), table))
        .collect();
    assert!(tables.len() > 8, "the tables are looked into");
    for (what, secret) in secrets {
        // An opaque token is `id.secret`: its second half is what must not be found, nor may its hexadecimal form.
        let secret = secret.rsplit('.').next().unwrap_or_default();
        assert!(secret.len() >= 16, "{what} {secret:?} is too short to be looked for");
        assert!(!log.contains(secret), "the {what} stands in the log");
        for (rows, table) in &tables {
            assert!(!rows.contains(secret), "the {what} stands in {table}");
        }
    }
}

/// Fails if a form is taken that does not come from our own page, or if the page says not what to do next.
async fn a_form_without_its_csrf_field(server: Shared) {
    let (client, user) = (Client::public(server), User::new(server));
    let browser = Browser::new(server);
    let page = browser.consent_page(&user, &client.request()).await;
    let form = page.form("/consent").press("decision", "approve");
    let refused = browser.post(&form.clone().without("csrf")).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_own_page(&refused);
    assert_audit(server, &refused, "csrf_rejected");
    assert!(refused.words().len() > 40, "says what to do next: {refused:?}");
    browser.submit(&form).await.redirect().code();
}

both![
    every_client_authentication,
    what_was_answered_survives_a_crash,
    sigterm_stops_it,
    no_secret_is_stored_or_logged,
    a_form_without_its_csrf_field,
];
