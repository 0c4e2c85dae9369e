//! Accounts at the command line: shown, changed and deleted; and names of every script (B-083).

use serde_json::json;

use crate::harness::*;

async fn b083_names_of_every_script(server: Shared) {
    let tag = random(4).to_lowercase().replace(['-', '_'], "x");
    for name in ["हिन्दी", "น้ำฝน", "İsmail", "o'brien", "田中", "Łukasz", "עִבְרִית", "jean-luc.d'arc"]
    {
        let user = User::named_with(server, &format!("{name}{tag}"), &format!("p{}@people.example", random(8)));
        let browser = Browser::of(server, &user).await;
        assert_eq!(browser.get("/account").await.status, 200, "{name}");
    }
    let create = |name: &str| {
        let args = [
            "user",
            "create",
            "--username",
            name,
            "--email",
            &format!("p{}@people.example", random(8)),
            "--password-stdin",
        ];
        server.try_cli(&args, "correct horse battery")
    };
    // One name, however it was typed.
    for (name, same) in [("İsmail", "ismail"), ("o'brien", "O\u{2019}BRIEN"), ("caf\u{e9}", "cafe\u{301}")] {
        let _ = create(&format!("{name}{tag}"));
        let failure = create(&format!("{same}{tag}")).expect_err(same);
        assert!(failure.output.contains("already"), "{failure:?}");
    }
    for name in
        ["'alice", "alice'", "al''ice", "\u{301}alice", "al\u{3164}ice", "al\u{200d}ice", "al ice", "a\u{20dd}lice"]
    {
        let failure = create(name).expect_err(name);
        assert!(failure.output.contains("letters or digits"), "the rule is told: {failure:?}");
    }
}

/// The names and the address of a person, changed by an operator and told by the scopes.
async fn u16_user_update(server: Shared) {
    let (user, other) = (User::new(server), User::new(server));
    let client = Spec::confidential().scope("openid profile email").create(server);
    let told = async || {
        let browser = Browser::of(server, &user).await;
        let request = client.request();
        let code = browser.grant(&user, &request).await.code();
        client.userinfo(&client.redeem(&request, &code).await.text("access_token")).await.json()
    };
    let before = told().await;
    assert_eq!((&before["given_name"], &before["name"]), (&json!(null), &json!(user.username)));
    assert_eq!(before["email_verified"], json!(false));
    let names = ["--given-name", "Alice", "--family-name", "Liddell", "--email-verified", "yes"];
    let changed = server.cli(&[&["user", "update", &user.username][..], &names].concat());
    assert_eq!((&changed["given_name"], &changed["email_verified"]), (&json!("Alice"), &json!(true)));
    let after = told().await;
    for (claim, value) in [
        ("given_name", json!("Alice")),
        ("family_name", json!("Liddell")),
        ("name", json!("Alice Liddell")),
        ("preferred_username", json!(user.username)),
        ("email_verified", json!(true)),
    ] {
        assert_eq!(after[claim], value, "{claim}");
    }
    // Another address is not verified; one of another person is refused; an empty value removes.
    let moved = format!("p{}@elsewhere.example", random(8).to_lowercase());
    let changed = server.cli(&["user", "update", &user.id, "--email", &moved, "--name", "Alice in Wonderland"]);
    assert_eq!((&changed["email"], &changed["email_verified"]), (&json!(moved), &json!(false)));
    assert_eq!(told().await["name"], json!("Alice in Wonderland"));
    assert!(server.try_cli(&["user", "update", &user.id, "--email", &other.email], "").is_err());
    let cleared = server.cli(&["user", "update", &user.id, "--name", "", "--given-name", "", "--family-name", ""]);
    assert_eq!((&cleared["name"], &cleared["family_name"]), (&json!(null), &json!(null)));
    // A role counts at once, and the API of the operator's own apps tells the same names.
    server.cli(&["user", "update", &user.id, "--role", "admin", "--given-name", "Alice"]);
    let app = FirstParty::native(server);
    let me = app.me(&app.login(&user).await.text("access_token")).await.json();
    assert_eq!((&me["given_name"], &me["roles"]), (&json!("Alice"), &json!(["admin"])));
    let shown = server.cli(&["user", "show", &moved]);
    assert_eq!(
        (&shown["id"], &shown["role"], &shown["has_password"]),
        (&json!(user.id), &json!("admin"), &json!(true))
    );
    assert!(shown["sessions"].as_i64().is_some_and(|n| n > 1), "{shown}");
    for args in [
        &["user", "update", &user.id][..],
        &["user", "update", &user.id, "--role", "root"],
        &["user", "update", &user.id, "--email", "nowhere"],
        &["user", "update", &user.id, "--name", "a\nb"],
        &["user", "update", "no-such-person", "--name", "x"],
    ] {
        assert!(server.try_cli(args, "").is_err(), "{args:?}");
    }
    // The trail tells which fields, and not what is in them.
    let changes = format!("{:?}", audit(server, "kind = 'user_changed'"));
    assert!(changes.contains("given_name") && !changes.contains("Liddell") && !changes.contains(&moved), "{changes}");
}

/// Erasure: nothing of a person stays but the trail, which has no names, and the knowledge that the id was used.
async fn u17_user_delete(server: Shared) {
    let user = User::new(server);
    let browser = Browser::of(server, &user).await;
    let client = Client::confidential(server);
    let request = client.request();
    let code = browser.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    let second = client.request();
    let pending = browser.grant(&user, &second).await.code();
    let app = FirstParty::native(server);
    let login = app.login(&user).await;
    server.cli(&["scope", "set", "cron:read", "--title", "Read for a program", "--description", "A program reads."]);
    server.cli(&[
        "api-key",
        "create",
        "--user",
        &user.username,
        "--name",
        &user.id,
        "--scope",
        "cron:read",
        "--audience",
        &server.issuer,
    ]);
    assert_eq!(server.cli(&["user", "show", &user.username])["api_keys"], json!(1));
    let events = audit(server, "1 = 1").len();
    let (status, shown) = server.at_terminal(&["user", "delete", &user.username], &["n"]);
    assert!(status == 2 && shown.contains("cannot be undone"), "it asks first: {shown}");
    assert_eq!(browser.get("/account").await.status, 200);
    let deleted = server.cli(&["user", "delete", &user.username, "--yes"]);
    assert_eq!((&deleted["deleted"], &deleted["id"]), (&json!(true), &json!(user.id)));
    // Nothing works any more.
    assert_ne!(browser.get("/account").await.status, 200);
    assert_ig(&client.refresh(&tokens.text("refresh_token")).await);
    assert_ig(&client.redeem(&second, &pending).await);
    assert_eq!(client.introspect(&tokens.text("access_token")).await.json(), json!({"active": false}));
    assert_eq!(client.userinfo(&tokens.text("access_token")).await.status, 401);
    assert_j(&app.me(&login.text("access_token")).await, 401, "invalid_token");
    assert_j(&app.refresh(&login.text("refresh_token")).await, 400, "invalid_grant");
    let again = app.try_login(&user.username, &user.password).await;
    assert_j(&again, 400, "invalid_grant");
    assert!(server.try_cli(&["user", "show", &user.id], "").is_err());
    // Nothing of them is left.
    let hex = user.id.replace('-', "").to_uppercase();
    for table in server.database.tables() {
        let rows = server.database.rows(&table, "1 = 1");
        for row in rows {
            let text = row.to_string().to_uppercase();
            for name in [&user.username, &user.email] {
                assert!(!text.contains(&name.to_uppercase()), "{table}: {row}");
            }
            let kept = ["access_tokens", "erased_users", "audit_events", "settings"].contains(&table.as_str());
            assert!(kept || !text.contains(&hex), "{table}: {row}");
        }
    }
    assert!(server.database.rows("api_keys", &format!("name = '{}'", user.id)).is_empty());
    assert!(audit(server, "1 = 1").len() > events, "the trail stays");
    assert_eq!(audit(server, "kind = 'user_deleted'").len(), 1);
    // The name is free again, and the new account is another one.
    let next = User::named(server, &user.username);
    assert_ne!(next.id, user.id);
    assert_eq!(server.cli(&["user", "show", &user.username])["sessions"], json!(0));
}

/// A backup from before does not bring a deleted person back.
#[test]
fn u17_a_restore_does_not_undo_a_deletion() {
    let server = Server::start(Db::Sqlite, &[]);
    let (gone, stays) = (User::new(&server), User::new(&server));
    let file = server.dir.join("before.backup").display().to_string();
    server.cli(&["backup", &file]);
    server.cli(&["user", "delete", &gone.username, "--yes"]);
    server.stop();
    let report = server.cli(&["restore", &file, "--force"]);
    assert!(report.to_string().contains("\"users_erased\":1"), "{report}");
    assert!(server.try_cli(&["user", "show", &gone.id], "").is_err());
    assert_eq!(server.cli(&["user", "show", &stays.id])["username"], json!(stays.username));
}

/// A folder that is made for a database is its owner's alone.
#[test]
fn p20_the_folder_of_a_database() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
    let path = dir.path().join("var/lib/latchway.db");
    let url = format!("sqlite://{}", path.display());
    let server = Server::prepared(Db::Sqlite, &[("database.url", &url)]);
    server.cli(&["migrate"]);
    for (made, mode) in [("var", 0o700), ("var/lib", 0o700), ("var/lib/latchway.db", 0o600)] {
        let found = std::fs::metadata(dir.path().join(made)).expect(made).permissions().mode() & 0o777;
        assert_eq!(found, mode, "{made}: {found:o}");
    }
}

both![b083_names_of_every_script, u16_user_update, u17_user_delete];
