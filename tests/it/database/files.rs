//! S9, S10, A5: a lost key, what root restores, settings that are checked, and no core dumps.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use super::*;

const NEW: &str = "YW5vdGhlciBrZXksIG9mIDMyIGJ5dGVzLCBmb3IgaXQ";

/// Fails if a lost encryption key has no way out, if that way loses people and clients, or if the audit trail claims more
/// than it can prove afterwards, or less.
async fn s09_a_lost_encryption_key_has_a_way_out(db: Db) {
    let server = Server::start(db, &[]);
    let (client, user) = (Client::confidential(&server), User::new(&server));
    let request = client.request();
    let code = Browser::new(&server).grant(&user, &request).await.code();
    let old = client.redeem(&request, &code).await.text("access_token");
    let begin_anew = &["keys", "begin-anew", "--yes"];
    assert!(server.try_cli(begin_anew, "").expect_err("nothing is lost").output.contains("nothing is lost"));
    let receipt = server.cli(&["audit", "verify"])["last_checkpoint"]["receipt"].clone();
    let lost = server.changed(&[("keys.encryption_key", NEW)]);
    assert!(lost.try_cli(begin_anew, "").expect_err("a server runs").output.contains("stop all of them"));
    server.stop();
    if db == Db::Postgres {
        server.database.execute("UPDATE nodes SET seen_at = seen_at - 120");
    }
    assert!(lost.refuses_to_start().contains("docs/reliability.md"), "where to look");
    let refused = lost.try_cli(&["keys", "begin-anew"], "").expect_err("without --yes").output;
    assert!(refused.contains("--yes") && refused.contains("people, clients"), "{refused}");
    assert_eq!(lost.cli(begin_anew)["signing_keys_lost"], 4);

    lost.spawn();
    assert_eq!(client.introspect(&old).await.json()["active"], false, "it was ended");
    let request = client.request();
    let code = Browser::new(&lost).grant(&user, &request).await.code();
    assert_tokens(&client.redeem(&request, &code).await);
    let report = lost.cli(&["audit", "verify"]);
    assert_eq!(report["ok"], true, "{report:#}");
    assert!(report["began_anew"]["checkpoint"].as_i64() > Some(1), "{report:#}");
    let expected = ["audit", "verify", "--expect", receipt.as_str().expect("a receipt")];
    assert_eq!(lost.cli(&expected)["ok"], true, "what was noted before is still there");
    let (_, said) = lost.words(&["audit", "verify"]);
    assert!(said.contains("The encryption key was lost"), "{said}");
    let export = lost.dir.join("anew.jsonl").display().to_string();
    lost.cli(&["audit", "export", "--out", &export]);
    assert_eq!(lost.cli(&["audit", "verify", "--file", &export])["ok"], true);
    // What is from before cannot be changed any more either, the first event of a chain included.
    let first = "id = (SELECT id FROM audit_events WHERE sequence = 1 ORDER BY id LIMIT 1)";
    lost.database.execute(&format!("UPDATE audit_events SET reason = 'another' WHERE {first}"));
    let found = lost.try_cli(&["audit", "verify"], "").expect_err("it was changed").output;
    assert!(found.contains("when the trail began anew"), "{found}");
    lost.database.execute(&format!("UPDATE audit_events SET reason = NULL WHERE {first}"));
    assert_eq!(lost.cli(&["audit", "verify"])["began_anew"]["unproved_first_events"], 0);
    lost.database.execute("UPDATE audit_events SET outcome = 'failure' WHERE kind = 'consent_given'");
    let found = lost.try_cli(&["audit", "verify"], "").expect_err("it was changed").output;
    assert!(found.contains("changed"), "{found}");
    lost.stop();
    assert!(server.refuses_to_start().contains("encryption_key"), "the old key is none any more");
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().expect("id runs").stdout == b"0\n"
}

/// Fails if a restore leaves a database that its owner cannot open, or says its time in seconds.
async fn s10_a_restore_keeps_owner_and_mode() {
    let server = Server::start(Db::Sqlite, &[]);
    machine(&server);
    let backup = server.dir.join("a.backup").display().to_string();
    server.cli(&["backup", &backup]);
    server.stop();
    let Database::Sqlite { file, .. } = &server.database else { panic!("SQLite") };
    let owner = if is_root() { (4242, 4243) } else { (0, 0) };
    if is_root() {
        chown(file, Some(owner.0), Some(owner.1)).expect("root may");
        chown(server.dir.clone(), Some(owner.0), Some(owner.1)).expect("root may");
        let _ = std::fs::remove_file(format!("{file}.lock"));
    }
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let (ok, said) = server.words(&["restore", &backup, "--force"]);
    assert!(ok && said.contains("of 20") && !said.contains("Unix time"), "{said}");
    let is_theirs = |file: &str| {
        let found = std::fs::metadata(file).expect(file);
        assert!(!is_root() || (found.uid(), found.gid()) == owner, "{file} is of {}:{}", found.uid(), found.gid());
        found.mode() & 0o777
    };
    assert_eq!(is_theirs(file), 0o640);
    is_theirs(&format!("{file}.lock"));
    // Where there was none, whose the folder is.
    for leftover in std::fs::read_dir(&server.dir).expect("a folder").flatten() {
        if leftover.file_name().to_string_lossy().starts_with("latchway.db") {
            std::fs::remove_file(leftover.path()).expect("a file");
        }
    }
    server.cli(&["restore", &backup]);
    assert_eq!(is_theirs(file), 0o600);
    std::fs::remove_file(file).expect("a file");
    server.cli(&["migrate"]);
    assert_eq!(is_theirs(file), 0o600, "a siblings' kind: what root makes");
}

/// Fails if `config check` calls valid what cannot work, or says nothing about what is unwise.
async fn a05_config_check_looks(db: Db) {
    let server = Server::start(db, &[]);
    let check = |config: &[(&str, &str)], args: &[&str]| {
        let node = server.node(config);
        node.try_cli(&[&["config", "check"][..], args].concat(), "").map_err(|failure| failure.output)
    };
    for (url, reason) in [
        ("postgres://u:p@ss/w@db.example/x", "%40"),
        ("postgres://u@db.example/x?sslmode=bogus", "sslmode"),
        ("postgres://u@db.example/x?sslrootcert=/there/is/none", "/there/is/none"),
        ("mysql://u@db.example/x", "must begin with"),
    ] {
        let said = check(&[("database.url", url)], &[]).expect_err(url);
        assert!(said.contains(reason), "{url}: {said}");
    }
    let warned = |config: &[(&str, &str)]| check(config, &[]).expect("valid")["warnings"].to_string();
    assert_eq!(warned(&[]), "[]");
    assert!(warned(&[("server.trusted_proxies", "0.0.0.0/0")]).contains("trusted_proxies"));
    assert!(warned(&[("sessions.max_transactions", "5")]).contains("has no effect any more"));
    let key = server.dir.join("encryption.key");
    std::fs::write(&key, NEW).expect("a file");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let open = server
        .node(&[])
        .with_variable("LATCHWAY__KEYS__ENCRYPTION_KEY", None)
        .with_variable("LATCHWAY__KEYS__ENCRYPTION_KEY_FILE", Some(&key.display().to_string()));
    let report = open.cli(&["config", "check"]);
    assert!(report["warnings"].to_string().contains("0644"), "{report}");
    // And what only the database can tell.
    assert_eq!(server.cli(&["config", "check", "--connect"])["connected"], true);
    let said = check(&[("keys.encryption_key", NEW)], &["--connect"]).expect_err("another key");
    assert!(said.contains("encryption_key"), "{said}");
    let said = check(&[("server.issuer", "https://other.example")], &["--connect"]).expect_err("another issuer");
    assert!(said.contains("belongs to"), "{said}");
}

/// Fails if a crash of the server would write its keys to the disk.
async fn no_core_has_keys() {
    let server = Server::start(Db::Sqlite, &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).expect("Linux tells");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    // What is not dumpable belongs to root in /proc, whoever runs it; root itself sees it by its files' owner alone.
    let environment = std::fs::metadata(format!("/proc/{}/environ", server.pid())).expect("Linux tells");
    assert_eq!(environment.uid(), 0);
}

both![s09_a_lost_encryption_key_has_a_way_out, a05_config_check_looks];

mod once {
    use super::*;

    #[test]
    fn s10_a_restore_keeps_owner_and_mode() {
        run(Db::Sqlite, |_: Db| super::s10_a_restore_keeps_owner_and_mode());
    }

    #[test]
    fn no_core_has_keys() {
        run(Db::Sqlite, |_: Db| super::no_core_has_keys());
    }
}
