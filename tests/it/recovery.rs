//! A database that was set back: nothing that was used or revoked since comes to life again.
//!
//! On SQLite by `backup` and `restore`; on PostgreSQL by `pg_dump`, `psql` and `restore-point`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::*;

/// Assertions are compared with the restore to the second; nobody's clock is ahead here.
const CONFIG: &[(&str, &str)] = &[("tokens.clock_skew_seconds", "0")];

/// Whether the database that is replaced can still tell what happened since.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    Kept,
    Gone,
}

struct Saved {
    file: PathBuf,
}

impl Saved {
    /// While the server runs.
    fn take(server: &Server) -> Self {
        let file = server.dir.join("saved.backup");
        match &server.database {
            Database::Sqlite { .. } => {
                server.cli(&["backup", &file.display().to_string()]);
            }
            Database::Postgres { url, .. } => {
                let dump = tool("pg_dump", &["--dbname", url, "--file", &file.display().to_string()]);
                assert!(dump.success(), "pg_dump: {dump}");
            }
        }
        Self { file }
    }

    /// Stops the server, sets its database back, starts it again. What the command says.
    fn bring_back(&self, server: &Server, old: Old) -> Value {
        assert!(server.stop(), "the server does not stop");
        let report = match &server.database {
            Database::Sqlite { file, .. } => {
                if old == Old::Gone {
                    std::fs::remove_file(file).expect("the old database goes");
                }
                server.cli(&["restore", &self.file.display().to_string(), "--force"])
            }
            Database::Postgres { url, .. } => {
                server.database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
                let quiet = ["--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url, "--file"];
                let status = tool("psql", &[&quiet[..], &[&self.file.display().to_string()]].concat());
                assert!(status.success(), "psql: {status}");
                assert!(server.try_cli(&["restore-point"], "").is_err(), "it asks nobody");
                server.cli(&["restore-point", "--yes"])
            }
        };
        server.spawn();
        report
    }
}

fn tool(name: &str, args: &[&str]) -> std::process::ExitStatus {
    let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = found.map(|version| version.path().join("bin").join(name)).find(|path| path.exists());
    let mut command = Command::new(found.unwrap_or_else(|| name.into()));
    command.args(args).stdout(Stdio::null()).status().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Somebody who asks for tokens all the time, on a thread of their own.
struct Load {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<usize>,
}

impl Load {
    fn start(client: Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut issued = 0;
                while !stopped.load(Ordering::Relaxed) {
                    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
                    issued += 1;
                }
                issued
            })
        });
        Self { stop, thread }
    }

    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every request was answered well")
    }
}

/// With an assertion that was made beforehand.
async fn present(client: &Client, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    Answer::of(http().post(format!("{}/oauth2/token", client.node)).form(&form)).await
}

async fn jwks(server: &Server) -> Value {
    Answer::of(http().get(server.url("/.well-known/jwks.json"))).await.json()
}

async fn logs_in(server: &Server, user: &User) -> bool {
    let browser = Browser::new(server);
    let page = browser.open("/login").await;
    !browser.login(&page, user).await.has_form("/login")
}

/// R-050 for devices. Fails if one that waited, was allowed or has its tokens gets anything for a code of before.
async fn r_050_devices_begin_again(db: Db) {
    let server = Server::start(db, CONFIG);
    let (client, user) = (Spec::device().create(&server), User::new(&server));
    let (waiting, allowed, fetched) =
        (Device::ask(&client).await, Device::ask(&client).await, Device::ask(&client).await);
    let browser = Browser::new(&server);
    browser.allow(&user, &allowed).await;
    browser.allow(&user, &fetched).await;
    let saved = Saved::take(&server);
    let tokens = fetched.poll().await;
    assert_tokens(&tokens);
    let report = saved.bring_back(&server, Old::Gone);
    assert_eq!(report["ended"]["device_codes"], 3, "{report}");
    for device in [&waiting, &allowed, &fetched] {
        assert_j(&device.poll().await, 400, "expired_token");
    }
    assert_eq!(client.userinfo(&tokens.text("access_token")).await.status, 401);
    assert_ig(&client.refresh(&tokens.text("refresh_token")).await);
    let again = Browser::of(&server, &user).await;
    assert_eq!(again.type_code(&waiting.user_code).await.status, 422);
    let device = Device::ask(&client).await;
    again.allow(&user, &device).await;
    assert_tokens(&device.poll().await);
}

/// Fails if anything of what was issued before the restore still works, if the keys are others, or if nothing
/// can be issued afterwards.
async fn r_050_nothing_used_or_revoked_since_comes_back(db: Db) {
    let server = Server::start(db, CONFIG);
    let user = User::new(&server);
    let client = Spec::confidential().scope("openid offline_access").create(&server);
    let app = Spec::confidential().scope("openid profile").create(&server);
    let machine = Spec::confidential().auth(Auth::PrivateKeyJwt).grants(&["client_credentials"]).create(&server);
    let loader = Spec::confidential().grants(&["client_credentials"]).scope("read").create(&server);
    let browser = Browser::of(&server, &user).await;

    let (first, second, third) = (client.request(), client.request(), client.request());
    let code = browser.grant(&user, &first).await.code();
    let family = client.redeem(&first, &code).await;
    assert_tokens(&family);
    let unused_code = browser.grant(&user, &second).await.code();
    let used_later = browser.grant(&user, &third).await.code();
    let service = loader.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    browser.grant(&user, &app.request()).await.code();
    // Remembered: not asked again.
    assert!(!browser.open(&app.request().url()).await.is_html(), "the consent was not remembered");
    let waiting = Browser::new(&server);
    let waiting_page = waiting.open(&app.request().url()).await;
    assert!(waiting_page.has_form("/login"));
    let keys = jwks(&server).await;

    let load = Load::start(loader.clone());
    let saved = Saved::take(&server);
    assert!(load.stop() > 0, "there was no load");

    // Used and revoked after the backup, which knows nothing of that.
    assert_tokens(&client.redeem(&third, &used_later).await);
    let rotated = client.refresh(&family.text("refresh_token")).await;
    assert_tokens(&rotated);
    assert_eq!(client.revoke(&family.text("access_token")).await.status, 200);
    let assertion = machine.assertion(&machine.assertion_claims());
    assert_tokens(&present(&machine, &assertion).await);
    let timeless = |exp: i64| {
        let mut claims = machine.assertion_claims();
        claims.as_object_mut().expect("an object").remove("iat");
        claims["exp"] = json!(exp);
        machine.assertion(&claims)
    };
    let without_time = timeless(now() + 500);
    assert_tokens(&present(&machine, &without_time).await);
    let since = loader.token(&[("grant_type", "client_credentials")]).await.text("access_token");

    let report = saved.bring_back(&server, Old::Gone);
    assert!(report["ended"]["grants"].as_u64() >= Some(3), "{report}");
    assert!(report["ended"]["sessions"].as_u64() >= Some(1), "{report}");
    assert!(report["ended"]["consents"].as_u64() >= Some(1), "{report}");
    assert!(report["ended"]["access_tokens"].as_u64() >= Some(2), "{report}");
    assert!(report["ended"]["codes"].as_u64() >= Some(2), "{report}");
    assert_eq!(report["active_users"], 1, "{report}");
    assert_eq!(report["active_clients"], 4, "{report}");
    assert_eq!(audit(&server, "kind = 'restored'").len(), 1);

    assert_eq!(jwks(&server).await, keys, "the keys are others");
    assert_ig(&client.redeem(&second, &unused_code).await);
    assert_ig(&client.redeem(&third, &used_later).await);
    assert_ig(&client.refresh(&family.text("refresh_token")).await);
    assert_ig(&client.refresh(&rotated.text("refresh_token")).await);
    for token in [family.text("access_token"), rotated.text("access_token"), service, since] {
        assert_eq!(client.userinfo(&token).await.status, 401);
        for asking in [&client, &loader] {
            assert_eq!(asking.introspect(&token).await.json()["active"], false);
        }
    }
    assert_ic(&present(&machine, &assertion).await);
    assert_ic(&present(&machine, &without_time).await);
    assert_ic(&present(&machine, &timeless(now() + 500)).await);
    assert!(browser.open("/account").await.has_form("/login"), "a session has come back");
    let late = waiting.login(&waiting_page, &user).await;
    // A request that waits lies in its browser and was never used: whoever goes on with it logs in and is asked anew.
    assert!(late.has_form("/consent") || late.has_form("/login"), "a waiting request is answered: {late:?}");

    // And it is a server like any other: people and apps begin again, and are asked again.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_tokens(&present(&machine, &machine.assertion(&machine.assertion_claims())).await);
    assert_ic(&present(&machine, &assertion).await);
    let again = Browser::new(&server);
    again.consent_page(&user, &app.request()).await;
    let request = client.request();
    let code = again.grant(&user, &request).await.code();
    let tokens = client.redeem(&request, &code).await;
    assert_tokens(&client.refresh(&tokens.text("refresh_token")).await);

    // What the backup had under load is whole: no token without its event, no event without its token.
    let issued = |kind: &str| audit(&server, &format!("kind = '{kind}' AND client_id = '{}'", loader.id)).len();
    let stored = server.database.rows("access_tokens", &format!("client_id = '{}'", loader.id)).len();
    assert_eq!(issued("token_issued"), stored);

    // Once more: what came since ends, and nothing more.
    let again = server.cli(&["restore-point", "--yes"]);
    assert_eq!(again["ended"]["grants"], 1, "{again}");
    assert_ig(&client.refresh(&tokens.text("refresh_token")).await);
    let nothing = server.cli(&["restore-point", "--yes"]);
    assert!(nothing["ended"].as_object().expect("counts").values().all(|n| *n == 0), "{nothing}");
}

/// Fails if the backup's state of what was restricted since wins over the database that it replaces.
async fn r_050_what_was_restricted_since_stays_so() {
    let server = Server::start(Db::Sqlite, CONFIG);
    let (disabled, changed, untouched) = (User::new(&server), User::new(&server), User::new(&server));
    let dead = Client::confidential(&server);
    let deleted = Client::confidential(&server);
    let secret = Spec::confidential().grants(&["client_credentials"]).scope("read write").create(&server);
    let other = Spec::confidential().grants(&["client_credentials"]).scope("read").create(&server);
    let own = FirstParty::native(&server);
    let old_key = server.cli(&["keys", "list"])[0]["kid"].as_str().expect("a key").to_owned();

    let saved = Saved::take(&server);
    let events = audit(&server, "1 = 1").len();
    server.cli(&["user", "disable", &disabled.username]);
    let password = "another password entirely";
    let set = ["user", "set-password", &changed.username, "--password-stdin"];
    server.try_cli(&set, password).expect("another password");
    server.cli(&["client", "disable", &dead.id]);
    server.cli(&["client", "delete", &deleted.id]);
    let rotated = server.cli(&["client", "rotate-secret", &secret.id, "--overlap", "0"]);
    server.cli(&["client", "update", &secret.id, "--scope", "read"]);
    server.cli(&["client", "update", &own.client.id, "--first-party=false"]);
    server.cli(&["keys", "retire", &old_key, "--compromised"]);
    let keys = jwks_after_reload(&server, &old_key).await;
    let lost = User::new(&server);
    let before = audit(&server, "1 = 1");

    let report = saved.bring_back(&server, Old::Kept);
    let since = &report["since"];
    assert_eq!(since["known"], true, "{report}");
    let numbers = ["clients_disabled", "users_disabled", "credentials", "reductions", "passwords", "users_lost"];
    let numbers = numbers.map(|name| since[name].as_u64().unwrap_or(u64::MAX));
    assert_eq!(numbers, [2, 1, 1, 2, 1, 1], "{report}");
    let aside = report["old_database"].as_str().expect("the old database is kept");
    assert!(Path::new(aside).exists());
    assert!(!Path::new(&format!("{aside}-wal")).exists());

    assert!(!logs_in(&server, &disabled).await, "a disabled account is back");
    assert!(!logs_in(&server, &changed).await, "an old password is back");
    assert!(logs_in(&server, &User { password: password.to_owned(), ..changed }).await);
    assert!(logs_in(&server, &untouched).await);
    assert!(!logs_in(&server, &lost).await);
    assert_ic(&dead.token(&[("grant_type", "client_credentials")]).await);
    assert_ic(&deleted.token(&[("grant_type", "client_credentials")]).await);
    let ask = [("grant_type", "client_credentials"), ("scope", "read")];
    assert_ic(&secret.token(&ask).await);
    let renewed = Client { secret: rotated["client_secret"].as_str().map(str::to_owned), ..secret.clone() };
    assert_tokens(&renewed.token(&ask).await);
    let more = renewed.token(&[("grant_type", "client_credentials"), ("scope", "read write")]).await;
    assert_j(&more, 400, "invalid_scope");
    assert_tokens(&other.token(&[("grant_type", "client_credentials")]).await);
    let own = own.try_login(&untouched.username, &untouched.password).await;
    assert_j(&own, 400, "unauthorized_client");
    assert_eq!(jwks(&server).await, keys, "a key that has leaked is back");

    // What was recorded since the backup did happen.
    assert!(before.len() > events + 5);
    let after = audit(&server, "1 = 1");
    for event in &before {
        assert!(after.contains(event), "an event is gone: {event}");
    }
}

/// The JWKS, as soon as the server has noticed that a key is gone.
async fn jwks_after_reload(server: &Server, gone: &str) -> Value {
    let begin = Instant::now();
    loop {
        let keys = jwks(server).await;
        let kids = keys["keys"].as_array().expect("keys").iter().filter_map(|key| key["kid"].as_str());
        if !kids.into_iter().any(|kid| kid == gone) {
            return keys;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "a retired key stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// An old database that is no database: nothing is known of the time since, and it says so.
async fn an_old_database_that_cannot_be_read_is_said_so() {
    let server = Server::start(Db::Sqlite, CONFIG);
    let client = Client::confidential(&server);
    let saved = Saved::take(&server);
    server.cli(&["client", "disable", &client.id]);
    assert!(server.stop());
    let Database::Sqlite { file, .. } = &server.database else { panic!("SQLite") };
    std::fs::write(file, vec![b'x'; 8192]).expect("garbage");
    std::fs::write(format!("{file}-wal"), b"leftover").expect("a leftover");
    let report = server.cli(&["restore", &saved.file.display().to_string(), "--force"]);
    assert_eq!(report["since"]["known"], false, "{report}");
    assert!(report["since"]["why"].as_str().is_some_and(|why| why.contains("not a database")), "{report}");
    assert_eq!(report["active_clients"], 1);
    let aside = report["old_database"].as_str().expect("it is kept all the same");
    assert_eq!(std::fs::read(aside).expect("the old database"), vec![b'x'; 8192]);
    assert!(!Path::new(&format!("{file}-wal")).exists(), "the log of the old database stays for the new one");
    server.spawn();
    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
}

/// Fails if another user could read the backup at any moment, or if an existing file is lost.
async fn r_051_a_backup_is_private_and_replaces_nothing() {
    let server = Server::start(Db::Sqlite, &[]);
    // Some megabytes, so that it takes a moment.
    server.database.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
         INSERT INTO settings SELECT 'filler ' || i, hex(randomblob(100)) FROM n",
    );
    let file = server.dir.join("private.backup");
    let done = Arc::new(AtomicBool::new(false));
    let (watched, stop) = ([file.clone(), server.dir.join("private.backup.partial")], done.clone());
    let watcher = std::thread::spawn(move || {
        let mut seen = std::collections::BTreeSet::new();
        while !stop.load(Ordering::Relaxed) {
            seen.extend(watched.iter().filter_map(|path| Some(path.metadata().ok()?.permissions().mode() & 0o777)));
        }
        seen
    });
    let path = file.display().to_string();
    let report = server.cli(&["backup", &path]);
    std::thread::sleep(Duration::from_millis(50));
    done.store(true, Ordering::Relaxed);
    let modes: Vec<u32> = watcher.join().expect("the watcher").into_iter().collect();
    assert_eq!(modes, [0o600]);

    let bytes = std::fs::read(&file).expect("the backup");
    assert_eq!(report["bytes"], bytes.len());
    assert_eq!(report["path"], path.as_str());
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(report["sha256"], hex.as_str(), "as sha256sum prints it");
    assert_eq!(report["schema"].as_str().map(str::len), Some("20261122000002".len()));

    assert!(server.try_cli(&["backup", &path], "").is_err(), "it overwrites");
    assert_eq!(std::fs::read(&file).expect("the backup"), bytes);
    server.database.execute("DELETE FROM settings WHERE name LIKE 'filler 1%'");
    assert!(server.cli(&["backup", &path, "--force"])["bytes"].as_u64() < report["bytes"].as_u64());
    assert!(!server.dir.join("private.backup.partial").exists());
    assert!(server.try_cli(&["backup", "/nowhere/at/all.backup"], "").is_err());
}

/// Fails if a backup that is not whole, or from a newer version, touches the database.
async fn r_051_a_broken_or_newer_backup_is_refused() {
    let server = Server::start(Db::Sqlite, &[]);
    let client = Spec::confidential().grants(&["client_credentials"]).create(&server);
    let saved = Saved::take(&server);
    let good = std::fs::read(&saved.file).expect("the backup");
    server.database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000001')");
    let newer_file = server.dir.join("newer.backup").display().to_string();
    server.cli(&["backup", &newer_file]);
    server.database.execute("DELETE FROM __diesel_schema_migrations WHERE version = '99991231000001'");
    assert!(server.stop());

    let Database::Sqlite { file, .. } = &server.database else { panic!("SQLite") };
    let database = std::fs::read(file).expect("the database");
    let bad = server.dir.join("bad.backup");
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut renamed = good.clone();
    let at = good.len() - 100;
    renamed[at] = renamed[at].wrapping_add(1);
    for (bytes, why) in [
        (flipped, "checksum"),
        (renamed, ""),
        (good[..good.len() - 1].to_vec(), "its end is missing"),
        (good[..good.len() / 2].to_vec(), "its end is missing"),
        ([&good[..4096], &good[8192..]].concat(), "bytes are missing"),
        (database.clone(), "no backup"),
        (Vec::new(), "no backup"),
        (std::fs::read(&newer_file).expect("the newer backup"), "newer version"),
    ] {
        std::fs::write(&bad, &bytes).expect("a bad backup");
        let refused = server.try_cli(&["restore", &bad.display().to_string(), "--force"], "");
        let output = refused.expect_err("a broken backup was restored").output;
        assert!(output.contains(why), "{why}: {output}");
        assert!(std::fs::read(file).expect("the database") == database, "the database was touched");
        assert!(!Path::new(&format!("{file}.restoring")).exists(), "something is left behind");
    }
    let good = saved.file.display().to_string();
    let refused = server.try_cli(&["restore", &good], "").expect_err("it overwrites");
    assert!(refused.output.contains("--force"), "{refused:?}");
    assert!(std::fs::read(file).expect("the database") == database);
    server.spawn();
    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
}

/// Fails if a restore pulls the database away from under a server.
async fn a_running_server_keeps_its_database() {
    let server = Server::start(Db::Sqlite, &[]);
    let client = Spec::confidential().grants(&["client_credentials"]).create(&server);
    let saved = Saved::take(&server);
    let token = client.token(&[("grant_type", "client_credentials")]).await.text("access_token");
    let refused = server.try_cli(&["restore", &saved.file.display().to_string(), "--force"], "");
    assert!(refused.expect_err("a running server was restored").output.contains("stop"));
    assert_eq!(client.introspect(&token).await.json()["active"], true);
    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
}

/// A new machine: no database there, perhaps no folder; a backup of an older schema.
async fn a_backup_starts_a_new_host_and_is_migrated() {
    let server = Server::start(Db::Sqlite, &[]);
    let client = Spec::confidential().grants(&["client_credentials"]).create(&server);
    assert!(server.stop());
    let Database::Sqlite { file, .. } = &server.database else { panic!("SQLite") };
    let storage = latchway::storage::Db::open(
        &latchway::storage::DbOptions {
            timeout: Duration::from_secs(30),
            ..latchway::storage::DbOptions::new(server.database.url().into())
        },
        latchway::support::Clock::system(),
    );
    let storage = storage.expect("the database");
    storage.migrate_down().expect("down");
    drop(storage);
    let saved = Saved::take(&server);
    std::fs::remove_file(file).expect("another machine");
    let report = server.cli(&["restore", &saved.file.display().to_string()]);
    assert_eq!((&report["migrations"], &report["old_database"]), (&json!(1), &Value::Null), "{report}");
    assert_eq!(Path::new(file).metadata().expect("the database").permissions().mode() & 0o777, 0o600);
    server.spawn();
    assert_tokens(&client.token(&[("grant_type", "client_credentials")]).await);
}

/// Fails if the command does not name the tools that do it.
async fn backups_of_postgres_are_made_by_its_own_tools() {
    let server = Server::prepared(Db::Postgres, &[]);
    let backup = server.try_cli(&["backup", "x.backup"], "").expect_err("a backup of PostgreSQL").output;
    assert!(backup.contains("pg_dump") && backup.contains("restore-point"), "{backup}");
    std::fs::write(server.dir.join("x.backup"), "").expect("a file");
    let restore = server.try_cli(&["restore", "x.backup"], "").expect_err("a restore of PostgreSQL").output;
    assert!(restore.contains("restore-point"), "{restore}");
}

both![r_050_devices_begin_again, r_050_nothing_used_or_revoked_since_comes_back];

/// What only one of the databases has.
mod alone {
    use super::{Db, run};

    macro_rules! alone {
        ($($name:ident),+ $(,)?) => { $(#[test] fn $name() { run(Db::Sqlite, |_: Db| super::$name()) })+ };
    }

    alone![
        r_050_what_was_restricted_since_stays_so,
        an_old_database_that_cannot_be_read_is_said_so,
        r_051_a_backup_is_private_and_replaces_nothing,
        r_051_a_broken_or_newer_backup_is_refused,
        a_running_server_keeps_its_database,
        a_backup_starts_a_new_host_and_is_migrated,
        backups_of_postgres_are_made_by_its_own_tools,
    ];
}
