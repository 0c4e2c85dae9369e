//! S7, S8, B-091, A4, B-102: serving needs rights on rows, older binaries stay away, and nothing is made by mistake.

use super::*;

/// Fails if serving needs more than rights on rows.
async fn s08_a_role_without_ddl_serves() {
    let server = Server::prepared(Db::Postgres, &[]);
    server.cli(&["migrate"]);
    let role = Role::new(&server.database, "");
    server.database.execute(&format!("GRANT USAGE ON SCHEMA public TO {}", role.name));
    let rights = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public";
    server.database.execute(&format!("GRANT {rights} TO {}", role.name));
    let node = server.node(&[("database.url", &role.url)]);
    node.spawn();
    let (client, user) = (Client::confidential(&node), User::new(&node));
    let request = client.request();
    let code = Browser::new(&node).grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    assert_tokens(&tokens);
    assert_eq!(client.introspect(&tokens.text("access_token")).await.json()["active"], true);
    node.cli(&["cleanup"]);
    node.cli(&["keys", "rotate"]);
    assert_eq!(node.cli(&["audit", "verify"])["ok"], true);
    assert_eq!(node.cli(&["migrate"])["applied"], 0, "there is nothing to do, and nothing is needed for that");
    assert!(!node.log().contains("already exists, skipping"), "{}", node.log());
    // What it may not do is said as what it is.
    server.database.execute(
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)",
    );
    let refused = node.try_cli(&["migrate"], "").expect_err("a migration needs more").output;
    assert!(refused.contains("permission denied") || refused.contains("already exists"), "{refused}");
    node.stop();
}

/// Fails if any command of an older binary goes on with a schema that it does not know.
async fn s07_b091_a_newer_schema_is_refused(db: Db) {
    let server = Server::prepared(db, &[]);
    server.cli(&["migrate"]);
    server.database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000000')");
    for args in [
        &["migrate"][..],
        &["client", "list"],
        &["keys", "list"],
        &["restore-point", "--yes"],
        &["audit", "verify"],
        &["cleanup"],
        &["serve"],
    ] {
        let refused = server.try_cli(args, "").expect_err("a newer schema").output;
        assert!(refused.contains("migrated by a newer version of latchway"), "{args:?}: {refused}");
    }
    if db == Db::Sqlite {
        // A copy is one of any version; only its own is restored.
        let backup = server.dir.join("newer.backup").display().to_string();
        assert_eq!(server.cli(&["backup", &backup])["schema"], "99991231000000");
        let refused = server.try_cli(&["restore", &backup, "--force"], "").expect_err("a newer schema").output;
        assert!(refused.contains("newer version of latchway"), "{refused}");
    }
}

/// Fails if a path that leads nowhere becomes an empty database.
async fn a04_a_wrong_path_makes_nothing() {
    let server = Server::prepared(Db::Sqlite, &[]);
    let gone = server.dir.join("not/mounted/x.db");
    let wrong = server.node(&[("database.url", &format!("sqlite://{}", gone.display()))]);
    for args in
        [&["serve"][..], &["client", "list"], &["cleanup"], &["keys", "rotate"], &["config", "check", "--connect"]]
    {
        let refused = wrong.try_cli(args, "").expect_err("there is no database").output;
        assert!(refused.contains(&gone.display().to_string()), "{args:?}: {refused}");
        assert!(!server.dir.join("not").exists(), "{args:?} made a folder");
    }
    wrong.cli(&["migrate"]);
    assert!(gone.exists(), "`migrate` makes one");
    wrong.spawn();
    wrong.stop();

    // The folder can be named for all commands at once.
    let folder = server.dir.join("elsewhere").display().to_string();
    let elsewhere =
        server.node(&[]).with_variable("LATCHWAY__DATABASE__URL", None).with_variable("LATCHWAY_DATA", Some(&folder));
    let refused = elsewhere.try_cli(&["client", "list"], "").expect_err("there is no database").output;
    assert!(refused.contains(&folder), "{refused}");
    elsewhere.cli(&["migrate"]);
    assert!(server.dir.join("elsewhere/latchway.db").exists());
}

/// Fails if an error of the file system does not name its path.
async fn b102_errors_name_their_path() {
    let server = Server::prepared(Db::Sqlite, &[]).with_variable("LATCHWAY__DATABASE__URL", None);
    let server =
        server.with_variable("LATCHWAY__KEYS__ENCRYPTION_KEY", None).with_variable("LATCHWAY__SERVER__ISSUER", None);
    let (ok, said) = server.words(&["serve", "--dev", "--data", "/proc/nope"]);
    assert!(!ok && said.contains("/proc/nope"), "{said}");
}

both![s07_b091_a_newer_schema_is_refused];

mod once {
    use super::*;

    #[test]
    fn s08_a_role_without_ddl_serves() {
        run(Db::Postgres, |_: Db| super::s08_a_role_without_ddl_serves());
    }

    #[test]
    fn a04_a_wrong_path_makes_nothing() {
        run(Db::Sqlite, |_: Db| super::a04_a_wrong_path_makes_nothing());
    }

    #[test]
    fn b102_errors_name_their_path() {
        run(Db::Sqlite, |_: Db| super::b102_errors_name_their_path());
    }
}
