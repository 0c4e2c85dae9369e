//! `/account`: what it tells of apps and sessions, and what it asks before it ends something.

use crate::harness::*;

/// The line of an app's last use, and its date in the title.
fn last_used(page: &Answer, client: &Client) -> (String, String) {
    let found = page.select(&format!("[data-client-id='{}'] .last-used", client.id));
    let line = found.first().unwrap_or_else(|| panic!("{} is not listed: {page:?}", client.id));
    let title = line.split("title=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let words = line.split("</time>").next().and_then(|before| before.rsplit('>').next()).unwrap_or_default();
    (words.to_owned(), title.to_owned())
}

/// Fails if an app that was used is said not to have been, whatever ended its tokens: a logout, a revocation, a replay, or
/// the removal of what has expired.
async fn u07_last_used_is_true(db: Db) {
    let server = Server::start(db, &[("cleanup.interval_seconds", "86400")]);
    let user = User::new(&server);
    let browser = Browser::of(&server, &user).await;
    let client = Spec::confidential().scope("openid profile").create(&server);
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    assert_tokens(&client.redeem(&request, &code).await);
    let (words, title) = last_used(&browser.get("/account").await, &client);
    assert_eq!(words, "just now");
    assert!(title.ends_with(" UTC"), "{title}");

    // Three hours later.
    let at = "(SELECT MIN(created_at) FROM grants) - 10800";
    server.database.execute(&format!("UPDATE grants SET used_at = {at}, created_at = {at}"));
    let told = last_used(&browser.get("/account").await, &client);
    assert_eq!(told.0, "3 hours ago");

    browser.submit(&browser.get("/account").await.form("/logout")).await;
    let again = Browser::of(&server, &user).await;
    assert_eq!(last_used(&again.get("/account").await, &client), told, "after a logout");

    // Its grants expire and are removed.
    server.database.execute("UPDATE grants SET expires_at = created_at + 60");
    server.cli(&["cleanup"]);
    assert!(server.database.rows("grants", "1 = 1").is_empty());
    assert_eq!(last_used(&again.get("/account").await, &client), told, "after the cleanup");
}

/// Fails if a person cannot tell their sessions apart by the address they came from.
async fn u07_sessions_have_an_address(server: Shared) {
    let user = User::new(server);
    let (here, _there) = (Browser::of(server, &user).await, Browser::of(server, &user).await);
    let page = here.get("/account").await;
    assert_eq!(page.select("#sessions .address").len(), 2, "{page:?}");
    assert!(page.words().contains("From 127.0.0.1 , logged in just now"), "{page:?}");
}

/// Fails if one click ends what cannot be brought back.
async fn u13_what_destroys_asks_first(server: Shared) {
    register(server, "orders:read");
    let user = User::new(server);
    let (browser, other) = (Browser::of(server, &user).await, Browser::of(server, &user).await);
    let client = Spec::confidential().scope("openid profile").name("Notes & <Co>").create(server);
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    assert_tokens(&client.redeem(&request, &code).await);
    let account = browser.get("/account").await;
    Spec::api("https://u12.example").create(server);
    let keys = browser.get("/account/api-keys").await;
    let key =
        keys.form("/account/api-keys").with("name", "Nightly").with("scope", "orders:read").with("expires", "30d");
    let key = key.with("audience", "https://u12.example");
    assert_eq!(browser.post(&key).await.status, 200);
    let keys = browser.get("/account/api-keys").await;
    for (form, question) in [
        (account.form("/account/revoke"), "Remove the access of Notes & <Co> ?"),
        (account.form("/account/sessions/revoke-others"), "Log out everywhere else?"),
        (keys.form("/account/api-keys/revoke"), "Revoke the key Nightly ?"),
    ] {
        let path = form.action.path().to_owned();
        for unsure in [form.clone().without("confirmed"), form.clone().with("confirmed", "no")] {
            let asked = browser.post(&unsure).await;
            assert_eq!(asked.status, 200, "{path}: {asked:?}");
            assert_own_page(&asked);
            assert!(asked.words().contains(question), "{path}: {}", asked.words());
            assert!(asked.has_form(&path) && asked.words().contains("Cancel"), "{path}: {asked:?}");
        }
        // The question is no way around the form's token.
        let forged = browser.post(&form.clone().without("confirmed").with("csrf", "x")).await;
        assert_eq!(forged.status, 403, "{path}: {forged:?}");
    }
    assert_eq!(browser.get("/account").await.select("[data-client-id]").len(), 1, "the app is there");
    assert_eq!(other.get("/account").await.status, 200, "the other browser is logged in");
    assert_eq!(browser.get("/account/api-keys").await.select("[data-key-id]").len(), 1, "the key is there");

    // The form of the question does it.
    for (form, done) in [
        (account.form("/account/revoke"), "Notes & <Co> removed"),
        (account.form("/account/sessions/revoke-others"), "Other browsers logged out"),
        (keys.form("/account/api-keys/revoke"), "Key revoked"),
    ] {
        let path = form.action.path().to_owned();
        let asked = browser.post(&form.without("confirmed")).await;
        let after = browser.submit(&asked.form(&path)).await;
        let title = after.select("title").remove(0).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
        assert!(title.contains(done), "{path}: the success is in the title: {title}");
    }
    assert!(browser.get("/account").await.select("[data-client-id]").is_empty());
    assert_eq!(other.get("/account").await.header("location"), Some("/login"));
    assert!(browser.get("/account/api-keys").await.select("[data-key-id]").is_empty());
    // What is unknown is nothing to ask about.
    let unknown = browser.post(&account.form("/account/revoke").without("confirmed").with("client_id", "x")).await;
    assert_eq!(unknown.header("location"), Some("/account"));
}

/// Fails if a key can be revoked at an open browser without the password, or if the copy button loosens more than its own
/// script.
async fn u13_a_key_needs_a_fresh_login_to_end(server: Shared) {
    register(server, "orders:read");
    Spec::confidential().scope("orders:read").is("https://orders-u13.example").create(server);
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let page = browser.get("/account/api-keys").await;
    let form =
        page.form("/account/api-keys").with("name", "Nightly").with("scope", "orders:read").with("expires", "30d");
    let form = form.with("audience", "https://orders-u13.example");
    let shown = browser.post(&form).await;
    let policy = shown.header_or_empty("content-security-policy");
    let nonce = policy.split("script-src 'nonce-").nth(1).and_then(|rest| rest.strip_suffix('\'')).expect("one nonce");
    assert_eq!(shown.select(&format!("script[nonce='{nonce}'][src^='/static/copy.js']")).len(), 1, "{shown:?}");
    assert_eq!(shown.select("script").len(), 1, "{shown:?}");
    assert!(!page.header_or_empty("content-security-policy").contains("script-src"), "{page:?}");
    // The command asks the API that the key is for.
    assert!(
        shown.words().contains("curl -i https://orders-u13.example -H \"Authorization: Bearer $KEY\""),
        "{}",
        shown.words()
    );
    assert!(shown.select("title")[0].contains("Copy your new key"), "{shown:?}");

    let who = format!("WHERE username = '{}'", user.username);
    server.database.execute(&format!("UPDATE users SET password_changed_at = password_changed_at - 86400 {who}"));
    server.database.execute(&format!(
        "UPDATE sessions SET auth_time = auth_time - 301 WHERE user_id = (SELECT id FROM users {who})"
    ));
    let stale = browser.get("/account/api-keys").await;
    for form in [stale.form("/account/api-keys/revoke"), stale.form("/account/api-keys/revoke").without("confirmed")] {
        let answer = browser.post(&form).await;
        assert_eq!(answer.location().as_deref(), Some(server.url("/login?after=api-keys").as_str()), "{answer:?}");
    }
    assert_eq!(browser.get("/account/api-keys").await.select("[data-key-id]").len(), 1);
}

/// Fails if what is wrong with a new key is told one mistake at a time, or if the list speaks of scopes in other words than
/// the form.
async fn u13_all_mistakes_at_once(server: Shared) {
    register(server, "orders:read");
    Spec::api("https://u13.example").create(server);
    let browser = Browser::of(server, &User::new(server)).await;
    let page = browser.get("/account/api-keys").await;
    let form = page
        .form("/account/api-keys")
        .without("audience")
        .with("name", " ")
        .with("networks", "elsewhere")
        .with("expires", "30d");
    let answer = browser.post(&form).await;
    for field in ["name", "scope", "audience", "networks"] {
        assert_eq!(answer.select(&format!("#{field}-error")).len(), 1, "{field}: {answer:?}");
    }
    assert_eq!(answer.select("[autofocus]").len(), 1, "{answer:?}");
    assert_eq!(answer.select("#name[autofocus]").len(), 1, "the first wrong field has the focus: {answer:?}");
    let made = browser
        .post(
            &answer
                .form("/account/api-keys")
                .with("name", "Two")
                .with("scope", "orders:read")
                .with("audience", "https://u13.example")
                .with("networks", "10.0.0.0/8 192.0.2.7"),
        )
        .await;
    assert!(made.words().contains("10.0.0.0/8 , 192.0.2.7/32"), "{}", made.words());
    server.cli(&["scope", "set", "orders:read", "--title", "See your orders"]);
    assert!(browser.get("/account/api-keys").await.words().contains("May do See your orders orders:read"));
}

/// Fails if the account is a wall of details: an app is a row that opens.
async fn u20_apps_are_rows(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let client = Spec::confidential().scope("openid profile email").create(server);
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    assert_tokens(&client.redeem(&request, &code).await);
    let page = browser.get("/account").await;
    let row = format!("[data-client-id='{}']", client.id);
    assert_eq!(page.select(&format!("{row} details:not([open]) .scopes")).len(), 1, "{page:?}");
    assert_eq!(page.select(&format!("{row} > .panel-head .last-used")).len(), 1, "{page:?}");
    assert!(page.select(&format!("{row} summary"))[0].contains(" and 2 more"), "{page:?}");
}

both![
    u07_last_used_is_true,
    u07_sessions_have_an_address,
    u13_what_destroys_asks_first,
    u13_a_key_needs_a_fresh_login_to_end,
    u13_all_mistakes_at_once,
    u20_apps_are_rows,
];
