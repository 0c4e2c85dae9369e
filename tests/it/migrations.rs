//! The schema goes up, down and up again, on both databases, and is the same each time.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use latchway::storage::{Db as Storage, DbOptions, IfMissing, MigrationStatus};
use latchway::support::Clock;

use crate::harness::*;

/// The names of the migrations for one database, in their order.
fn names(db: Db) -> BTreeSet<String> {
    let folder = if db == Db::Sqlite { "sqlite" } else { "postgres" };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let entries = std::fs::read_dir(&folder).expect("the migrations");
    let names: BTreeSet<String> =
        entries.map(|entry| entry.expect("a migration").file_name().into_string().expect("a name")).collect();
    for name in &names {
        for file in ["up.sql", "down.sql"] {
            let text = std::fs::read_to_string(folder.join(name).join(file)).expect(file);
            assert!(!text.trim().is_empty(), "{name}/{file} is empty");
        }
    }
    names
}

fn open(database: &Database) -> Storage {
    let options = DbOptions {
        pool_size: 2,
        queue: 16,
        timeout: Duration::from_secs(30),
        if_missing: IfMissing::Make,
        ..DbOptions::new(database.url().into())
    };
    Storage::open(&options, Clock::system()).expect("the database")
}

fn go_up_down_and_up_again(db: Db) {
    let all = names(db);
    assert_eq!(all, names(if db == Db::Sqlite { Db::Postgres } else { Db::Sqlite }), "the same for both databases");
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
    let database = Database::create(db, dir.path());
    let storage = open(&database);
    assert_eq!(storage.migration_status().expect("a status"), MigrationStatus::Pending(all.len()));

    assert_eq!(storage.migrate().expect("up"), all.len());
    assert_eq!(storage.migration_status().expect("a status"), MigrationStatus::UpToDate);
    assert_eq!(storage.migrate().expect("nothing more"), 0);
    let (schema, scopes) = (database.schema(), database.rows("scopes", "1 = 1"));
    assert!(schema.len() > 12 && scopes.len() >= 4, "there is something: {schema:?} {scopes:?}");

    // Each migration by itself, from the last to the first: down, up, the same; then further down.
    for undone in 1..=all.len() {
        storage.migrate_down().expect("down");
        assert_eq!(storage.migration_status().expect("a status"), MigrationStatus::Pending(undone));
        assert_eq!(storage.migrate().expect("up again"), undone);
        assert_eq!(database.schema(), schema);
        for _ in 0..undone {
            storage.migrate_down().expect("down once more");
        }
    }
    assert_eq!(database.tables(), ["__diesel_schema_migrations"], "nothing is left behind");
    assert!(database.rows("__diesel_schema_migrations", "1 = 1").is_empty());

    assert_eq!(storage.migrate().expect("up at last"), all.len());
    assert_eq!(database.schema(), schema);
    assert_eq!(database.rows("scopes", "1 = 1"), scopes);
    drop(storage);
    database.drop_it();
}

/// What an earlier version cannot read is gone when its schema is back: the device grant, and families that began with it.
fn leave_no_word_that_is_unknown(db: Db) {
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
    let database = Database::create(db, dir.path());
    let storage = open(&database);
    storage.migrate().expect("up");
    let id = if db == Db::Sqlite { "x'00'" } else { "'\\x00'::bytea" };
    let urn = "urn:ietf:params:oauth:grant-type:device_code";
    for (name, grants) in
        [("tv", urn), ("all", &*format!("authorization_code {urn} refresh_token")), ("web", "refresh_token")]
    {
        database.execute(&format!(
            "INSERT INTO clients (client_id, name, auth_method, redirect_uris, grant_types, scope, audiences, application_type, \
             pkce, status, version, created_at, updated_at) \
             VALUES ('{name}', 'n', 'none', '', '{grants}', 'openid', '', 'web', 'required', 'active', 1, 0, 0)"
        ));
    }
    database.execute(&format!(
        "INSERT INTO users (id, username, role, status, password_changed_at, created_at, updated_at) \
         VALUES ({id}, 'ada', 'user', 'active', 0, 0, 0)"
    ));
    database.execute(&format!(
        "INSERT INTO grants (id, client_id, user_id, scope, resources, auth_time, created_at, expires_at, origin) \
         VALUES ({id}, 'tv', {id}, 'openid', '', 0, 7, 9, 'device')"
    ));
    // Down to before the grant, whatever has come after it.
    let back = names(db).into_iter().filter(|name| name.as_str() >= "2026-11-22-000008").count();
    for _ in 0..back {
        storage.migrate_down().expect("down");
    }
    let grants = |name: &str| database.rows("clients", &format!("client_id = '{name}'"))[0]["grant_types"].clone();
    assert_eq!([grants("tv"), grants("all"), grants("web")], ["", "authorization_code refresh_token", "refresh_token"]);
    let family = &database.rows("grants", "1 = 1")[0];
    assert_eq!((&family["origin"], &family["revoked_at"]), (&"authorization".into(), &7.into()), "{family}");
    drop(storage);
    database.drop_it();
}

/// P16: what a person allowed without naming an API is a list of APIs afterwards, and the operator's own apps keep theirs open.
fn give_old_grants_their_apis(db: Db) {
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
    let database = Database::create(db, dir.path());
    let storage = open(&database);
    storage.migrate().expect("up");
    let back = names(db).into_iter().filter(|name| name.as_str() >= "2026-11-27-000033").count();
    for _ in 0..back {
        storage.migrate_down().expect("down");
    }
    let id = |n: u8| if db == Db::Sqlite { format!("x'0{n}'") } else { format!("'\\x0{n}'::bytea") };
    database.execute(
        "INSERT INTO clients (client_id, name, auth_method, redirect_uris, grant_types, scope, audiences, application_type, \
         pkce, status, version, created_at, updated_at) \
         VALUES ('app', 'n', 'none', '', '', 'openid', 'https://a.example https://b.example', 'web', 'required', 'active', 1, 0, 0)",
    );
    database.execute(&format!(
        "INSERT INTO users (id, username, role, status, password_changed_at, created_at, updated_at) \
         VALUES ({}, 'ada', 'user', 'active', 0, 0, 0)",
        id(0)
    ));
    for (n, origin, resources) in
        [(1, "authorization", ""), (2, "device", ""), (3, "first_party", ""), (4, "authorization", "https://a.example")]
    {
        database.execute(&format!(
            "INSERT INTO grants (id, client_id, user_id, scope, resources, auth_time, created_at, expires_at, origin) \
             VALUES ({}, 'app', {}, 'openid', '{resources}', {n}, 7, 9, '{origin}')",
            id(n),
            id(0)
        ));
    }
    storage.migrate().expect("up again");
    let resources = |n: u8| database.rows("grants", &format!("auth_time = {n}"))[0]["resources"].clone();
    let all = "https://a.example https://b.example";
    assert_eq!([resources(1), resources(2), resources(3), resources(4)], [all, all, "", "https://a.example"]);
    drop(storage);
    database.drop_it();
}

/// A schema from a newer version is left alone.
fn meet_a_newer_schema(db: Db) {
    let dir = tempfile::tempdir_in(crate::harness::scratch()).expect("a directory");
    let database = Database::create(db, dir.path());
    let storage = open(&database);
    storage.migrate().expect("up");
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99991231000001')");
    let schema = database.schema();
    assert_eq!(storage.migration_status().expect("a status"), MigrationStatus::Newer);
    assert_eq!(database.schema(), schema);
    drop(storage);
    database.drop_it();
}

/// On a thread that drives nothing else: migrations are for the start of a process, and block.
fn apart(test: fn(Db), db: Db) {
    std::thread::spawn(move || test(db)).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

async fn up_down_and_up_again(db: Db) {
    apart(go_up_down_and_up_again, db);
}

async fn device_grants_go_down_with_their_table(db: Db) {
    apart(leave_no_word_that_is_unknown, db);
}

async fn p16_old_grants_are_for_the_apis_of_that_moment(db: Db) {
    apart(give_old_grants_their_apis, db);
}

async fn a_newer_schema_is_not_touched(db: Db) {
    apart(meet_a_newer_schema, db);
}

both![
    p16_old_grants_are_for_the_apis_of_that_moment,
    device_grants_go_down_with_their_table,
    up_down_and_up_again,
    a_newer_schema_is_not_touched
];
