//! One record for each decision, with who, what, from where and why, and never a secret.

use super::*;

/// What the trail has of the request that got an answer.
fn of(server: &Server, answer: &Answer) -> Vec<(String, String, String)> {
    let id = answer.header("x-request-id").expect("a request id");
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut rows = audit(server, &format!("request_id = '{id}'"));
    rows.sort_by_key(|row| row["sequence"].as_i64());
    rows.iter().map(|row| (text(row, "kind"), text(row, "outcome"), text(row, "reason"))).collect()
}

#[track_caller]
fn assert_one(server: &Server, answer: &Answer, kind: &str, outcome: &str, reason: &str) {
    let found = of(server, answer);
    assert_eq!(found, [(kind.to_owned(), outcome.to_owned(), reason.to_owned())], "after {answer:?}");
    let id = answer.header("x-request-id").expect("a request id");
    let row = &audit(server, &format!("request_id = '{id}'"))[0];
    assert_eq!(row["address"], "127.0.0.1", "{row}");
}

/// I7, I8, F-033: every kind of request that there is. Fails if a decision leaves no record or two, if one lacks its
/// reason, or if anything that somebody could use is in the trail.
async fn i_007_i_008_the_whole_zoo(db: Db) {
    let server =
        Server::start(db, &[("limits.login_failures_per_account", "3"), ("tokens.refresh_retry_seconds", "0")]);
    let (user, other) = (User::new(&server), User::new(&server));
    let client = Client::confidential(&server);
    let foreign = Client::confidential(&server);
    let mut secrets = vec![user.password.clone(), other.password.clone()];
    secrets.extend([&client, &foreign].iter().filter_map(|client| client.secret.clone()));

    // A login, a consent, a code.
    let browser = Browser::new(&server);
    let request = client.request();
    let page = browser.open(&request.url()).await;
    secrets.extend(page.form("/login").get("csrf").map(str::to_owned));
    let form = page.form("/login").with("username", &user.username).with("password", &user.password);
    let logged_in = browser.post(&form).await;
    assert_one(&server, &logged_in, "login_succeeded", "success", "");
    let consent = browser.follow(logged_in).await;
    let form = consent.form("/consent").press("decision", "approve");
    secrets.extend(form.get("csrf").map(str::to_owned));
    let approved = browser.post(&form).await;
    let kinds: Vec<String> = of(&server, &approved).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, ["consent_given", "code_issued"], "the person's decision and the server's");
    let twice = browser.post(&form).await;
    assert_eq!(
        of(&server, &twice),
        vec![],
        "the same form again leads where the first led, and decides nothing: {twice:?}"
    );
    let code = approved.redirect().code();
    secrets.push(code.clone());
    secrets.extend(browser.jar().get("latchway_session").map(str::to_owned));

    // What becomes of it.
    let wrong = foreign.redeem(&request, &code).await;
    assert_one(&server, &wrong, "code_client_mismatch", "failure", "code_client_mismatch");
    let tokens = client.redeem(&request, &code).await;
    assert_one(&server, &tokens, "token_issued", "success", "");
    let refreshed = client.refresh(&tokens.text("refresh_token")).await;
    assert_one(&server, &refreshed, "token_refreshed", "success", "");
    for answer in [&tokens, &refreshed] {
        secrets.extend(["access_token", "refresh_token"].map(|name| answer.text(name)));
    }
    let stolen = foreign.revoke(&refreshed.text("access_token")).await;
    assert_one(&server, &stolen, "token_revoked", "failure", "another_clients_token");
    let revoked = client.revoke(&refreshed.text("access_token")).await;
    assert_one(&server, &revoked, "token_revoked", "success", "");
    let again = client.revoke(&refreshed.text("access_token")).await;
    assert_eq!((again.status, of(&server, &again)), (200, vec![]), "nothing was decided");
    let reuse = client.refresh(&tokens.text("refresh_token")).await;
    assert_one(&server, &reuse, "refresh_reuse", "failure", "refresh_reuse");
    let dead = client.refresh(&refreshed.text("refresh_token")).await;
    assert_one(&server, &dead, "token_refused", "failure", "token_refused");
    let unknown = client.refresh("lwrt_nonsense").await;
    assert_one(&server, &unknown, "token_refused", "failure", "invalid_grant");
    let scope = client.token(&[("grant_type", "client_credentials"), ("scope", "more")]).await;
    assert_eq!(of(&server, &scope)[0].0, "token_refused", "{scope:?}");
    assert_eq!(of(&server, &scope).len(), 1);
    assert!(!of(&server, &scope)[0].2.is_empty());
    let machine = machine(&server);
    secrets.extend(machine.secret.clone());
    let grant = machine.token(&[("grant_type", "authorization_code"), ("code", &code)]).await;
    assert_one(&server, &grant, "token_refused", "failure", "unauthorized_client");
    let guess = random(24);
    secrets.push(guess.clone());
    let impostor = Client { secret: Some(guess), ..client.clone() };
    let refused = impostor.token(&[("grant_type", "client_credentials")]).await;
    assert_one(&server, &refused, "client_auth_failed", "failure", "wrong_credentials");
    let nobody = Client { id: "nobody".to_owned(), ..impostor.clone() };
    let refused = nobody.token(&[("grant_type", "client_credentials")]).await;
    assert_one(&server, &refused, "client_auth_failed", "failure", "unknown_client");

    // Requests that lead nowhere.
    let strange = browser.authorize(&client.request().set("redirect_uri", "https://evil.example/cb")).await;
    assert_one(&server, &strange, "redirect_uri_mismatch", "failure", "not_registered");
    let strange = browser.authorize(&client.request().set("client_id", "nobody")).await;
    assert_one(&server, &strange, "authz_unknown_client", "failure", "unknown_client");
    let strange = Browser::new(&server).authorize(&client.request().set("prompt", "none")).await;
    assert_one(&server, &strange, "authz_refused", "failure", "login_required");
    let denied = browser.deny(&browser.open(&client.request().set("prompt", "consent").url()).await).await;
    assert_eq!(of(&server, &denied), [("consent_denied".to_owned(), "success".to_owned(), String::new())]);

    // Logins that fail, until none is tried any more.
    let guesses = Browser::new(&server);
    let form = guesses.get("/login").await.form("/login").with("username", &other.username);
    for n in 0..5 {
        let guess = random(24);
        let answer = guesses.post(&form.clone().with("password", &guess)).await;
        secrets.push(guess);
        if n < 3 {
            assert_one(&server, &answer, "login_failed", "failure", "wrong_credentials");
        } else {
            assert_one(&server, &answer, "login_throttled", "failure", "account_limit");
        }
    }

    // The account page.
    let account = browser.get("/account").await;
    let forged = browser.post(&account.form("/logout").with("csrf", "forged")).await;
    assert_one(&server, &forged, "csrf_rejected", "failure", "not_our_form");
    let mut others = account.form("/logout").with("confirmed", "yes");
    others.action = server.url("/account/sessions/revoke-others").parse().expect("a URL");
    let stranger = Browser::new(&server).post(&others).await;
    assert_one(&server, &stranger, "csrf_rejected", "failure", "no_session");
    let second = Browser::of(&server, &user).await;
    secrets.extend(second.jar().get("latchway_session").map(str::to_owned));
    let ended = browser.post(&others).await;
    assert_one(&server, &ended, "session_revoked", "success", "");
    let form = account.forms().into_iter().find(|form| form.action.path() == "/account/revoke");
    let form = form.unwrap_or_else(|| browser_form(&account, &server, &client));
    let withdrawn = browser.post(&form).await;
    assert_one(&server, &withdrawn, "consent_withdrawn", "success", "");
    let out = browser.post(&browser.get("/account").await.form("/logout")).await;
    assert_one(&server, &out, "logged_out", "success", "");
    let link = random(48);
    let setup = Browser::new(&server).get(&format!("/setup?token={link}")).await;
    secrets.push(link);
    assert_one(&server, &setup, "setup_refused", "failure", "dead_link");

    operators(&server, &user, &client, &mut secrets);

    // All of it, as the database and the export have it.
    let file = server.dir.join("zoo.jsonl").display().to_string();
    server.cli(&["audit", "export", "--out", &file]);
    let export = std::fs::read_to_string(&file).expect("an export");
    let rows = format!("{:?} {:?}", audit(&server, "1 = 1"), server.database.rows("audit_checkpoints", "1 = 1"));
    assert!(secrets.len() > 15 && secrets.iter().all(|secret| secret.len() > 8), "{secrets:?}");
    for secret in &secrets {
        assert!(!export.contains(secret.as_str()) && !rows.contains(secret.as_str()), "in the trail: {secret}");
    }
    for person in [&user, &other] {
        assert!(!export.contains(&person.username), "in the trail: {}", person.username);
    }
    let unreasoned = audit(&server, "outcome = 'failure' AND (reason IS NULL OR reason = '')");
    assert!(unreasoned.is_empty(), "{unreasoned:?}");
    assert_verified(&server);
}

fn browser_form(account: &Answer, server: &Server, client: &Client) -> Form {
    let mut form = account.form("/logout").with("client_id", &client.id).with("confirmed", "yes");
    form.action = server.url("/account/revoke").parse().expect("a URL");
    form
}

/// What is done at the command line names who did it.
fn operators(server: &Server, user: &User, client: &Client, secrets: &mut Vec<String>) {
    // The server's own jobs record as well, such as what they found in the requests above: that names no operator.
    let by_operators = |condition: &str| audit(server, &format!("{condition} AND operator IS NOT NULL")).len();
    let count = |kind: &str| by_operators(&format!("kind = '{kind}'"));
    let kid = || server.cli(&["keys", "list"])[0]["kid"].as_str().expect("a key").to_owned();
    let password = random(24);
    secrets.push(password.clone());
    let set_password = ["user", "set-password", &user.username, "--password-stdin"];
    let rotated = |answer: Value| answer["client_secret"].as_str().map(str::to_owned);
    for (args, kind) in [
        (&["user", "disable", &user.username][..], "user_changed"),
        (&["user", "enable", &user.username], "user_changed"),
        (&set_password, "user_changed"),
        (&["client", "update", &client.id, "--name", "Renamed"], "client_changed"),
        (&["client", "rotate-secret", &client.id], "client_changed"),
        (&["client", "disable", &client.id], "client_changed"),
        (&["client", "delete", &client.id], "client_changed"),
        (&["scope", "set", "zoo:read", "--title", "See the zoo"], "scope_changed"),
        (&["scope", "delete", "zoo:read"], "scope_changed"),
        (&["api", "set", "https://zoo.example", "--title", "The zoo"], "api_title_changed"),
        (&["api", "delete", "https://zoo.example"], "api_title_changed"),
        (&["keys", "rotate"], "key_rotated"),
        (&["keys", "retire", &kid(), "--compromised"], "key_retired"),
        (&["restore-point", "--yes"], "restored"),
    ] {
        let before = (count(kind), by_operators("1 = 1"));
        let answer = server.try_cli(args, &password).unwrap_or_else(|failure| panic!("{args:?}: {failure:?}"));
        secrets.extend(rotated(answer));
        assert_eq!(count(kind), before.0 + 1, "{args:?}");
        // Whoever retires the last key of its kind makes another.
        let made = by_operators("1 = 1") - before.1;
        assert!(made == 1 || kind == "key_retired" && made == 2, "{args:?}: {made} records");
    }
    for args in
        [&["user", "list"][..], &["client", "list"], &["keys", "list"], &["audit", "list"], &["audit", "verify"]]
    {
        let before = by_operators("1 = 1");
        server.cli(args);
        assert_eq!(by_operators("1 = 1"), before, "{args:?} only reads");
    }
}

both![i_007_i_008_the_whole_zoo];
