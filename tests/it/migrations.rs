//! The schema goes up, down and up again, on both databases, and is the same each time.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use latchway::storage::{Db as Storage, DbOptions, MigrationStatus};
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
    let options = DbOptions { url: database.url().into(), pool_size: 2, queue: 16, timeout: Duration::from_secs(30) };
    Storage::open(&options, Clock::system()).expect("the database")
}

fn go_up_down_and_up_again(db: Db) {
    let all = names(db);
    assert_eq!(all, names(if db == Db::Sqlite { Db::Postgres } else { Db::Sqlite }), "the same for both databases");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
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

/// A schema from a newer version is left alone.
fn meet_a_newer_schema(db: Db) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
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

async fn a_newer_schema_is_not_touched(db: Db) {
    apart(meet_a_newer_schema, db);
}

both![up_down_and_up_again, a_newer_schema_is_not_touched];
